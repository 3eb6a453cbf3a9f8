"""Submitting: the step that costs money. The intent is on disk before the call, and no call is repeated blindly."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from generations import assets, attempts, history, polling
from generations.callbacks import callback_url
from generations.kinds import gate_of
from generations.models import Attempt, AttemptState, Generation
from generations.stages.endings import end_cancelled, end_failed, ended, next_or_failed, overdue
from providers import registry
from providers.catalogue import MODELS
from providers.contract import InputMedia, Mode, RenderRequest, Submission
from providers.errors import (
    CredentialsRefused,
    NotConfigured,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)
from workers import gates
from workers.jobs import Continue, Lease, Next, Outcome, Stage

logger = logging.getLogger(__name__)

# How long a clip waits for a provider that can't be reached or refuses our account, before it fails.
UNREACHABLE_FOR = timedelta(minutes=30)
# How long a vendor that refuses our account is left alone.
REFUSED_PAUSE_SECONDS = 60.0
# A vendor that says "slow down" without saying how long.
BUSY_PAUSE = timedelta(seconds=10)


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
    deadline = 40.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, SubmitWork | Next]:
        generations = {
            one.id: one
            for one in Generation.objects.filter(
                id__in=[lease.subject_id for lease in leases]
            ).select_related("start_image", "end_image", "source_video")
        }
        latest = attempts.latest(generations)
        begun: dict[UUID, SubmitWork | Next] = {}
        fresh: list[tuple[Lease, Generation, int]] = []
        for lease in sorted(leases, key=lambda lease: str(lease.owner_id)):
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
                begun[lease.job_id] = end_cancelled(generation)
            elif (late := overdue(generation, lease)) is not None:
                begun[lease.job_id] = end_failed(generation, code=late[0], message=late[1], retryable=True)
            else:
                fresh.append((lease, generation, attempt.number + 1 if attempt else 1))
        made = attempts.intend([(generation, number, lease.fence) for lease, generation, number in fresh])
        for (lease, generation, _), attempt in zip(fresh, made, strict=True):
            begun[lease.job_id] = SubmitWork(
                attempt=attempt,
                request=render_request(generation),
                callback_url=callback_url(generation.provider, attempt.id),
            )
        return begun

    def call(self, work: SubmitWork) -> SubmitAnswer:
        try:
            submission = registry.provider(work.attempt.provider).submit(
                work.request, client_token=work.attempt.id.hex, callback_url=work.callback_url
            )
        except ProviderError as error:
            return SubmitAnswer(attempt=work.attempt, error=error)
        return SubmitAnswer(attempt=work.attempt, submission=submission)

    def finish(self, outcomes: Sequence[Outcome[SubmitAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in sorted(outcomes, key=lambda outcome: str(outcome.lease.owner_id)):
            answer = outcome.answer
            if answer.submission is not None:
                attempts.record_external_id(answer.attempt.id, answer.submission.external_id)
            if outcome.held:
                nexts[outcome.lease.job_id] = _decide(outcome.lease, answer)
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
    number, asked_since = attempts.at_its_model(attempt)
    waited = lease.now - asked_since
    gate = gate_of(generation.provider)
    if isinstance(error, RateLimited):
        wait = error.retry_after or BUSY_PAUSE
        gates.pause(gate, wait.total_seconds())
        if waited < settings.BUSY_FOR:
            return Continue(stage="submit", due_in=wait, place="line up")
    elif isinstance(error, CredentialsRefused | NotConfigured):
        logger.error("%s refuses our account", generation.provider, extra={"alarm": "credentials_refused"})
        gates.pause(gate, REFUSED_PAUSE_SECONDS)
        if waited < UNREACHABLE_FOR:
            return Continue(stage="submit", due_in=timedelta(seconds=REFUSED_PAUSE_SECONDS), place="line up")
    elif isinstance(error, NotSent) and waited < UNREACHABLE_FOR:
        return Continue(stage="submit", due_in=polling.after_failure(number), place="line up")
    return next_or_failed(
        lease, generation, code=attempts.code_of(error), message=str(error), retryable=error.retryable
    )


def safety_interval(generation: Generation) -> float | None:
    """Seconds between polls where the vendor is expected to call us; None where it isn't."""
    model = MODELS.get(generation.model)
    return settings.SAFETY_POLL_SECONDS if model is not None and model.webhook_expected else None


def render_request(generation: Generation) -> RenderRequest:
    """The clip in the provider's terms; inputs as pre-signed URLs that outlive the vendor's queue."""

    def media(name: str) -> InputMedia | None:
        asset = getattr(generation, name)
        if asset is None:
            return None
        url = assets.signed_input_url(asset, settings.INPUT_URL_VALID)
        return InputMedia(url=url, media_type=asset.media_type)

    return RenderRequest(
        model=MODELS[generation.model].vendor_model,
        mode=Mode(generation.mode),
        prompt=generation.prompt,
        negative_prompt=generation.negative_prompt,
        style=generation.style or None,
        duration_seconds=generation.duration_seconds,
        resolution=generation.resolution,
        ratio=generation.ratio,
        start_image=media("start_image"),
        end_image=media("end_image"),
        source_video=media("source_video"),
        audio=generation.audio,
        enhance=generation.enhance,
        seed=generation.seed,
        controls=generation.controls,
    )
