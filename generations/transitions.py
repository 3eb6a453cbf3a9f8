"""The one door through which a generation's status changes, with its credits.

Each function is one conditional update in the caller's transaction, which has locked the job; it answers the
change to announce, or None where the generation was no longer in a state it may leave. Locks are taken in the
order job, credit account, event counter.
"""

from collections.abc import Sequence
from typing import Any

from credits import ledger
from generations.models import Asset, Generation, GenerationStatus
from workers.clock import AppNow
from workers.jobs import Change

OPEN = (GenerationStatus.PENDING, GenerationStatus.PROCESSING)


def _change(generation: Generation, status: str, **data: Any) -> Change:
    return Change(
        owner_id=generation.owner_id,
        kind=f"generation.{status}",
        subject_id=generation.id,
        data={"status": status, **data},
    )


def start(generations: Sequence[Generation]) -> list[Change]:
    """Pending → processing, for those still pending. One statement."""
    pending = [one for one in generations if one.status == GenerationStatus.PENDING]
    if not pending:
        return []
    Generation.objects.filter(id__in=[one.id for one in pending], status=GenerationStatus.PENDING).update(
        status=GenerationStatus.PROCESSING, started_at=AppNow()
    )
    return [_change(one, GenerationStatus.PROCESSING) for one in pending]


def complete(generation: Generation, output: Asset) -> Change | None:
    """Pending or processing → completed: delivered, and paid for out of its hold, at the price of its model."""
    moved = Generation.objects.filter(id=generation.id, status__in=OPEN).update(
        status=GenerationStatus.COMPLETED,
        ended_at=AppNow(),
        output=output,
        credits_used=generation.price,
    )
    if not moved:
        return None
    closing = ledger.capture(hold_id=generation.hold_id, amount=generation.price)
    return _change(
        generation,
        GenerationStatus.COMPLETED,
        credits_used=closing.captured,
        credits_released=closing.released,
        asset_id=str(output.id),
    )


def complete_late(generation: Generation, output: Asset) -> Change | None:
    """Failed → completed, once: the credits were given back, so it costs nothing.

    Not for one that its owner cancelled, deleted or has retried: there the result is discarded.
    """
    moved = Generation.objects.filter(
        id=generation.id,
        status=GenerationStatus.FAILED,
        deleted_at__isnull=True,
        retried_by__isnull=True,
    ).update(
        status=GenerationStatus.COMPLETED,
        output=output,
        late=True,
        credits_used=0,
        error_code="",
        error_message="",
        error_retryable=False,
    )
    if not moved:
        return None
    return _change(generation, GenerationStatus.COMPLETED, late=True, credits_used=0, asset_id=str(output.id))


def fail(generation: Generation, *, code: str, message: str, retryable: bool) -> Change | None:
    """Pending or processing → failed, and the whole hold is given back."""
    moved = Generation.objects.filter(id=generation.id, status__in=OPEN).update(
        status=GenerationStatus.FAILED,
        ended_at=AppNow(),
        error_code=code,
        error_message=message[:500],
        error_retryable=retryable,
    )
    if not moved:
        return None
    closing = ledger.release(hold_id=generation.hold_id, reason=code)
    return _change(
        generation,
        GenerationStatus.FAILED,
        error={"code": code, "message": message, "retryable": retryable},
        credits_used=0,
        credits_released=closing.released,
    )


def cancel(generation: Generation) -> Change | None:
    """Pending or processing → cancelled, and the whole hold is given back."""
    moved = Generation.objects.filter(id=generation.id, status__in=OPEN).update(
        status=GenerationStatus.CANCELLED, ended_at=AppNow()
    )
    if not moved:
        return None
    closing = ledger.release(hold_id=generation.hold_id, reason="cancelled")
    return _change(generation, GenerationStatus.CANCELLED, credits_used=0, credits_released=closing.released)
