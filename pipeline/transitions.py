"""The one door through which the status of an analysis, a planning or a chat turn changes, with its credits.

Each is one conditional update in the caller's transaction, which has locked the job; it answers the change to
announce, or None where the work had ended. Locks are taken in the order job, credit account, event counter.
"""

from typing import Any

from credits import ledger
from pipeline.models.works import OPEN_STATUSES, Work, WorkStatus
from workers.clock import AppNow
from workers.jobs import Change


def start(work: Work) -> Change | None:
    """Pending → processing."""
    moved = type(work).objects.filter(id=work.id, status=WorkStatus.PENDING)  # type: ignore[attr-defined]
    if not moved.update(status=WorkStatus.PROCESSING):
        return None
    return _change(work, WorkStatus.PROCESSING)


def complete(work: Work, **fields: Any) -> Change | None:
    """Pending or processing → completed, with these fields, and paid for out of its hold."""
    if not _end(work, WorkStatus.COMPLETED, credits_used=work.credits_quoted, **fields):
        return None
    if work.hold_id is not None:
        ledger.capture(hold_id=work.hold_id, amount=work.credits_quoted)
    return _change(work, WorkStatus.COMPLETED, credits_used=work.credits_quoted)


def fail(work: Work, *, code: str, message: str) -> Change | None:
    """Pending or processing → failed, and the whole hold is given back."""
    if not _end(work, WorkStatus.FAILED, error_code=code, error_message=message[:500]):
        return None
    if work.hold_id is not None:
        ledger.release(hold_id=work.hold_id, reason=code)
    return _change(work, WorkStatus.FAILED, error={"code": code, "message": message})


def cancel(work: Work) -> Change | None:
    """Pending or processing → cancelled, and the whole hold is given back."""
    if not _end(work, WorkStatus.CANCELLED):
        return None
    if work.hold_id is not None:
        ledger.release(hold_id=work.hold_id, reason="cancelled")
    return _change(work, WorkStatus.CANCELLED)


def _end(work: Work, status: WorkStatus, **fields: Any) -> bool:
    rows = type(work).objects.filter(id=work.id, status__in=OPEN_STATUSES)  # type: ignore[attr-defined]
    return bool(rows.update(status=status, ended_at=AppNow(), **fields))


def _change(work: Work, status: WorkStatus, **data: Any) -> Change:
    return Change(
        owner_id=work.owner_id,
        kind=f"{work._meta.model_name}.{status}",
        subject_id=work.id,
        data={"status": status, "project_id": str(work.project_id), **data},
    )
