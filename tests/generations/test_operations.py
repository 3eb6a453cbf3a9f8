"""What an operator does about a clip that is stuck, unknown or lost: it ends once, and its money moves once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import User
from credits.models import Entry
from generations import late_results, operations
from generations.errors import AlreadyEnded, NotFound, NotSubmitted, WorkerBusy
from generations.kinds import GENERATION
from generations.models import Asset, Attempt, AttemptState, Generation
from generations.stages.deliver import TRIES
from generations.stages.poll import PollAnswer, PollWork
from providers.contract import RenderState, RenderUpdate
from workers import clock
from workers.engine import claim, save
from workers.jobs import KINDS
from workers.models import Job

from .conftest import CREDITS, Worker, a_result, followed, get, post
from .test_idempotency import together
from .test_life_of_a_clip import Clip, balance, entries_of

Made = Callable[..., UUID]


@pytest.fixture
def submitted(api: Client, worker: Worker) -> Made:
    """Make a clip that its vendor has taken and that no worker is at; its id."""

    def make(**controls: Any) -> UUID:
        body = {"model": "sandbox/motion-1", "prompt": "A boat", "duration_seconds": 2, "resolution": "480p"}
        made = post(api, "generations/", {**body, "controls": controls or {"fault": "stuck"}}).json()
        mine = Attempt.objects.filter(generation_id=made["id"], external_id__isnull=False)
        worker.until(mine.exists)
        worker.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())
        return UUID(made["id"])

    return make


def unknown(generation_id: UUID) -> None:
    """As if the answer to the submission had been lost."""
    Attempt.objects.filter(generation_id=generation_id).update(
        state=AttemptState.UNKNOWN, external_id=None, reconcile_by=clock.now() + timedelta(minutes=15)
    )
    Job.objects.filter(subject_id=generation_id).update(stage="reconcile")


def release(generation_id: UUID) -> None:
    with transaction.atomic():
        operations.release(generation_id)


def give(generation_id: UUID, url: str) -> None:
    with transaction.atomic():
        operations.give_result(generation_id, url)


def test_a_stuck_clip_is_released_with_one_closing_entry(submitted: Made, api: Client) -> None:
    stuck = submitted()
    release(stuck)
    clip = get(api, f"generations/{stuck}/").json()
    assert (clip["status"], clip["error"]["code"]) == ("failed", "released_by_operator")
    assert clip["error"]["retryable"] is True
    assert entries_of(str(stuck)) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)
    job = Job.objects.get(kind=GENERATION)
    assert (job.state, job.holds, job.waits) == ("failed", False, False)
    with pytest.raises(AlreadyEnded):
        release(stuck)
    assert entries_of(str(stuck)) == ["hold", "release"]


def test_a_clip_that_waits_for_its_submission_is_released_too(api: Client) -> None:
    made = post(api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat"}).json()
    release(UUID(made["id"]))
    assert get(api, f"generations/{made['id']}/").json()["status"] == "failed"
    assert balance(api) == (CREDITS, 0)
    assert not Job.objects.filter(ended_at=None).exists()


def test_a_clip_whose_job_was_lost_is_released_too(submitted: Made, api: Client) -> None:
    stuck = submitted()
    Job.objects.all().delete()
    release(stuck)
    assert Generation.objects.get().status == "failed"
    assert entries_of(str(stuck)) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)


def test_a_clip_released_while_unknown_is_delivered_for_nothing_if_its_vendor_made_it(
    submitted: Made, api: Client, worker: Worker
) -> None:
    clip = submitted(seconds=1)
    unknown(clip)
    release(clip)
    assert get(api, f"generations/{clip}/").json()["status"] == "failed"

    def delivered() -> bool:
        late_results.look_again()
        return Generation.objects.get().status == "completed"

    worker.until(delivered)
    assert Generation.objects.get().late
    assert entries_of(str(clip)) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)


def test_operators_who_release_at_once_close_the_hold_once(submitted: Made, api: Client) -> None:
    stuck = submitted()

    def act(_: int) -> str:
        try:
            release(stuck)
        except AlreadyEnded:
            return "refused"
        return "released"

    assert sorted(together(8, act)) == ["refused"] * 7 + ["released"]
    assert entries_of(str(stuck)) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)


def test_nothing_is_done_while_a_worker_is_at_it(submitted: Made, api: Client) -> None:
    stuck = submitted()
    Job.objects.update(lease_until=clock.now() + timedelta(seconds=20))
    with pytest.raises(WorkerBusy):
        release(stuck)
    with pytest.raises(WorkerBusy):
        give(stuck, "https://example.com/video.mp4")
    assert Generation.objects.get().ended_at is None
    assert Attempt.objects.get().given_url is None
    assert entries_of(str(stuck)) == ["hold"]


@pytest.mark.parametrize("given", [False, True])
def test_a_worker_that_comes_back_finds_that_its_claim_no_longer_counts(
    submitted: Made, api: Client, given: bool
) -> None:
    stuck = submitted()
    Job.objects.update(due_at=clock.now())
    with transaction.atomic():
        [lease] = claim("io", 1)
    stage = KINDS[GENERATION].stage("poll")
    with transaction.atomic():
        work = stage.begin([lease])[lease.job_id]
    assert isinstance(work, PollWork)
    try:
        clock.advance(timedelta(seconds=30))
        if given:
            give(stuck, "https://example.com/video.mp4")
        else:
            release(stuck)
        failed = RenderUpdate(
            external_id=Attempt.objects.get().external_id or "",
            state=RenderState.CANCELLED,
            vendor_state="cancelled",
        )
        save(stage, [(lease, PollAnswer(work=work, update=failed))])
    finally:
        clock.reset()
    clip, job = Generation.objects.get(), Job.objects.get(kind=GENERATION)
    if given:
        assert (clip.status, job.stage, job.ended_at) == ("processing", "deliver", None)
        assert entries_of(str(stuck)) == ["hold"]
    else:
        assert (clip.status, clip.error_code) == ("failed", "released_by_operator")
        assert entries_of(str(stuck)) == ["hold", "release"]


def test_a_given_result_is_delivered_and_charged_as_any_other(
    clip: Clip, submitted: Made, api: Client, worker: Worker
) -> None:
    url = a_result(clip()["id"])
    before = balance(api)[0]
    stuck = submitted()
    give(stuck, url)
    give(stuck, url)
    ended = followed(api, worker, str(stuck))
    assert (ended["status"], ended["late"]) == ("completed", False)
    assert ended["video"]["video_codec"] == "h264"
    assert ended["credits"]["used"] == ended["credits"]["quoted"] == before - balance(api)[0]
    assert entries_of(str(stuck)) == ["hold", "capture"]
    assert url.encode() not in bytes(Attempt.objects.get(generation_id=stuck).given_url or b"")
    with pytest.raises(AlreadyEnded):
        give(stuck, url)


def test_a_result_given_for_an_unknown_clip_is_delivered(
    clip: Clip, submitted: Made, api: Client, worker: Worker
) -> None:
    url = a_result(clip()["id"])
    lost = submitted()
    unknown(lost)
    give(lost, url)
    assert followed(api, worker, str(lost))["status"] == "completed"
    assert entries_of(str(lost)) == ["hold", "capture"]


def test_a_result_given_for_a_failed_clip_is_delivered_once_for_nothing(
    clip: Clip, submitted: Made, api: Client, worker: Worker
) -> None:
    url = a_result(clip()["id"])
    before = balance(api)
    stuck = submitted()
    release(stuck)
    give(stuck, url)
    give(stuck, url)
    worker.until(lambda: Generation.objects.get(id=stuck).status == "completed")
    worker.until(lambda: not Job.objects.filter(ended_at=None).exists())
    assert Generation.objects.get(id=stuck).late
    assert entries_of(str(stuck)) == ["hold", "release"]
    assert balance(api) == before
    assert Asset.objects.filter(made_by=stuck).count() == 1
    with pytest.raises(AlreadyEnded):
        give(stuck, url)


def test_a_late_result_is_not_given_while_a_worker_looks_for_one(submitted: Made) -> None:
    stuck = submitted()
    release(stuck)
    late_results.look_again()
    Job.objects.filter(kind="late_result").update(lease_until=clock.now() + timedelta(seconds=20))
    with pytest.raises(WorkerBusy):
        give(stuck, "https://example.com/video.mp4")
    assert Attempt.objects.get().given_url is None


def test_no_result_is_given_for_a_clip_that_was_tried_again(submitted: Made, api: Client) -> None:
    stuck = submitted()
    release(stuck)
    assert post(api, f"generations/{stuck}/retry/").status_code == 201
    with pytest.raises(AlreadyEnded):
        give(stuck, "https://example.com/video.mp4")
    assert Attempt.objects.get(generation_id=stuck).given_url is None


def test_no_result_is_given_for_a_clip_that_its_owner_cancelled(api: Client) -> None:
    made = post(api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat"}).json()
    with pytest.raises(NotSubmitted):
        give(UUID(made["id"]), "https://example.com/video.mp4")
    post(api, f"generations/{made['id']}/cancel/")
    for act in (release, lambda one: give(one, "https://example.com/video.mp4")):
        with pytest.raises((AlreadyEnded, NotSubmitted)):
            act(UUID(made["id"]))
    assert Generation.objects.get().status == "cancelled"
    assert entries_of(made["id"]) == ["hold", "release"]


def test_an_address_within_our_network_is_never_fetched(
    submitted: Made, api: Client, worker: Worker, owner: User
) -> None:
    stuck = submitted()
    give(stuck, "http://127.0.0.1:1/video.mp4")
    worker.until(lambda: Attempt.objects.get().failed_calls > 0)
    Attempt.objects.update(failed_calls=TRIES - 1)
    Job.objects.update(due_at=clock.now())
    worker.until(lambda: Attempt.objects.get().given_url is None)
    clip = get(api, f"generations/{stuck}/").json()
    assert (clip["status"], clip["stage"]) == ("processing", "generating"), "the vendor is asked again"
    assert entries_of(str(stuck)) == ["hold"]
    assert not Asset.objects.filter(origin="generation").exists()
    assert not Entry.objects.filter(owner=owner, kind="capture").exists()


def test_there_is_nothing_to_do_about_a_clip_that_is_not(transactional_db: None) -> None:
    for act in (release, lambda one: give(one, "https://example.com/video.mp4")):
        with pytest.raises(NotFound):
            act(uuid4())


def test_more_lost_clips_than_one_look_takes_are_all_looked_for(
    submitted: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor's bad hour leaves more of them than a batch; those that stay unknown must not hide the others."""
    monkeypatch.setattr(late_results, "BATCH", 2)
    lost = []
    for _ in range(5):
        lost.append(submitted())
        unknown(lost[-1])
        release(lost[-1])
    looked: list[UUID] = []
    for _ in range(3):
        late_results.look_again()
        open_jobs = Job.objects.filter(kind="late_result", ended_at=None)
        looked += open_jobs.values_list("subject_id", flat=True)
        open_jobs.update(state="completed", ended_at=clock.now())
    assert set(looked) == set(lost)
