"""What happens to a render between two of its own steps: owners who act, files that go, workers that are late."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from accounts.models import Event, User
from generations import expiry, storage, uploads
from generations.errors import TooManyJobs
from generations.models import Asset, Attempt, Generation, ModelSwitch, Project
from generations.storage import StorageUnavailable
from pipeline.kinds import RENDER
from pipeline.media import composition
from pipeline.media.composition.errors import CompositionFailed
from pipeline.models import FilmSound, Render, RenderSegment
from pipeline.renders import making
from pipeline.stages import segment as preparing
from pipeline.stages import sound as sounding
from pipeline.stages.produce import Produce
from tests.pipeline.renders.conftest import (
    FAST,
    MODEL,
    MakeProject,
    Workers,
    film,
    get,
    post,
    reached,
    save_version,
    segment,
    segment_of,
    shown,
    started,
    two_segments,
)
from workers import clock, engine
from workers.engine import Engine
from workers.models import Job

Ask = Callable[..., None]
ENDS = ("completed", "failed", "cancelled", "needs_attention")


def rung_for(workers: Workers, seconds: float) -> None:
    """Ring for a while: what does not happen then does not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        workers.ring()
        time.sleep(0.05)


def look(render: str) -> None:
    """One look at the render, by hand."""
    with transaction.atomic():
        leases = [lease for lease in engine.claim("io", 10) if lease.kind == RENDER]
        assert [str(lease.subject_id) for lease in leases] == [render]
        engine.apply([(lease, Produce().begin([lease])[lease.job_id]) for lease in leases])


def picture(owner: User, light: int) -> Asset:
    out = io.BytesIO()
    Image.linear_gradient("L").point(lambda value: (value + light) % 256).convert("RGB").save(out, "PNG")
    content = out.getvalue()
    announced = uploads.announce(owner, name="face.png", media_type="image/png", size=len(content))
    return uploads.take(announced, [content])


def with_another_media_worker(workers: Workers) -> None:
    other = Engine("media", 1)
    other.start()
    workers.engines.append(other)


def test_a_clip_that_cannot_be_put_into_the_film_is_made_anew_for_nothing(
    api: Client, workers: Workers, project_with: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fail(*_: object, **__: object) -> None:
        calls.append(1)
        raise CompositionFailed("no")

    with monkeypatch.context() as patched:
        patched.setattr(composition, "conform", fail)
        render = started(api, project_with(film(segment(1))))
        stopped = reached(api, workers, render, *ENDS)
        assert stopped["status"] == "needs_attention"
        rung_for(workers, 2)
    assert len(calls) == 1
    assert Event.objects.filter(subject_id=render, kind="render.segment_failed").count() == 1
    quote = post(api, f"renders/{render}/regenerate/estimates/").json()
    assert quote["credits"] == 0
    kept = post(api, f"renders/{render}/regenerate/estimates/", {"segments": ["s1"]}).json()
    assert kept["credits"] == 0
    assert post(api, f"renders/{render}/regenerate/", {"quote_id": quote["quote_id"]}).status_code == 201
    # A second promise of the same gift is none, once the segment is there.
    workers.until(lambda: RenderSegment.objects.get().state == "completed")
    again = {"segments": ["s1"], "quote_id": kept["quote_id"]}
    refused = post(api, f"renders/{render}/regenerate/", again)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "quote_mismatch")
    last = reached(api, workers, render, "completed", "failed")
    assert last["status"] == "completed", last
    assert last["credits"]["used"] == stopped["credits"]["used"]


