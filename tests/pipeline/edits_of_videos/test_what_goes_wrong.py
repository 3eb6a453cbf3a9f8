"""What is refused before it costs anything, and what comes back where an edit fails or is stopped."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Event, User
from credits import ledger, rate_cards, verification
from credits.models import Hold
from credits.rate_cards import RateCardDraft
from generations import guards
from generations.models import Asset
from pipeline.media import composition
from pipeline.media.composition.errors import CompositionFailed
from pipeline.models import EditQuote, FilmSound, VideoEdit
from pipeline.stages import composing as composing_stage
from tests.generations.conftest import CREDITS, api_of
from tests.pipeline.edits_of_videos.conftest import (
    MakeVideo,
    Workers,
    begun,
    edited,
    ended,
    get,
    post,
)
from workers import clock

LINE = {"text": "A", "start_seconds": 0.5, "end_seconds": 1}
# Each wrong thing, and the field that the refusal names.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "body"),
    ({"speed": 1.0, "grade": "none"}, "body"),
    ({"colour": "red"}, "colour"),
    ({"trim": {"start_seconds": 2, "end_seconds": 1}}, "trim.start_seconds"),
    ({"trim": {"start_seconds": 3}}, "trim.start_seconds"),
    ({"trim": {"start_seconds": 0, "end_seconds": 3.5}}, "trim.end_seconds"),
    ({"trim": {"start_seconds": 0, "end_seconds": 0.2}}, "trim"),
    ({"trim": {"start_seconds": "0", "end_seconds": 1}}, "trim.start_seconds"),
    ({"trim": {"start_seconds": -1, "end_seconds": 1}}, "trim.start_seconds"),
    ({"trim": {"from": 1}}, "trim.from"),
    ({"crop": {"x": 100, "y": 0, "width": 70, "height": 50}}, "crop"),
    ({"crop": {"x": 0, "y": 0, "width": 31, "height": 50}}, "crop.width"),
    ({"crop": {"x": 0.5, "y": 0, "width": 50, "height": 50}}, "crop.x"),
    ({"crop": {"x": 0, "y": 0, "width": 50, "height": 50}, "ratio": "1:1"}, "ratio"),
    ({"ratio": "7:3"}, "ratio"),
    ({"ratio": "1:1", "fit": "stretch"}, "fit"),
    ({"speed": 0.2}, "speed"),
    ({"speed": 5}, "speed"),
    ({"speed": True}, "speed"),
    ({"grade": "sepia"}, "grade"),
    ({"effects": ["sparkle"]}, "effects.0"),
    ({"effects": ["blur", "blur"]}, "effects"),
    ({"texts": [{"text": "A", "start_seconds": 1, "end_seconds": 4}]}, "texts.0"),
    ({"texts": [{"text": "", "start_seconds": 0, "end_seconds": 1}]}, "texts.0.text"),
    ({"texts": [{**LINE, "position": "middle"}]}, "texts.0.position"),
    ({"texts": [{**LINE, "animation": "spin"}]}, "texts.0.animation"),
    ({"captions": {}}, "captions"),
    ({"captions": {"lines": [LINE], "from_voice": True}}, "captions"),
    ({"captions": {"from_voice": True}}, "captions.from_voice"),
    ({"captions": {"lines": [{**LINE, "end_seconds": 0.5}]}}, "captions.lines.0"),
    ({"voice": [{"text": "A", "start_seconds": 3}]}, "voice.0.start_seconds"),
    ({"voice": [{"text": "one two three four five six seven eight nine ten"}]}, "voice.0.text"),
    ({"voice": "Hello"}, "voice"),
    ({"sound_effects": [{"text": "A", "start_seconds": 2, "seconds": 2}]}, "sound_effects.0"),
    ({"sound_effects": [{"text": "A", "start_seconds": 0, "seconds": 0}]}, "sound_effects.0.seconds"),
    ({"music": "m" * 201}, "music"),
    ({"own_sound": 1.1}, "own_sound"),
    ({"quote_id": "7b6d2c56-8a5e-4a35-9f5f-0f1d3b0a5c11"}, "quote_id"),
]
REFUSED_TO_BEGIN: list[tuple[dict[str, Any], str]] = [
    ({}, "body"),
    ({"speed": 9}, "speed"),
    ({"music": "calm", "quote_id": "mine"}, "quote_id"),
    ({"music": "calm", "max_credits": -1}, "max_credits"),
]


def all_agrees(owner: User) -> None:
    """Nothing is held, and the ledger is what its entries say."""
    assert ledger.balance_of(owner.pk).held == 0
    assert not Hold.objects.filter(owner=owner, state="open").exists()
    assert verification.verify(owner.pk).agrees


def soon(workers: Workers, true: Callable[[], object]) -> None:
    """Ring all workers but those that compose, until it is true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        for engine in workers.engines[1:]:
            engine.run_due()
        time.sleep(0.02)


