"""Submitting: the step that costs money. The intent is on disk before the call, and no call is repeated blindly."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction

from generations import attempts, history, polling, vendor_accounts, vendor_health
from generations.callbacks import callback_url
from generations.kinds import GENERATION, gate_of
from generations.models import Attempt, AttemptState, Generation
from generations.rendering import render_request
from generations.stages.endings import end_cancelled, end_failed, ended, next_or_failed, overdue
from generations.vendor_accounts import Obstacle, Place, Refused
from generations.vendor_health import BUSY_PAUSE, REFUSED_PAUSE
from providers import registry
from providers.catalogue import MODELS
from providers.contract import RenderRequest, Submission
from providers.errors import (
    CredentialsRefused,
    NotConfigured,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)
from workers import gates, jobs
from workers.jobs import Continue, Lease, Next, Outcome, Stage
from workers.models import Job

logger = logging.getLogger(__name__)

# How long a clip waits for a provider that can't be reached or refuses our account, before it fails.
UNREACHABLE_FOR = timedelta(minutes=30)
# A clip that has other models to go to doesn't wait longer than this for one that takes no work.
PATIENCE = timedelta(seconds=45)
# How soon a line is looked at again: what stands in the way may be gone earlier.
LONGEST_WAIT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitWork:
    attempt: Attempt
    request: RenderRequest
    callback_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitAnswer:
    """What the vendor said: a receipt, or why not."""

    attempt: Attempt
    submission: Submission | None = None
    error: ProviderError | None = None


class Submit(Stage[SubmitWork, SubmitAnswer]):
    name = "submit"
    label = "queued"
    begins_first = True
    # An upload may come before the submission.
    deadline = 150.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, SubmitWork | Next]:
        generations = {
            one.id: one
            for one in Generation.objects.filter(
                id__in=[lease.subject_id for lease in leases]
            ).select_related("start_image", "end_image", "source_video")
        }
        latest = attempts.latest(generations)
        begun: dict[UUID, SubmitWork | Next] = {}
        fresh: list[tuple[Lease, Generation, Attempt | None]] = []
        # An end moves credits: decided here, and made when the vendors' accounts are locked.
        ends: list[tuple[Lease, Callable[[], Next]]] = []
        for lease in leases:
            generation = generations[lease.subject_id]
            attempt = latest.get(generation.id)
            if generation.ended_at is not None:
                begun[lease.job_id] = ended(lease, generation)
            elif attempt is not None and attempt.state in attempts.OPEN:
                # A claim before this one intended to submit and was lost: the vendor may have it.
                if attempt.state == AttemptState.INTENDED:
                    attempts.mark_unknown(attempt)
                begun[lease.job_id] = Continue(stage="reconcile")
            elif lease.cancel_requested:
                ends.append((lease, partial(end_cancelled, generation)))
            elif (late := overdue(generation, lease)) is not None:
                code, message = late
                ends.append(
                    (lease, partial(end_failed, generation, code=code, message=message, retryable=True))
                )
            else:
                fresh.append((lease, generation, attempt))
        begun |= self._placed(fresh, ends)
        for lease, end in sorted(ends, key=lambda one: str(one[0].owner_id)):
            begun[lease.job_id] = end()
        return begun

    def _placed(
        self,
        fresh: Sequence[tuple[Lease, Generation, Attempt | None]],
        ends: list[tuple[Lease, Callable[[], Next]]],
    ) -> dict[UUID, SubmitWork | Next]:
        """An intent on disk for each clip that one of our accounts may submit now.

        Those that wait, or go elsewhere, join `ends`.
        """
        if not fresh:
            return {}
        begun: dict[UUID, SubmitWork | Next] = {}
        turned_away: list[UUID] = []
        intents: list[tuple[Lease, attempts.Intent]] = []
        found = vendor_accounts.places([generation for _, generation, _ in fresh], fresh[0][0].now)
        for (lease, generation, last), place in zip(fresh, found, strict=True):
            if isinstance(place, Place):
                intent = attempts.Intent(
                    generation=generation,
                    number=last.number + 1 if last else 1,
                    fence=lease.fence,
                    account=place.account,
                    cost_expected=place.cost_expected,
                )
                intents.append((lease, intent))
            else:
                ends.append((lease, partial(_no_place, lease, generation, last, place)))
                turned_away.append(lease.job_id)
        if turned_away:
            # They were let through and sent nothing: else those that a full model turns away would close the line.
            gates.forgive(turned_away)
        made = attempts.intend([intent for _, intent in intents])
        for (lease, intent), attempt in zip(intents, made, strict=True):
            begun[lease.job_id] = SubmitWork(
                attempt=attempt,
                request=render_request(intent.generation, attempt.account),
                callback_url=callback_url(attempt.provider, attempt.id),
            )
        return begun

    def call(self, work: SubmitWork) -> SubmitAnswer:
        try:
            submission = registry.provider(work.attempt.provider, work.attempt.account).submit(
                work.request, client_token=work.attempt.id.hex, callback_url=work.callback_url
            )
        except ProviderError as error:
            return SubmitAnswer(attempt=work.attempt, error=error)
        return SubmitAnswer(attempt=work.attempt, submission=submission)

    def not_begun(self, work: SubmitWork) -> SubmitAnswer:
        return SubmitAnswer(attempt=work.attempt, error=NotSent(work.attempt.provider))

    def finish(self, outcomes: Sequence[Outcome[SubmitAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in sorted(outcomes, key=lambda outcome: str(outcome.lease.owner_id)):
            answer = outcome.answer
            vendor_health.after_submission(
                answer.attempt, answer.error, answer.submission.per_minute if answer.submission else None
            )
            if answer.submission is not None and not attempts.record_external_id(
                answer.attempt.id, answer.submission.external_id
            ):
                # Another attempt's: whatever the vendor meant, it is not this one.
                answer = SubmitAnswer(attempt=answer.attempt, error=OutcomeUnknown(answer.attempt.provider))
            if outcome.held:
                nexts[outcome.lease.job_id] = _decide(outcome.lease, answer)
            elif answer.submission is not None:
                # Whoever has the job now waits to learn what is known from here on.
                transaction.on_commit(
                    partial(jobs.hint, kind=GENERATION, subject_id=outcome.lease.subject_id)
                )
        return nexts

    def abandon(self, lease: Lease) -> Next:
        generation = Generation.objects.get(id=lease.subject_id)
        attempt = attempts.latest([generation.id]).get(generation.id)
        if attempt is not None and attempt.state == AttemptState.INTENDED:
            attempts.mark_unknown(attempt)
        if attempt is not None and attempt.state in attempts.OPEN:
            return Continue(stage="reconcile")
        return end_failed(
            generation, code="internal_error", message="It could not be submitted: our fault.", retryable=True
        )


def _decide(lease: Lease, answer: SubmitAnswer) -> Next:
    attempt, generation, error = answer.attempt, answer.attempt.generation, answer.error
    if answer.submission is not None:
        attempts.move(attempt, AttemptState.SUBMITTED, vendor_state=answer.submission.vendor_state[:100])
        expected = history.expected(generation.model)
        return Continue(
            stage="poll",
            due_in=polling.next_poll(elapsed=0, expected=expected, safety=safety_interval(generation)),
            progress=10,
            eta_at=lease.now + timedelta(seconds=expected.typical),
        )
    assert error is not None
    if isinstance(error, OutcomeUnknown):
        attempts.mark_unknown(attempt)
        return Continue(stage="reconcile", due_in=settings.RECONCILE_EVERY)
    # Everything else is proof that the vendor has not taken it.
    attempts.record_failure(attempt, error)
    number, _ = attempts.at_its_model(attempt)
    waited = lease.now - attempts.failing_since(attempt)
    if isinstance(error, RateLimited):
        wait = error.retry_after or BUSY_PAUSE
        _hold_back(generation.provider, wait, of_model=error.of_model)
        if waited < settings.BUSY_FOR and not _goes_elsewhere(generation, wait):
            return Continue(stage="submit", due_in=_with_more(generation, wait), place="line up")
    elif isinstance(error, CredentialsRefused | NotConfigured):
        logger.error("%s refuses our account", generation.provider, extra={"alarm": "credentials_refused"})
        _hold_back(generation.provider, REFUSED_PAUSE)
        if waited < UNREACHABLE_FOR and not _goes_elsewhere(generation, REFUSED_PAUSE):
            return Continue(stage="submit", due_in=_with_more(generation, REFUSED_PAUSE), place="line up")
    elif isinstance(error, NotSent) and waited < UNREACHABLE_FOR:
        return Continue(stage="submit", due_in=polling.after_failure(number), place="line up")
    return next_or_failed(
        lease, generation, code=attempts.code_of(error), message=str(error), retryable=error.retryable
    )


def _no_place(lease: Lease, generation: Generation, last: Attempt | None, refused: Refused) -> Next:
    """What becomes of a clip that none of our accounts may submit now. Nothing was sent: that much is proven."""
    alarm = refused.obstacle in (Obstacle.BUDGET, Obstacle.NO_ACCOUNT)
    if alarm:
        logger.error("%s: %s", generation.provider, refused.obstacle, extra={"alarm": refused.obstacle.value})
    if refused.whole:
        _pause_gate(generation.provider, refused.wait)
    since = last.ended_at if last is not None and last.ended_at is not None else _first_asked(lease)
    busy = refused.obstacle in (Obstacle.FULL, Obstacle.PAUSED)
    patience = settings.BUSY_FOR if busy else UNREACHABLE_FOR
    waited = lease.now - since
    if not alarm and waited < patience and not _goes_elsewhere(generation, max(refused.wait, waited)):
        return Continue(stage="submit", due_in=min(refused.wait, LONGEST_WAIT), place="line up")
    return next_or_failed(
        lease,
        generation,
        code=refused.obstacle.value,
        message=_NO_PLACE[refused.obstacle].format(provider=generation.provider),
        retryable=True,
    )


def _first_asked(lease: Lease) -> datetime:
    """When the clip's turn first came: what it waited before, by its owner's wish or in the line, doesn't count."""
    started = Job.objects.filter(id=lease.job_id).values_list("started_at", flat=True).first()
    return started or lease.created_at


