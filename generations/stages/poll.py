"""Following a render at the vendor: ask, record what it says, ask again at the right time."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from generations import attempts, history, polling, transitions, vendor_health
from generations.kinds import delivering
from generations.models import Attempt, AttemptState, Generation, GenerationStatus
from generations.stages.endings import again_or_next, end_cancelled, end_failed, ended, next_or_failed
from generations.stages.submit import safety_interval
from providers import registry
from providers.contract import CancelOutcome, RenderState, RenderUpdate
from providers.errors import JobNotFound, ProviderError, RateLimited, UnsupportedFeature
from workers.clock import AppNow
from workers.jobs import Change, Continue, Lease, Next, Outcome, Stage

logger = logging.getLogger(__name__)

# "I don't know this job" is believed after so many answers in a row: some vendors' reads lag behind their writes.
LOST_AFTER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PollWork:
    attempt: Attempt
    # Why the vendor shall stop: the owner asked, or the time is up; empty: it shall go on.
    cancel_reason: str = ""
    # Whether it is waited for no longer, whatever the vendor says to the wish.
    overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnswer:
    """What the vendor said; `cancel`: what it said to the wish to stop, if it was told."""

    work: PollWork
    update: RenderUpdate | None = None
    error: ProviderError | None = None
    cancel: CancelOutcome | None = None


class Poll(Stage[PollWork, PollAnswer]):
    name = "poll"
    label = "generating"
    deadline = 60.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, PollWork | Next]:
        latest = attempts.latest([lease.subject_id for lease in leases])
        begun: dict[UUID, PollWork | Next] = {}
        for lease in sorted(leases, key=lambda lease: str(lease.owner_id)):
            attempt = latest[lease.subject_id]
            generation = attempt.generation
            if generation.ended_at is not None:
                begun[lease.job_id] = ended(lease, generation)
            elif attempt.state == AttemptState.SUCCEEDED:
                begun[lease.job_id] = Continue(stage=delivering(examined=generation.examined), place="leave")
            elif attempt.state not in attempts.OPEN:
                begun[lease.job_id] = Continue(stage="submit", place="line up")
            elif attempt.external_id is None:
                begun[lease.job_id] = Continue(stage="reconcile")
            else:
                begun[lease.job_id] = _work(lease, attempt)
        return begun

    def call(self, work: PollWork) -> PollAnswer:
        external_id = work.attempt.external_id or ""
        cancel: CancelOutcome | None = None
        try:
            provider = registry.provider(work.attempt.provider, work.attempt.account)
            if work.cancel_reason and work.attempt.cancel_asked_at is None:
                try:
                    cancel = provider.cancel(external_id)
                except UnsupportedFeature:
                    cancel = CancelOutcome.TOO_LATE
                except ProviderError:
                    # Asked again with the next look, which must be had all the same; but past its time the wish counts
                    # as told: a call that never works would keep the clip open for ever.
                    cancel = CancelOutcome.TOO_LATE if work.overdue else None
            return PollAnswer(work=work, update=provider.fetch(external_id), cancel=cancel)
        except ProviderError as error:
            return PollAnswer(work=work, error=error, cancel=cancel)

    def finish(self, outcomes: Sequence[Outcome[PollAnswer]]) -> Mapping[UUID, Next]:
        ordered = sorted(outcomes, key=lambda outcome: str(outcome.lease.owner_id))
        held = [outcome for outcome in ordered if outcome.held]
        for outcome in ordered:
            _record_facts(outcome.answer)
            vendor_health.after_look(outcome.answer.work.attempt, outcome.answer.error)
        started = transitions.start(
            [
                outcome.answer.work.attempt.generation
                for outcome in held
                if outcome.answer.update is not None and outcome.answer.update.state == RenderState.RUNNING
            ]
        )
        news: dict[UUID, list[Change]] = {}
        for change in started:
            news.setdefault(change.subject_id, []).append(change)
        return {
            outcome.lease.job_id: _decide(
                outcome.lease, outcome.answer, news.get(outcome.lease.subject_id, [])
            )
            for outcome in held
        }

    def abandon(self, lease: Lease) -> Next:
        generation = Generation.objects.get(id=lease.subject_id)
        attempt = attempts.latest([generation.id])[generation.id]
        # The vendor may still make it: a late result is looked for.
        attempts.mark_unknown(attempt)
        return end_failed(
            generation, code="internal_error", message="It could not be followed: our fault.", retryable=True
        )


def _work(lease: Lease, attempt: Attempt) -> PollWork:
    generation = attempt.generation
    began = attempt.submitted_at or attempt.created_at
    too_long = lease.now - began >= settings.RENDER_DEADLINE
    if lease.cancel_requested:
        return PollWork(attempt=attempt, cancel_reason="cancelled", overdue=too_long)
    if generation.finish_by is not None and generation.finish_by <= lease.now:
        return PollWork(attempt=attempt, cancel_reason="finish_by_passed", overdue=True)
    if too_long:
        return PollWork(attempt=attempt, cancel_reason="provider_timeout", overdue=True)
    return PollWork(attempt=attempt)


def _record_facts(answer: PollAnswer) -> None:
    """What the vendor said, where it is new. Nothing is written for "still at it"."""
    attempt, update = answer.work.attempt, answer.update
    if answer.cancel is not None and attempt.cancel_asked_at is None:
        Attempt.objects.filter(id=attempt.id, cancel_asked_at__isnull=True).update(cancel_asked_at=AppNow())
    if update is None:
        return
    attempts.record_cost(attempt, update.cost)
    word = update.vendor_state[:100]
    if word != attempt.vendor_state or (update.progress or 0) >= (attempt.vendor_progress or 0) + 5:
        if update.state == RenderState.UNKNOWN:
            logger.error(
                "%s says %r of attempt %s: not a word we know",
                attempt.provider,
                word,
                attempt.id,
                extra={"alarm": "unknown_word"},
            )
        Attempt.objects.filter(id=attempt.id).update(vendor_state=word, vendor_progress=update.progress)
    if update.state == RenderState.RUNNING and attempt.state == AttemptState.SUBMITTED:
        attempts.move(attempt, AttemptState.RUNNING, running_at=AppNow())


def _decide(lease: Lease, answer: PollAnswer, news: Sequence[Change]) -> Next:
    attempt, generation, update = answer.work.attempt, answer.work.attempt.generation, answer.update
    if update is None:
        return _after_error(lease, answer)
    if attempt.failed_calls:
        Attempt.objects.filter(id=attempt.id).update(failed_calls=0, unknown_there=0)
    if update.state == RenderState.SUCCEEDED:
        attempts.move(attempt, AttemptState.SUCCEEDED)
        vendor_health.after_render(attempt, None)
        return Continue(
            stage=delivering(examined=generation.examined),
            progress=95,
            place="leave",
            changes=[*news, *transitions.start([generation])],
        )
    if update.state == RenderState.CANCELLED:
        attempts.move(attempt, AttemptState.CANCELLED)
        return _stopped(lease, generation, answer.work.cancel_reason or "provider_cancelled", proven=True)
    if update.state == RenderState.FAILED:
        error = update.failure
        vendor_health.after_render(attempt, error)
        assert error is not None, "the contract promises a failure"
        attempts.record_failure(attempt, error)
        return again_or_next(lease, attempt, error)
    if answer.work.overdue:
        if answer.cancel is None and attempt.cancel_asked_at is not None:
            # It was told and goes on: no longer ours to wait for. A result that comes later costs nothing.
            attempts.mark_unknown(attempt)
            return _stopped(lease, generation, answer.work.cancel_reason, proven=False)
        return Continue(stage="poll", due_in=polling.after_failure(1), changes=news)
    elapsed = (lease.now - (attempt.submitted_at or attempt.created_at)).total_seconds()
    expected = history.expected(generation.model)
    running = update.state == RenderState.RUNNING or generation.status == GenerationStatus.PROCESSING
    safety = None if answer.work.cancel_reason else safety_interval(generation)
    return Continue(
        stage="poll",
        due_in=polling.next_poll(elapsed=elapsed, expected=expected, safety=safety),
        progress=(
            max(lease.progress, polling.percent(vendor=update.progress, elapsed=elapsed, expected=expected))
            if running
            else None
        ),
        changes=news,
    )


def _after_error(lease: Lease, answer: PollAnswer) -> Next:
    """The vendor gave no usable answer: ask again, more and more slowly, until the render's own deadline."""
    attempt, error = answer.work.attempt, answer.error
    assert error is not None
    failures = attempt.failed_calls + 1
    # In a row: after an outage one such answer may be a proxy's.
    unknown_there = attempt.unknown_there + 1 if isinstance(error, JobNotFound) else 0
    Attempt.objects.filter(id=attempt.id).update(failed_calls=failures, unknown_there=unknown_there)
    asked = answer.cancel is not None or attempt.cancel_asked_at is not None
    if isinstance(error, JobNotFound) and asked and registry.kind(attempt.provider).gone_when_cancelled:
        attempts.move(attempt, AttemptState.CANCELLED)
        return _stopped(
            lease, attempt.generation, answer.work.cancel_reason or "provider_cancelled", proven=True
        )
    if unknown_there >= LOST_AFTER:
        attempts.record_failure(attempt, error)
        if answer.work.cancel_reason:
            return _stopped(lease, attempt.generation, answer.work.cancel_reason, proven=True)
        return next_or_failed(
            lease, attempt.generation, code="job_lost", message="The provider lost the job.", retryable=True
        )
    if answer.work.overdue and failures >= LOST_AFTER:
        attempts.mark_unknown(attempt)
        return _stopped(lease, attempt.generation, answer.work.cancel_reason, proven=False)
    wait = error.retry_after if isinstance(error, RateLimited) else None
    return Continue(stage="poll", due_in=polling.after_failure(failures, wait))


_STOPPED = {
    "finish_by_passed": "It could not be finished by the time you set.",
    "provider_timeout": "The provider did not finish in time.",
    "provider_cancelled": "The provider stopped the job.",
}


def _stopped(lease: Lease, generation: Generation, reason: str, *, proven: bool) -> Next:
    """The vendor makes it no more, `proven` by its own word, or it is no longer waited for."""
    if reason == "cancelled":
        return end_cancelled(generation)
    if proven:
        return next_or_failed(lease, generation, code=reason, message=_STOPPED[reason], retryable=True)
    return end_failed(generation, code=reason, message=_STOPPED[reason], retryable=True)