def test_every_wrong_value_is_refused_by_name_before_it_costs_anything(
    api: Client, owner: User, heard: Asset
) -> None:
    for path, refused in (("edits/estimates/", REFUSED), ("edits/", REFUSED_TO_BEGIN)):
        found = []
        for body, _ in refused:
            answer = post(api, f"videos/{heard.id}/{path}", body)
            found.append((body, answer.status_code, answer.json()["error"]["details"].get("field")))
        assert found == [(body, 422, field) for body, field in refused]
    assert not EditQuote.objects.exists()
    assert not VideoEdit.objects.exists()
    assert not FilmSound.objects.exists()
    assert ledger.balance_of(owner.pk).balance == CREDITS
    all_agrees(owner)


def test_what_would_be_too_long_is_refused_and_a_piece_of_it_is_not(
    api: Client, video_of: MakeVideo, silent: Asset
) -> None:
    Asset.objects.filter(id=silent.id).update(duration_seconds=90)
    path = f"videos/{silent.id}/edits/estimates/"
    whole = post(api, path, {"grade": "warm"})
    assert (whole.status_code, whole.json()["error"]["details"]["field"]) == (422, "trim")
    slow = post(api, path, {"trim": {"end_seconds": 31}, "speed": 0.5})
    assert (slow.status_code, slow.json()["error"]["details"]["field"]) == (422, "trim")
    assert post(api, path, {"trim": {"start_seconds": 30, "end_seconds": 90}}).status_code == 201
    assert post(api, path, {"speed": 1.5}).status_code == 201


def test_only_a_whole_video_of_its_owner_that_is_there_can_be_edited(
    api: Client, stranger: User, video_of: MakeVideo, heard: Asset, heard_video: Path
) -> None:
    wish = {"grade": "warm"}
    part = video_of(heard_video, origin="part")
    over = video_of(heard_video, expires_in=timedelta(0))
    linked = video_of(heard_video)
    Asset.objects.filter(id=linked.id).update(key="", linked_url=b"somewhere")
    for asset, status, code in (
        (part, 422, "wrong_kind"),
        (over, 410, "expired"),
        (linked, 422, "invalid"),
    ):
        answer = post(api, f"videos/{asset.id}/edits/", wish)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    edit = begun(api, heard, **wish)
    other = api_of(stranger)
    for path in (f"edits/{edit}/", f"edits/{edit}/download/"):
        assert get(other, path).status_code == 404
    for path in (f"edits/{edit}/cancel/", f"videos/{heard.id}/edits/", f"videos/{heard.id}/edits/estimates/"):
        assert post(other, path, wish).status_code == 404
    assert get(other, "edits/").json()["results"] == []
    assert [one["id"] for one in get(api, "edits/").json()["results"]] == [edit]
    assert get(api, f"edits/{edit}/download/").status_code == 409


