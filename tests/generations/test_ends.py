"""Every clip ends, whatever its vendor does not do: cancels that nobody takes, ids that are lost for a moment."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from credits.models import Entry
from generations import attempts, vendor_accounts
from generations.models import Attempt, AttemptState, Generation
from generations.stages.poll import LOST_AFTER, Poll, PollAnswer, PollWork
from generations.stages.submit import Submit, SubmitWork
from providers.contract import CancelOutcome, RenderState
from providers.errors import JobNotFound, NotSent, ProviderError, ReadFailed, UnsupportedFeature
from workers import clock
from workers.jobs import Lease, Outcome
from workers.models import Job

from .conftest import Worker, followed, get, post
from .fake_vendor import FAKE, FakeProvider, Fakes


def running(fakes: Fakes, owner: User, worker: Worker) -> str:
    """A clip whose render runs at the vendor, and does not end by itself."""
    fakes.fake.begins = RenderState.RUNNING
    clip = str(fakes.ask(owner))
    worker.until(lambda: Generation.objects.get(id=clip).status == "processing")
    return clip


def entries_of(clip: str) -> list[str]:
    return list(Entry.objects.filter(subject_id=clip).order_by("id").values_list("kind", flat=True))


@pytest.mark.parametrize("word", [RenderState.RUNNING, RenderState.UNKNOWN, None])
def test_a_cancelled_clip_whose_vendor_has_no_cancel_ends_by_the_deadline_of_any_render(
    fakes: Fakes,
    owner: User,
    api: Client,
    worker: Worker,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    word: RenderState | None,
) -> None:
    """Also where the vendor says a word that nobody knows, or nothing at all."""

    def has_none(self: FakeProvider, external_id: str) -> CancelOutcome:
        raise UnsupportedFeature("fake", "cancel")

    monkeypatch.setattr(FakeProvider, "cancel", has_none)
    clip = running(fakes, owner, worker)
    if word is None:
        fakes.fake.reads["main"] = ReadFailed("fake")
    else:
        fakes.fake.set_all(word)
    assert post(api, f"generations/{clip}/cancel/").json()["outcome"] == "asked"
    worker.settle()
    assert Generation.objects.get(id=clip).ended_at is None
    clock.advance(settings.RENDER_DEADLINE + timedelta(seconds=90))
    assert followed(api, worker, clip)["status"] == "cancelled"
    assert entries_of(clip) == ["hold", "release"]
    # What the vendor still does is not known: it is looked for no more, and kept on record.
    assert Attempt.objects.get().state == AttemptState.UNKNOWN


def test_a_cancel_that_fails_does_not_hide_that_the_video_is_done(
    fakes: Fakes, owner: User, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: FakeProvider, external_id: str) -> CancelOutcome:
        raise ReadFailed("fake")

    monkeypatch.setattr(FakeProvider, "cancel", fails)
    clip = running(fakes, owner, worker)
    fakes.fake.set_all(RenderState.SUCCEEDED)
    post(api, f"generations/{clip}/cancel/")
    assert followed(api, worker, clip)["status"] == "completed"
    assert entries_of(clip) == ["hold", "capture"]


def test_a_cancel_that_never_works_keeps_no_clip_open(
    fakes: Fakes,
    owner: User,
    api: Client,
    worker: Worker,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(self: FakeProvider, external_id: str) -> CancelOutcome:
        raise ReadFailed("fake")

    monkeypatch.setattr(FakeProvider, "cancel", fails)
    clip = running(fakes, owner, worker)
    clock.advance(settings.RENDER_DEADLINE + timedelta(seconds=90))
    ended = followed(api, worker, clip)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "provider_timeout")
    assert entries_of(clip) == ["hold", "release"]


def lease_of(clip: str) -> Lease:
    job = Job.objects.get(subject_id=clip)
    return Lease(
        job_id=job.id,
        owner_id=job.owner_id,
        kind=job.kind,
        stage=job.stage,
        subject_id=job.subject_id,
        fence=job.fence,
        claims=1,
        progress=50,
        cancel_requested=False,
        due_at=job.due_at,
        now=clock.now(),
        created_at=job.created_at,
    )


def told(clip: str, error: ProviderError) -> Any:
    attempt = attempts.latest([Generation.objects.get(id=clip).id])[Generation.objects.get(id=clip).id]
    answer = PollAnswer(work=PollWork(attempt=attempt), error=error)
    with transaction.atomic():
        return Poll().finish([Outcome(lease_of(clip), answer, True)])


def test_only_not_known_in_a_row_is_lost(fakes: Fakes, owner: User, worker: Worker) -> None:
    """After an outage one such answer may be a proxy's: taken for the truth it would be made, and paid for, twice."""
    clip = running(fakes, owner, worker)
    for _ in range(LOST_AFTER):
        told(clip, ReadFailed("fake"))
    told(clip, JobNotFound("fake"))
    assert Attempt.objects.get().state == AttemptState.RUNNING
    told(clip, ReadFailed("fake"))
    for _ in range(LOST_AFTER - 1):
        told(clip, JobNotFound("fake"))
    assert Attempt.objects.get().state == AttemptState.RUNNING
    told(clip, JobNotFound("fake"))
    assert (Attempt.objects.get().state, Attempt.objects.get().failure_code) == ("failed", "job_lost")


