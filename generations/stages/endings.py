"""What becomes of a clip's job after a failure: the same model again, the next one, or the end."""

from datetime import timedelta

from generations import assets, attempts, history, transitions
from generations.fallback import fall_back
from generations.kinds import gate_of
from generations.models import Attempt, Generation
from providers.catalogue import MODELS
from providers.errors import ProviderError
from workers.jobs import Continue, End, Lease, Next
from workers.models import JobState


def ended(lease: Lease, generation: Generation) -> End:
    """The job of a generation that has ended elsewhere."""
    return End(state=JobState(generation.status) if generation.ended_at else JobState.FAILED)


def end_failed(generation: Generation, *, code: str, message: str, retryable: bool) -> End:
    """Fail the generation, give its credits back, lift its pins, end its job."""
    change = transitions.fail(generation, code=code, message=message, retryable=retryable)
    assets.unpin(generation.input_ids)
    return End(state=JobState.FAILED, error_code=code, changes=[change] if change else [])


def end_cancelled(generation: Generation) -> End:
    """Cancel the generation, give its credits back, lift its pins, end its job."""
    change = transitions.cancel(generation)
    assets.unpin(generation.input_ids)
    return End(state=JobState.CANCELLED, changes=[change] if change else [])


def overdue(generation: Generation, lease: Lease) -> tuple[str, str] | None:
    """The code and message of the time that passed before the clip could be submitted; None while there is time."""
    if generation.start_by is not None and generation.start_by <= lease.now:
        return "start_by_passed", "It could not be started by the time you set."
    if generation.finish_by is not None and generation.finish_by <= lease.now:
        return "finish_by_passed", "It could not be finished by the time you set."
    return None


def again_or_next(lease: Lease, attempt: Attempt, error: ProviderError, message: str = "") -> Next:
    """After a proven failure of an accepted attempt: another at the same model, the next model, or the end."""
    if lease.cancel_requested:
        return end_cancelled(attempt.generation)
    number, _ = attempts.at_its_model(attempt)
    wait = attempts.retry_after_failure(error, number)
    if wait is not None:
        return Continue(stage="submit", due_in=wait, place="line up", progress=10)
    return next_or_failed(
        lease,
        attempt.generation,
        code=attempts.code_of(error),
        message=message or str(error),
        retryable=error.retryable,
    )


def next_or_failed(lease: Lease, generation: Generation, *, code: str, message: str, retryable: bool) -> Next:
    """After proof that this model won't make the clip: the next one that can be asked, or the end.

    Never where the outcome is unknown: the clip could then be made, and paid for, twice.
    """
    wanted = not lease.cancel_requested and overdue(generation, lease) is None
    change = fall_back(generation, code=code, now=lease.now) if wanted else None
    if change is None:
        return end_failed(generation, code=code, message=message, retryable=retryable)
    model = MODELS[str(change.data["to"])]
    return Continue(
        stage="submit",
        place="line up",
        gate=gate_of(model.provider),
        progress=10,
        eta_at=lease.now + timedelta(seconds=history.expected(model.id).typical),
        changes=[change],
    )
