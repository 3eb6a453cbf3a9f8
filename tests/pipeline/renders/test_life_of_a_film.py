"""From a plan to a film that can be watched, paid for part by part."""

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import requests
from django.db import transaction
from django.test import Client

from accounts.models import User
from credits import ledger, verification
from credits.models import Hold
from generations import provenance
from generations.models import Asset, Generation
from pipeline.models import Render, RenderInput
from tests.pipeline.renders.conftest import (
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

FRAMES = 30


def downloaded(api: Client, path: str) -> bytes:
    answer = get(api, path)
    assert answer.status_code == 302, answer.content
    content: bytes = requests.get(answer["Location"], timeout=30).content
    return content


def test_a_plan_with_everything_becomes_a_film_that_costs_what_was_promised(
    api: Client, owner: User, workers: Workers, project_with: MakeProject, tmp_path: Path
) -> None:
    planned = film(
        segment(1, overlays=[{"text": "“Sale”: 50 % {off}", "end_seconds": 1.5, "animation": "fade"}]),
        segment(2, transition={"kind": "wipe", "seconds": 0.5}, effects=["vignette"]),
        segment(3, continuity="previous_frame", transition={"kind": "fade", "seconds": 0.4}),
        audio={
            "strategy": "voice_over",
            "script": [
                {"segment": "s1", "text": "A red boat leaves."},
                {"segment": "s3", "text": "Gulls follow."},
            ],
            "effects": [{"segment": "s2", "text": "waves against the hull"}],
            "music": "calm piano",
        },
        post={"grade": "warm", "captions": True},
    )
    project = project_with(planned)
    before = ledger.balance_of(owner.pk).balance
    quote = post(api, f"projects/{project}/renders/estimates/").json()
    assert quote["credits"] == sum(part["credits"] for part in quote["parts"])
    assert {part["part"] for part in quote["parts"]} == {
        "s1", "s2", "s3", "voice:s1", "voice:s3", "effect:s2", "music", "composition",
    }  # fmt: skip

    render = started(api, project, quote_id=quote["quote_id"])

    accepted = shown(api, render)
    assert (accepted["status"], accepted["credits"]["held"]) == ("pending", quote["credits"])
    assert ledger.balance_of(owner.pk).balance == before - quote["credits"]
    assert segment_of(accepted, "s3")["stage"] == "blocked"
    assert get(api, f"projects/{project}/").json()["state"] == "rendering"
    seen: list[dict[str, Any]] = []

    def completed() -> bool:
        seen.append(shown(api, render))
        return bool(seen[-1]["ended_at"])

    workers.until(completed, within=120)
    last = seen[-1]
    assert last["status"] == "completed", last
    progress = [one["progress"] for one in seen]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert any(any(one["video"] for one in look["segments"]) and look["ended_at"] is None for look in seen), (
        "finished segments can be watched while others are made"
    )

    assert last["credits"] == {
        **last["credits"],
        "quoted": quote["credits"],
        "used": quote["credits"],
        "held": 0,
        "released": 0,
    }
    assert ledger.balance_of(owner.pk).balance == before - quote["credits"]
    assert ledger.balance_of(owner.pk).held == 0
    assert not verification.verify(owner.pk).drifts
    assert set(Hold.objects.filter(owner=owner).values_list("state", flat=True)) == {"captured"}
    assert get(api, f"projects/{project}/").json()["state"] == "completed"
    kinds = {one["kind"] for one in last["sounds"]}
    assert kinds == {"voice", "effect", "music"}

    content = downloaded(api, f"renders/{render}/download/")
    target = tmp_path / "film.mp4"
    target.write_bytes(content)
    with av.open(str(target)) as video:
        pictures = sum(1 for _ in video.decode(video.streams.video[0]))
        assert pictures == round(planned.seconds * FRAMES)
        assert (video.streams.video[0].width, video.streams.video[0].height) == (180, 320)
        assert video.streams.audio[0].rate == 48000
    credentials = provenance.read(target)
    assert credentials is not None
    assert credentials.sound
    assert credentials.kind == "film"
    assert MODEL in credentials.models
    assert credentials.plan_version == 1
    captions = requests.get(last["film"]["captions_vtt_url"], timeout=30).text
    assert captions.startswith("WEBVTT")
    assert "A red boat" in captions
    poster = av.open(io.BytesIO(requests.get(last["film"]["poster_url"], timeout=30).content))
    assert (poster.streams.video[0].width, poster.streams.video[0].height) == (180, 320)


def test_a_segment_that_continues_begins_with_the_last_frame_of_the_one_before(
    api: Client, workers: Workers, project_with: MakeProject
) -> None:
    project = project_with(film(segment(1), segment(2, continuity="previous_frame")))
    render = started(api, project)
    last = reached(api, workers, render, "completed", "failed", "needs_attention")
    assert last["status"] == "completed", last
    clip = Generation.objects.get(id=segment_of(last, "s2")["generation"])
    assert clip.mode == "image"
    assert clip.start_image is not None
    assert clip.start_image.origin == "frame"
    first = Generation.objects.get(id=segment_of(last, "s1")["generation"])
    assert clip.created_at > first.ended_at  # type: ignore[operator]


def test_what_was_made_before_is_used_again_for_nothing(
    api: Client, owner: User, workers: Workers, project_with: MakeProject
) -> None:
    project = project_with(
        film(
            segment(1), segment(2, continuity="previous_frame"), audio={"strategy": "music", "music": "piano"}
        )
    )
    first = reached(api, workers, started(api, project), "completed", "failed")
    assert first["status"] == "completed", first
    balance = ledger.balance_of(owner.pk).balance

    quote = post(api, f"projects/{project}/renders/estimates/").json()
    again = reached(api, workers, started(api, project, quote_id=quote["quote_id"]), "completed", "failed")

    assert quote["credits"] == 0
    assert all(part["reused"] for part in quote["parts"] if part["part"] != "composition")
    assert again["status"] == "completed", again
    assert ledger.balance_of(owner.pk).balance == balance
    assert [one["generation"] for one in again["segments"]] == [
        one["generation"] for one in first["segments"]
    ]
    assert Asset.objects.filter(origin="part").count() <= 3, "nothing was conformed a second time"
    redo = post(api, f"projects/{project}/renders/estimates/", {"redo": ["s1"]}).json()
    assert [(part["part"], part["reused"]) for part in redo["parts"]][:2] == [("s1", False), ("s2", False)], (
        "what continues from a segment that is made anew is made anew, too"
    )


def test_a_project_has_one_render_at_a_time_and_its_inputs_stay(
    api: Client, owner: User, project_with: MakeProject
) -> None:
    project = project_with(two_segments())
    render = started(api, project)
    again = post(api, f"projects/{project}/renders/")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_running")
    held = Render.objects.get(id=render).credits_quoted
    assert ledger.balance_of(owner.pk).held == held, "the refused one holds nothing"
    assert api.delete(f"/api/v1/projects/{project}/").status_code == 409
    assert not RenderInput.objects.filter(render_id=render).exists()


def test_a_quote_binds_once_for_its_version(api: Client, owner: User, project_with: MakeProject) -> None:
    project = project_with(two_segments())
    quote = post(api, f"projects/{project}/renders/estimates/").json()
    other = post(api, f"projects/{project}/renders/", {"quote_id": quote["quote_id"], "redo": ["s1"]})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "quote_mismatch")
    low = post(api, f"projects/{project}/renders/", {"max_credits": quote["credits"] - 1})
    assert (low.status_code, low.json()["error"]["code"]) == (409, "price_changed")
    started(api, project, quote_id=quote["quote_id"])
    used = post(api, f"projects/{project}/renders/", {"quote_id": quote["quote_id"]})
    assert used.status_code == 409
    assert ledger.balance_of(owner.pk).held == quote["credits"]