def test_a_successor_that_waits_for_room_waits_for_the_new_frame_where_its_predecessor_is_redone(
    api: Client, workers: Workers, project_with: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, room = making.make_clip, {"for s2": False}

    def make_clip(owner: User, render: Render, row: RenderSegment, request: Any) -> Any:
        if row.name == "s2" and not room["for s2"]:
            raise TooManyJobs(queued=1, limit=1)
        return plain(owner, render, row, request)

    monkeypatch.setattr(making, "make_clip", make_clip)
    render = started(api, project_with(film(segment(1), segment(2, continuity="previous_frame"))))
    workers.until(lambda: RenderSegment.objects.get(name="s2").state == "pending")
    assert post(api, f"renders/{render}/regenerate/", {"segments": ["s1"]}).status_code == 201
    room["for s2"] = True
    last = reached(api, workers, render, *ENDS)
    assert last["status"] == "completed", last
    second = Generation.objects.get(id=segment_of(last, "s2")["generation"])
    first = RenderSegment.objects.get(name="s1")
    assert second.start_image_id == first.frame_id
    assert not segment_of(last, "s2")["stale"]


def test_a_film_is_made_from_the_character_that_it_was_accepted_with_and_no_other_is_used_again(
    api: Client, owner: User, workers: Workers, project_with: MakeProject
) -> None:
    project = project_with(film(segment(1)))
    one, two = picture(owner, 0), picture(owner, 120)
    Project.objects.filter(id=project).update(character=one)
    save_version(project, film(segment(1, character=True)))
    render = started(api, project)
    path = f"/api/v1/projects/{project}/"
    assert api.patch(path, {"character": str(two.id)}, content_type="application/json").status_code == 200
    assert reached(api, workers, render, *ENDS)["status"] == "completed"
    assert Generation.objects.get().start_image_id == one.id
    quote = post(api, f"projects/{project}/renders/estimates/").json()
    assert not quote["parts"][0]["reused"]


def test_a_store_that_is_away_costs_no_call_after_another(
    api: Client, workers: Workers, project_with: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StorageUnavailable()

    monkeypatch.setattr(sounding, "PATIENCE", timedelta(milliseconds=50))
    monkeypatch.setattr(storage, "put", away)
    started(api, project_with(two_segments(audio={"strategy": "music", "music": "piano"})))
    workers.until(lambda: FilmSound.objects.get().state == "failed")
    sound = FilmSound.objects.get()
    assert (sound.calls, sound.error_code) == (2, "storage_unavailable")


def test_a_frame_of_a_clip_that_was_redone_meanwhile_is_not_taken_for_the_new_one(
    api: Client, workers: Workers, project_with: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, entered = threading.Event(), threading.Event()
    plain, made = preparing._frame, []

    def slow(work: Any, folder: Any) -> Any:
        made.append(work.generation_id)
        answer = plain(work, folder)
        if len(made) == 1:
            entered.set()
            go_on.wait(60)
        return answer

    monkeypatch.setattr(preparing, "_frame", slow)
    with_another_media_worker(workers)
    render = started(api, project_with(film(segment(1), segment(2, continuity="previous_frame"))))
    workers.until(entered.is_set)
    assert post(api, f"renders/{render}/regenerate/", {"segments": ["s1"]}).status_code == 201
    workers.until(lambda: RenderSegment.objects.get(name="s1").state == "completed")
    go_on.set()
    workers.until(lambda: RenderSegment.objects.get(name="s1").frame_id is not None)
    assert made == [made[0], RenderSegment.objects.get(name="s1").generation_id]


def test_a_segment_whose_preparation_was_let_go_of_is_prepared_all_the_same(
    api: Client, workers: Workers, project_with: MakeProject
) -> None:
    render = started(api, project_with(film(segment(1))))
    workers.until(lambda: RenderSegment.objects.get().state == "completed")
    # As the last look of a job that ended in the moment in which it was rung for.
    Job.objects.filter(kind="segment").update(
        ended_at=clock.now(), state="cancelled", lease_until=None, fence=1_000
    )
    assert reached(api, workers, render, *ENDS)["status"] == "completed"


def test_a_pause_submits_nothing_that_was_not_submitted(
    api: Client, workers: Workers, project_with: MakeProject
) -> None:
    planned = two_segments(audio={"strategy": "music", "music": "piano"})
    render = started(api, project_with(planned))
    look(render)
    assert post(api, f"renders/{render}/pause/").json()["status"] == "paused"
    rung_for(workers, 3)
    assert Attempt.objects.count() == 0
    assert FilmSound.objects.get().calls == 0
    assert post(api, f"renders/{render}/resume/").status_code == 200
    assert reached(api, workers, render, *ENDS)["status"] == "completed"


def test_a_look_locks_the_counter_of_events_last(
    api: Client, project_with: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = started(api, project_with(two_segments()))
    plain = making.request_for

    def request_for(one: Any, *rest: Any) -> Any:
        request = plain(one, *rest)
        # The second's input is gone: its hold is given back.
        return replace(request, start_image=uuid4()) if one.id == "s2" else request

    monkeypatch.setattr(making, "request_for", request_for)
    with CaptureQueriesContext(connection) as queries:
        look(render)
    locked = [
        "counter" if "accounts_eventcounter" in query["sql"] else "account"
        for query in queries.captured_queries
        if "accounts_eventcounter" in query["sql"]
        or ("credits_account" in query["sql"] and "UPDATE" in query["sql"])
    ]
    assert locked == ["account", "counter"]


def test_pauses_one_after_the_other_keep_what_the_film_is_made_from(
    api: Client, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    ask_with("scene 2", seconds=600)
    render = started(api, project_with(two_segments()))
    workers.until(lambda: RenderSegment.objects.get(name="s1").conformed_at is not None)
    for _ in range(3):
        assert post(api, f"renders/{render}/pause/").status_code == 200
        clock.advance(timedelta(days=5))
        assert post(api, f"renders/{render}/resume/").status_code == 200
    expiry.expire_due()
    clip = Generation.objects.get(id=RenderSegment.objects.get(name="s1").generation_id)
    assert clip.output is not None
    assert clip.output.bytes_deleted_at is None


def test_a_model_that_is_switched_off_meanwhile_is_not_asked_and_others_can_be_redone(
    api: Client, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    ask_with("that fails", fault="failed")
    planned = film(segment(1, model=FAST), segment(2, prompt="A gull that fails"), resolution="720p")
    render = started(api, project_with(planned))
    assert reached(api, workers, render, *ENDS)["status"] == "needs_attention"
    ModelSwitch.objects.create(model=FAST, enabled=False)
    assert post(api, f"renders/{render}/regenerate/").status_code == 201, "the first segment is there"
    ModelSwitch.objects.create(model=MODEL, enabled=False)
    stopped = reached(api, workers, render, *ENDS)
    assert stopped["status"] == "needs_attention"
    assert segment_of(stopped, "s2")["error"]["code"] == "model_unavailable"
    assert stopped["credits"]["held"] == 0


def test_a_clip_that_a_film_needs_cannot_be_deleted(
    api: Client, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    ask_with("scene 2", seconds=600)
    render = started(api, project_with(two_segments()))
    workers.until(lambda: RenderSegment.objects.get(name="s1").state == "completed")
    clip = RenderSegment.objects.get(name="s1").generation_id
    refused = api.delete(f"/api/v1/generations/{clip}/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "asset_in_use")
    Asset.objects.filter(made_by__id=clip).update(state="deleted")
    RenderSegment.objects.filter(name="s1").update(state="processing")
    workers.until(lambda: segment_of(shown(api, render), "s1")["status"] == "failed")
    assert segment_of(shown(api, render), "s1")["error"]["code"] == "clip_deleted"
    assert segment_of(shown(api, render), "s2")["status"] == "processing"


def test_what_is_asked_again_while_nothing_happens_is_304(
    api: Client, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    ask_with("red boat", seconds=600)
    render = started(api, project_with(film(segment(1))))
    workers.until(lambda: segment_of(shown(api, render), "s1")["stage"] == "generating")
    hits = 0
    for _ in range(4):
        etag = get(api, f"renders/{render}/")["ETag"]
        rung_for(workers, 1)
        hits += api.get(f"/api/v1/renders/{render}/", headers={"If-None-Match": etag}).status_code == 304
    # The clip's own progress moves now and then.
    assert hits >= 2


def test_what_cancelling_costs_counts_replaced_clips_and_nothing_is_changed_on_the_way(
    api: Client, workers: Workers, project_with: MakeProject, ask_with: Ask
) -> None:
    ask_with("scene 2", seconds=600)
    render = started(api, project_with(two_segments()))
    workers.until(lambda: RenderSegment.objects.get(name="s1").state == "completed")
    assert post(api, f"renders/{render}/regenerate/", {"segments": ["s1"]}).status_code == 201
    told = get(api, f"renders/{render}/cancel/").json()
    assert post(api, f"renders/{render}/cancel/").status_code == 200
    for path in ("regenerate", "pause", "resume"):
        assert post(api, f"renders/{render}/{path}/", {}).status_code == 409
    last = reached(api, workers, render, "cancelled", "completed", "failed")
    assert told["charged"] > 0
    assert told["charged"] <= last["credits"]["used"] <= told["charged"] + told["undecided"]
    assert get(api, f"renders/{render}/cancel/").status_code == 409