def test_words_that_are_not_allowed_an_account_that_is_suspended_and_a_small_tier_are_refused(
    api: Client, owner: User, heard: Asset, settings: Settings
) -> None:
    settings.MODERATION_WORDS = ["forbidden"]
    guards._refused_words.cache_clear()
    try:
        bodies: list[dict[str, Any]] = [
            {"texts": [{**LINE, "text": "forbidden"}]},
            {"captions": {"lines": [{**LINE, "text": "so forbidden"}]}},
            {"voice": [{"text": "Forbidden"}]},
            {"sound_effects": [{"text": "a forbidden bell", "seconds": 1}]},
            {"music": "forbidden"},
        ]
        codes = [post(api, f"videos/{heard.id}/edits/", body).json()["error"]["code"] for body in bodies]
        assert codes == ["moderated"] * 5
    finally:
        guards._refused_words.cache_clear()
    settings.FILM_SHORT_SIDE = 2160
    Asset.objects.filter(id=heard.id).update(width=3840, height=2160)
    large = post(api, f"videos/{heard.id}/edits/", {"grade": "warm"})
    assert (large.status_code, large.json()["error"]["code"]) == (403, "tier_required")
    User.objects.filter(id=owner.id).update(suspended_at=clock.now())
    refused = post(api, f"videos/{heard.id}/edits/", {"grade": "warm"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "account_suspended")


def test_a_quote_binds_once_for_its_wish_and_its_video_and_a_key_begins_one_edit(
    api: Client, owner: User, heard: Asset, silent: Asset
) -> None:
    rate_cards.publish("service/edit", RateCardDraft(base_credits=7), operator_id=None)
    wish = {"music": "calm"}
    quote = post(api, f"videos/{heard.id}/edits/estimates/", wish).json()
    assert [(part["part"], part["credits"]) for part in quote["parts"]] == [("music", 20), ("composition", 7)]
    named = {"quote_id": quote["quote_id"]}
    for video, body in ((silent, wish), (heard, {"music": "wild"}), (heard, {**wish, "speed": 2})):
        other = post(api, f"videos/{video.id}/edits/", {**body, **named})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "quote_mismatch")
    low = post(api, f"videos/{heard.id}/edits/", {**wish, "max_credits": 26})
    assert (low.status_code, low.json()["error"]["code"]) == (409, "price_changed")
    rate_cards.publish("service/edit", RateCardDraft(base_credits=99), operator_id=None)
    answers = [
        post(api, f"videos/{heard.id}/edits/", {**wish, **named}, **{"Idempotency-Key": "edit-1"})
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert VideoEdit.objects.count() == 1
    assert ledger.balance_of(owner.pk).held == 27
    used = post(api, f"videos/{heard.id}/edits/", {**wish, **named})
    assert (used.status_code, used.json()["error"]["code"]) == (409, "quote_used")


def test_cancelling_charges_the_sounds_that_were_made_and_gives_back_the_rest(
    api: Client, owner: User, workers: Workers, heard: Asset
) -> None:
    rate_cards.publish("service/edit", RateCardDraft(base_credits=7), operator_id=None)
    edit = begun(api, heard, music="calm", voice=[{"text": "Hello"}])
    job = get(api, f"edits/{edit}/").json()["job"]
    soon(workers, lambda: FilmSound.objects.get(kind="music").state == "completed")
    assert api.delete(f"/api/v1/assets/{heard.id}/").status_code == 409, "it is needed"

    assert api.post(f"/api/v1/jobs/{job}/cancel/").status_code == 200
    assert post(api, f"edits/{edit}/cancel/").status_code == 200, "again is no error"
    last = ended(api, workers, edit)

    made = sum(FilmSound.objects.filter(state="completed").values_list("credits", flat=True))
    assert last["status"] == "cancelled"
    assert last["credits"]["used"] == made == CREDITS - ledger.balance_of(owner.pk).balance > 0
    assert post(api, f"edits/{edit}/cancel/").status_code == 200
    assert api.delete(f"/api/v1/assets/{heard.id}/").status_code == 204
    all_agrees(owner)
    kinds = set(Event.objects.filter(subject_id=edit).values_list("kind", flat=True))
    assert {"edit.created", "edit.processing", "edit.sound_completed", "edit.cancelled"} <= kinds


def test_a_sound_that_cannot_be_made_and_a_composition_that_fails_cost_nothing(
    api: Client,
    owner: User,
    workers: Workers,
    heard: Asset,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.ELEVENLABS_API_KEY = ""
    edit = begun(api, heard, music="calm", sound_effects=[{"text": "waves", "seconds": 1}])
    FilmSound.objects.filter(kind="music").update(provider="elevenlabs")
    last = ended(api, workers, edit)
    assert (last["status"], last["error"]["code"]) == ("failed", "provider_unavailable")
    assert "music" in last["error"]["message"]
    assert last["credits"] == {**last["credits"], "used": 0, "held": 0, "released": 30}

    def fail(*_: object, **__: object) -> None:
        raise CompositionFailed("no film today")

    monkeypatch.setattr(composition, "compose", fail)
    monkeypatch.setattr(composing_stage, "PATIENCE", timedelta(0))
    last = ended(api, workers, begun(api, heard, voice=[{"text": "Hello"}]))
    assert (last["status"], last["error"]["code"]) == ("failed", "not_composed")
    assert VideoEdit.objects.get(id=last["id"]).failures == composing_stage.TRIES
    assert ledger.balance_of(owner.pk).balance == CREDITS
    assert not Asset.objects.filter(pinned_until__isnull=False).exists()
    all_agrees(owner)


def test_a_video_may_be_black_still_and_silent_and_its_result_is_gone_after_seven_days(
    api: Client, workers: Workers, video_of: MakeVideo, dark_video: Path
) -> None:
    dark = video_of(dark_video, audio_codec="aac")
    last = edited(api, workers, dark, trim={"start_seconds": 0, "end_seconds": 1})
    first = get(api, f"edits/{last['id']}/")
    again = api.get(f"/api/v1/edits/{last['id']}/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304, "unchanged"
    clock.advance(timedelta(days=7))
    assert get(api, f"edits/{last['id']}/download/").status_code == 410
    assert post(api, f"videos/{last['video']['id']}/edits/", {"grade": "warm"}).status_code == 410
