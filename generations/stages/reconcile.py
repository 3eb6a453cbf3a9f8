"""Finding out whether a submission was accepted, when its answer was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from generations import attempts, receiving, vendor_health
from generations.models import Attempt, AttemptState, Generation
from generations.rendering import render_request
from generations.stages.endings import end_cancelled, end_failed, ended
from providers import http, registry
from providers.contract import RenderRequest, RenderUpdate
from providers.errors import ProviderError, RateLimited, ReadFailed, UnsupportedFeature
from workers.jobs import BEGIN_SECONDS, Continue, Lease, Next, Outcome, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpWork:
    attempt: Attempt
    request: RenderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """What a vendor's look-up said: the render, or None where it sees none, or why there is no answer."""

    attempt: Attempt
    found: RenderUpdate | None = None
    error: ProviderError | None = None


class Reconcile(Stage[LookUpWork, LookUp]):
    name = "reconcile"
    label = "checking"
    deadline = 40.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, LookUpWork | Next]:
        latest = attempts.latest([lease.subject_id for lease in leases])
        begun: dict[UUID, LookUpWork | Next] = {}
        for lease in sorted(leases, key=lambda lease: str(lease.owner_id)):
            attempt = latest[lease.subject_id]
            generation = attempt.generation
            if generation.ended_at is not None:
                begun[lease.job_id] = ended(lease, generation)
            elif attempt.external_id is not None or _was_told(attempt):
                # A webhook or a late answer named it meanwhile.
                attempts.move(attempt, AttemptState.SUBMITTED)
                begun[lease.job_id] = Continue(stage="poll")
            elif attempt.state not in attempts.OPEN:
                begun[lease.job_id] = Continue(stage="submit", place="line up")
            elif attempt.reconcile_by is not None and attempt.reconcile_by <= lease.now:
                begun[lease.job_id] = end_failed(
                    generation,
                    code="outcome_unknown",
                    message="The provider never said whether it took the job. You were not charged;"
                    " if the video arrives after all, it is yours for nothing.",
                    retryable=True,
                )
            else:
                begun[lease.job_id] = LookUpWork(
                    attempt=attempt, request=render_request(generation, attempt.account)
                )
        return begun

    def call(self, work: LookUpWork) -> LookUp:
        attempt = work.attempt
        try:
            found = registry.provider(attempt.provider, attempt.account).find(
                attempt.id.hex, request=work.request, since=attempt.created_at
            )
        except ProviderError as error:
            return LookUp(attempt=attempt, error=error)
        return LookUp(attempt=attempt, found=found)

    def finish(self, outcomes: Sequence[Outcome[LookUp]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in sorted(outcomes, key=lambda outcome: str(outcome.lease.owner_id)):
            look_up = outcome.answer
            vendor_health.after_look(look_up.attempt, look_up.error)
            if look_up.found is not None and not attempts.record_external_id(
                look_up.attempt.id, look_up.found.external_id
            ):
                look_up = LookUp(attempt=look_up.attempt, error=ReadFailed(look_up.attempt.provider))
            if outcome.held:
                nexts[outcome.lease.job_id] = _decide(outcome.lease, look_up)
        return nexts

    def abandon(self, lease: Lease) -> Next:
        generation = Generation.objects.get(id=lease.subject_id)
        return end_failed(
            generation, code="internal_error", message="It could not be checked: our fault.", retryable=True
        )


def _was_told(attempt: Attempt) -> bool:
    """Whether a webhook that came before the answer was lost has told us the vendor's id."""
    told = receiving.told_id(attempt)
    return told is not None and attempts.record_external_id(attempt.id, told)


def _decide(lease: Lease, look_up: LookUp) -> Next:
    attempt = look_up.attempt
    if look_up.found is not None:
        attempts.move(attempt, AttemptState.SUBMITTED, vendor_state=look_up.found.vendor_state[:100])
        return Continue(stage="poll", progress=10)
    if isinstance(look_up.error, UnsupportedFeature):
        # Only the vendor's own call can tell: it makes the job due when it comes.
        assert attempt.reconcile_by is not None
        return Continue(stage="reconcile", due_in=max(attempt.reconcile_by - lease.now, timedelta(seconds=1)))
    if isinstance(look_up.error, RateLimited):
        return Continue(stage="reconcile", due_in=look_up.error.retry_after or settings.RECONCILE_EVERY)
    if look_up.error is None and _is_proof(lease, attempt):
        attempts.move(
            attempt, AttemptState.FAILED, failure_code=attempts.NOT_ACCEPTED, failure_retryable=True
        )
        if lease.cancel_requested:
            return end_cancelled(attempt.generation)
        return Continue(stage="submit", place="line up")
    return Continue(stage="reconcile", due_in=settings.RECONCILE_EVERY)


def _is_proof(lease: Lease, attempt: Attempt) -> bool:
    """Whether "not seen" now means "never accepted": the vendor says after how long it does."""
    certain_after = registry.kind(attempt.provider).find_is_authoritative_after
    if certain_after is None:
        return False
    sent_within = timedelta(seconds=BEGIN_SECONDS + http.client().config.total_seconds)
    return lease.now - attempt.created_at >= sent_within + certain_after