def test_without_credits_nothing_begins(api: Client, owner: User, project_with: MakeProject) -> None:
    project = project_with(two_segments())
    with transaction.atomic():
        ledger.adjust(owner_id=owner.pk, amount=-9_900, key="poor", note="", operator_id=None)
    refused = post(api, f"projects/{project}/renders/")
    assert refused.status_code == 402
    assert not Render.objects.exists()
    assert ledger.balance_of(owner.pk).held == 0


def test_an_idempotency_key_renders_once(api: Client, owner: User, project_with: MakeProject) -> None:
    project = project_with(two_segments())
    answers = [post(api, f"projects/{project}/renders/", **{"Idempotency-Key": "render-1"}) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    first, second = answers
    assert first.content == second.content
    assert Render.objects.count() == 1


def test_unchanged_renders_are_304(api: Client, project_with: MakeProject) -> None:
    render = started(api, project_with(two_segments()))
    first = get(api, f"renders/{render}/")
    again = api.get(f"/api/v1/renders/{render}/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_starts_of_segments_are_where_the_plan_has_them(api: Client, project_with: MakeProject) -> None:
    planned = film(segment(1), segment(2, transition={"kind": "fade", "seconds": 0.5}), segment(3))
    body = shown(api, started(api, project_with(planned)))
    starts = [one["starts_at_seconds"] for one in body["segments"]]
    assert starts == list(planned.starts())
    assert all(a < b for a, b in pairwise(starts))
