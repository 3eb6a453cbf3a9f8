"""Segments and sounds that fail, are made anew, come late; renders that are paused, stopped, left alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Event, User
from credits import ledger, verification
from credits.models import Hold
from generations.models import Attempt, Generation
from pipeline.media import composition
from pipeline.media.composition.errors import CompositionFailed
from pipeline.models import FilmSound, Render, RenderSegment
from pipeline.renders.material import material_of
from pipeline.stages import composing
from tests.generations.conftest import api_of
from tests.pipeline.renders.conftest import (
    FAST,
    MODEL,
    MakeProject,
    Workers,
    film,
    get,
    post,
    reached,
    segment,
    segment_of,
    shown,
    started,
    two_segments,
)
from tests.vendors import ElevenLabs
from workers import clock

Ask = Callable[..., None]
ENDS = ("completed", "failed", "cancelled", "needs_attention")


def all_agrees(owner: User) -> None:
    """Nothing is held, and the ledger is what its entries say."""
    assert ledger.balance_of(owner.pk).held == 0
    assert not Hold.objects.filter(owner=owner, state="open").exists()
    assert not verification.verify(owner.pk).drifts


def test_a_model_that_fails_hands_over_to_the_next_and_the_smaller_price_counts(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    project = project_with(
        film(
            segment(1),
            segment(2, alternatives=(FAST,), prompt="A gull that fails"),
            resolution="720p",
        )
    )
    ask_with("that fails", fault="failed")
    quote = post(api, f"projects/{project}/renders/estimates/").json()
    offered = next(part for part in quote["parts"] if part["part"] == "s2")
    before = ledger.balance_of(owner.pk).balance

    last = reached(api, workers, started(api, project, quote_id=quote["quote_id"]), *ENDS)

    assert last["status"] == "completed", last
    second = segment_of(last, "s2")
    assert (second["model"], second["made_by"]) == (MODEL, FAST)
    assert second["credits"]["used"] == offered["alternatives"][0]["credits"] < offered["credits"]
    assert before - ledger.balance_of(owner.pk).balance == last["credits"]["used"] < quote["credits"]
    attempts = Attempt.objects.filter(generation_id=second["generation"]).order_by("number")
    assert [one.model for one in attempts] == [MODEL, MODEL, FAST]
    all_agrees(owner)


def test_what_fails_for_good_waits_for_its_owner_with_everything_else_kept(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    project = project_with(film(segment(1), segment(2, prompt="A gull that fails")))
    ask_with("that fails", fault="failed")
    before = ledger.balance_of(owner.pk).balance
    render = started(api, project)

    stopped = reached(api, workers, render, *ENDS)

    assert stopped["status"] == "needs_attention"
    assert stopped["stage"] == "needs_attention"
    first, second = stopped["segments"]
    assert (first["status"], second["status"]) == ("completed", "failed")
    assert second["error"]["code"]
    assert first["video"] is not None
    assert stopped["credits"]["used"] == first["credits"]["used"] > 0
    assert stopped["credits"]["held"] == 0, (
        "sound and composition are free here, and the failed one's hold is back"
    )

    ask_with("that fails")
    quote = post(api, f"renders/{render}/regenerate/estimates/").json()
    assert [part["part"] for part in quote["parts"]] == ["s2"]
    answer = post(api, f"renders/{render}/regenerate/", {"quote_id": quote["quote_id"]})
    assert answer.status_code == 201, answer.content
    last = reached(api, workers, render, "completed", "failed")
    assert last["status"] == "completed", last
    assert segment_of(last, "s1")["generation"] == first["generation"]
    assert before - ledger.balance_of(owner.pk).balance == last["credits"]["used"]
    all_agrees(owner)


def test_a_segment_can_be_made_anew_while_others_run_and_its_successor_is_stale(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    project = project_with(
        film(segment(1), segment(2, continuity="previous_frame"), segment(3, prompt="A slow gull"))
    )
    ask_with("slow gull", seconds=12)
    render = started(api, project)
    workers.until(lambda: segment_of(shown(api, render), "s2")["status"] == "completed", within=60)
    taken = segment_of(shown(api, render), "s1")

    running = post(api, f"renders/{render}/regenerate/", {"segments": ["s3"]})
    assert (running.status_code, running.json()["error"]["code"]) == (409, "not_rendering")
    answer = post(api, f"renders/{render}/regenerate/", {"segments": ["s1"]})

    assert answer.status_code == 201, answer.content
    assert segment_of(answer.json(), "s2")["stale"]
    last = reached(api, workers, render, *ENDS)
    assert last["status"] == "completed", last
    assert segment_of(last, "s1")["generation"] != taken["generation"]
    assert segment_of(last, "s2")["stale"]
    paid = sum(Generation.objects.filter(owner=owner).values_list("credits_used", flat=True))
    assert last["credits"]["used"] == paid, "both takes of the first segment count"
    all_agrees(owner)


def test_a_paused_render_begins_nothing_lands_what_runs_and_goes_on(
    api: Client, owner: User, workers: Workers, project_with: MakeProject
) -> None:
    project = project_with(film(segment(1), segment(2, continuity="previous_frame")))
    render = started(api, project)
    workers.until(lambda: segment_of(shown(api, render), "s1")["status"] != "pending")

    paused = post(api, f"renders/{render}/pause/").json()
    assert (paused["status"], paused["waits_until"] is not None) == ("paused", True)
    assert post(api, f"renders/{render}/pause/").status_code == 200, "again is no error"
    workers.until(lambda: segment_of(shown(api, render), "s1")["stage"] == "ready")
    for _ in range(20):
        workers.ring()
    assert not Generation.objects.filter(id=RenderSegment.objects.get(name="s2").generation_id).exists()

    assert post(api, f"renders/{render}/resume/").json()["status"] == "processing"
    assert reached(api, workers, render, *ENDS)["status"] == "completed"
    all_agrees(owner)


def test_a_pause_ends_after_seven_days_with_a_warning_a_day_before(
    api: Client, owner: User, workers: Workers, project_with: MakeProject
) -> None:
    project = project_with(two_segments())
    before = ledger.balance_of(owner.pk).balance
    render = started(api, project)
    post(api, f"renders/{render}/pause/")
    workers.until(lambda: get(api, f"renders/{render}/").json()["stage"] == "paused")

    clock.advance(timedelta(days=6, hours=1))
    workers.until(lambda: Event.objects.filter(kind="render.paused_ends_soon").exists())
    assert Render.objects.get(id=render).status == "paused"
    clock.advance(timedelta(days=1))
    last = reached(api, workers, render, *ENDS)

    assert last["status"] == "cancelled"
    assert Event.objects.filter(kind="render.paused_ends_soon").count() == 1
    assert ledger.balance_of(owner.pk).balance == before
    all_agrees(owner)


def test_cancelling_says_before_what_comes_back_and_settles_each_part(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    project = project_with(
        film(
            segment(1),
            segment(2, continuity="previous_frame", prompt="A slow gull"),
            segment(3, continuity="previous_frame"),
            audio={"strategy": "music", "music": "piano"},
        )
    )
    ask_with("slow gull", seconds=60)
    before = ledger.balance_of(owner.pk).balance
    render = started(api, project)
    workers.until(
        lambda: (
            segment_of(shown(api, render), "s2")["status"] == "processing"
            and FilmSound.objects.get().state == "completed"
        )
    )
    told = get(api, f"renders/{render}/cancel/").json()
    parts = {one["part"]: one for one in told["parts"]}
    assert parts["s1"]["charged"] > 0
    assert parts["s2"]["undecided"] > 0
    assert parts["s3"]["returned"] > 0
    assert parts["sound and composition"]["charged"] == FilmSound.objects.get().credits

    assert post(api, f"renders/{render}/cancel/").status_code == 200
    last = reached(api, workers, render, *ENDS)

    assert last["status"] == "cancelled"
    assert [one["status"] for one in last["segments"]] == ["completed", "failed", "cancelled"]
    assert last["credits"]["used"] == told["charged"]
    assert before - ledger.balance_of(owner.pk).balance == told["charged"]
    assert post(api, f"renders/{render}/cancel/").status_code == 200, "again is no error"
    assert post(api, f"renders/{render}/pause/").status_code == 409
    all_agrees(owner)


def test_a_render_that_nobody_attends_to_ends_and_gives_back_what_is_held(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    project = project_with(
        film(segment(1, prompt="A gull that fails"), segment(2, continuity="previous_frame"))
    )
    ask_with("that fails", fault="failed")
    before = ledger.balance_of(owner.pk).balance
    render = started(api, project)
    assert reached(api, workers, render, *ENDS)["status"] == "needs_attention"
    clock.advance(timedelta(days=7, minutes=6))
    last = reached(api, workers, render, "failed", "completed", "cancelled")
    assert (last["status"], last["error"]["code"]) == ("failed", "unattended")
    assert ledger.balance_of(owner.pk).balance == before
    all_agrees(owner)


def test_a_film_that_cannot_be_composed_is_not_charged_and_its_clips_stay(
    api: Client,
    owner: User,
    workers: Workers,
    project_with: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise CompositionFailed("no film today")

    monkeypatch.setattr(composition, "compose", fail)
    monkeypatch.setattr(composing, "PATIENCE", timedelta(0))
    project = project_with(two_segments(audio={"strategy": "music", "music": "piano"}))
    render = started(api, project)
    last = reached(api, workers, render, "failed", "completed")
    assert (last["status"], last["error"]["code"]) == ("failed", "not_composed")
    clips = sum(one["credits"]["used"] for one in last["segments"])
    assert last["credits"]["used"] == clips > 0
    assert all(one["video"] for one in last["segments"])
    all_agrees(owner)


def test_a_sound_that_is_refused_waits_for_its_owner_and_can_be_made_anew(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, settings: Settings
) -> None:
    project = project_with(two_segments(audio={"strategy": "music", "music": "piano"}))
    works = settings.SANDBOX_API_KEY
    render = started(api, project)
    # The clips' account works, the sounds' does not.
    FilmSound.objects.update(provider="elevenlabs")
    settings.ELEVENLABS_API_KEY = ""
    last = reached(api, workers, render, *ENDS)
    assert last["status"] == "needs_attention"
    assert last["sounds"][0]["error"]["code"] == "provider_unavailable"
    assert all(one["status"] == "completed" for one in last["segments"])
    settings.SANDBOX_API_KEY = works
    FilmSound.objects.update(provider="sandbox")
    assert post(api, f"renders/{render}/regenerate/").status_code == 201
    assert reached(api, workers, render, "completed", "failed")["status"] == "completed"
    all_agrees(owner)


def test_a_clip_that_its_owner_cancels_alone_fails_its_segment(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    project = project_with(film(segment(1), segment(2, prompt="A slow gull")))
    ask_with("slow gull", seconds=60)
    render = started(api, project)
    workers.until(lambda: segment_of(shown(api, render), "s2")["stage"] == "generating")
    clip = segment_of(shown(api, render), "s2")["generation"]
    assert post(api, f"generations/{clip}/cancel/").status_code == 200
    last = reached(api, workers, render, *ENDS)
    assert last["status"] == "needs_attention"
    assert segment_of(last, "s2")["error"]["code"] == "cancelled"


def test_strangers_have_no_part_in_it(api: Client, stranger: User, project_with: MakeProject) -> None:
    project = project_with(two_segments())
    render = started(api, project)
    other = api_of(stranger)
    for path in (f"renders/{render}/", f"renders/{render}/cancel/", f"renders/{render}/download/"):
        assert get(other, path).status_code == 404
    for path in ("pause", "resume", "cancel", "regenerate", "regenerate/estimates"):
        assert post(other, f"renders/{render}/{path}/").status_code == 404
    assert get(other, f"projects/{project}/renders/").status_code == 404
    assert post(other, f"projects/{project}/renders/").status_code == 404
    assert Render.objects.get(id=render).status == "pending"


def test_a_voice_that_the_vendor_does_not_know_is_replaced_by_its_default_and_told(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, settings: Settings
) -> None:
    with ElevenLabs() as vendor:
        settings.ELEVENLABS_API_KEY = vendor.key
        settings.ELEVENLABS_URL = vendor.url
        settings.EMBEDDED_ORIGINS = [*settings.EMBEDDED_ORIGINS, vendor.url]
        settings.SOUND_MODELS = ["elevenlabs/eleven_multilingual_v2", "sandbox/music"]
        project = project_with(
            two_segments(
                audio={
                    "strategy": "voice_over",
                    "voice": "a warm voice like honey",
                    "music": "piano",
                    "script": [{"segment": "s1", "text": "A red boat."}],
                }
            )
        )
        last = reached(api, workers, started(api, project), *ENDS)
    assert last["status"] == "completed", last
    assert [one["code"] for one in last["findings"]] == ["voice_unknown"]
    assert "honey" in last["findings"][0]["message"]
    sound = FilmSound.objects.get(kind="voice")
    assert (sound.provider, sound.state, sound.calls) == ("elevenlabs", "completed", 2)
    assert sound.cost_amount is not None
    all_agrees(owner)


def test_a_voice_that_is_longer_than_its_segment_is_told_and_not_cut(
    api: Client, workers: Workers, project_with: MakeProject
) -> None:
    project = project_with(
        two_segments(audio={"strategy": "voice_over", "script": [{"segment": "s1", "text": "A red boat."}]})
    )
    render = started(api, project)
    workers.until(lambda: FilmSound.objects.get().state == "completed")
    # As a vendor that speaks slowly would have it.
    FilmSound.objects.update(made_seconds=3.4)
    told = shown(api, render)["findings"]
    assert [(one["code"], one["segment"]) for one in told] == [("voice_too_long", "s1")]
    assert "3.4 s" in told[0]["message"]
    spoken = material_of(Render.objects.get(id=render)).timeline.sounds[0]
    assert spoken.seconds is None
    assert reached(api, workers, render, *ENDS)["status"] == "completed"