_NO_PLACE = {
    Obstacle.FULL: "{provider} was busy for too long.",
    Obstacle.PAUSED: "{provider} took no more work for too long.",
    Obstacle.FAILING: "{provider} was out of order for too long.",
    Obstacle.BUDGET: "No more videos are made with {provider} for now.",
    Obstacle.NO_ACCOUNT: "{provider} is not configured any more.",
}


def _goes_elsewhere(generation: Generation, wait: timedelta) -> bool:
    """Whether the clip rather asks another model than wait so long for this one."""
    return bool(generation.alternatives) and wait >= PATIENCE


def _hold_back(provider: str, wait: timedelta, *, of_model: bool = False) -> None:
    """Nobody need come to a line whose only account is paused."""
    if not of_model and len(registry.accounts(provider)) == 1:
        _pause_gate(provider, wait)


def _pause_gate(provider: str, wait: timedelta) -> None:
    """Once the transaction has committed: a gate is locked before any credit account, or not together with one."""
    seconds = min(wait, LONGEST_WAIT).total_seconds()
    transaction.on_commit(partial(gates.pause, gate_of(provider), seconds), robust=True)


def _with_more(generation: Generation, wait: timedelta) -> timedelta:
    """How long to wait for an account that is paused: not at all where there is another to ask."""
    return timedelta(0) if len(registry.accounts(generation.provider)) > 1 else min(wait, LONGEST_WAIT)


def safety_interval(generation: Generation) -> float | None:
    """Seconds between polls where the vendor is expected to call us; None where it isn't."""
    model = MODELS.get(generation.model)
    return settings.SAFETY_POLL_SECONDS if model is not None and model.webhook_expected else None