def test_an_unknown_attempt_holds_its_place_while_its_clip_is_open_and_no_longer(
    fakes: Fakes, owner: User, worker: Worker
) -> None:
    clip = running(fakes, owner, worker)
    Attempt.objects.update(state=AttemptState.UNKNOWN)
    assert vendor_accounts._load(["fake"], {})["fake", "main", FAKE].at_work == 1
    Generation.objects.filter(id=clip).update(status="failed", ended_at=clock.now())
    assert vendor_accounts._load(["fake"], {})["fake", "main", FAKE].at_work == 0


def test_a_call_that_was_not_begun_in_time_sent_nothing(fakes: Fakes, owner: User) -> None:
    """It goes back into the line, instead of being looked for at a vendor that was never asked."""
    clip = Generation.objects.get(id=fakes.ask(owner))
    [attempt] = attempts.intend(
        [attempts.Intent(generation=clip, number=1, fence=1, account="main", cost_expected=None)]
    )
    answer = Submit().not_begun(SubmitWork(attempt=attempt, request=None, callback_url=None))  # type: ignore[arg-type]
    assert isinstance(answer.error, NotSent)
    nexts = Submit().finish([Outcome(lease_of(str(clip.id)), answer, True)])
    [then] = nexts.values()
    assert (then.stage, then.place) == ("submit", "line up")  # type: ignore[union-attr]
    assert Attempt.objects.get().state == AttemptState.FAILED


def test_a_receipt_that_comes_after_its_claim_is_over_makes_the_job_look_at_once(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    clip = running(fakes, owner, worker)
    Job.objects.update(due_at=clock.now() + timedelta(hours=1))
    attempt = Attempt.objects.select_related("generation").get()
    answer = Submit().call(SubmitWork(attempt=attempt, request=None, callback_url=None))  # type: ignore[arg-type]
    assert answer.submission is not None
    Submit().finish([Outcome(lease_of(clip), answer, False)])
    assert Job.objects.get(subject_id=clip).due_at <= clock.now()
    assert get(api, f"generations/{clip}/").json()["status"] == "processing"


def test_an_id_for_what_was_taken_as_never_accepted_raises_an_alarm(
    fakes: Fakes, owner: User, caplog: pytest.LogCaptureFixture
) -> None:
    clip = Generation.objects.get(id=fakes.ask(owner))
    [attempt] = attempts.intend(
        [attempts.Intent(generation=clip, number=1, fence=1, account="main", cost_expected=None)]
    )
    attempts.move(attempt, AttemptState.FAILED, failure_code=attempts.NOT_ACCEPTED)
    attempts.record_external_id(attempt.id, "late-1")
    assert [getattr(one, "alarm", "") for one in caplog.records] == ["two_jobs"]
