"""The one door through which the status of an edit changes, with its credits.

Each is one conditional update in the caller's transaction, which has locked the job; it answers the change to
announce, or None where the edit had ended. Locks are taken in the order job, credit account, event counter.
"""

from datetime import datetime
from typing import Any

from credits import ledger
from generations.models import Asset
from pipeline import sounds
from pipeline.models import VideoEdit, WorkStatus
from pipeline.models.works import OPEN_STATUSES
from pipeline.renders import inputs
from workers.clock import AppNow
from workers.jobs import Change


def start(edit: VideoEdit) -> Change | None:
    """Pending → processing."""
    moved = VideoEdit.objects.filter(id=edit.id, status=WorkStatus.PENDING)
    if not moved.update(status=WorkStatus.PROCESSING):
        return None
    return change_of(edit, WorkStatus.PROCESSING)


def compose(edit: VideoEdit, now: datetime) -> None:
    """All its sounds are there."""
    VideoEdit.objects.filter(id=edit.id, composing_at__isnull=True).update(composing_at=now)


def complete(edit: VideoEdit, output: Asset, **fields: Any) -> Change | None:
    """Open → completed: the result is delivered and paid for out of the hold."""
    if not _end(edit, WorkStatus.COMPLETED, output=output, credits_used=edit.credits_quoted, **fields):
        return None
    ledger.capture(hold_id=edit.hold_id, amount=edit.credits_quoted)
    _let_go(edit)
    return change_of(edit, WorkStatus.COMPLETED, asset_id=str(output.id), credits_used=edit.credits_quoted)


def fail(edit: VideoEdit, *, code: str, message: str) -> Change | None:
    """Open → failed: the whole hold is given back."""
    if not _end(edit, WorkStatus.FAILED, error_code=code, error_message=message[:500]):
        return None
    ledger.release(hold_id=edit.hold_id, reason=code)
    _let_go(edit)
    return change_of(edit, WorkStatus.FAILED, error={"code": code, "message": message}, credits_used=0)


def cancel(edit: VideoEdit) -> Change | None:
    """Open → cancelled: the sounds that were made are charged, they stay the owner's; the rest is back."""
    made = sounds.made_credits(edit)
    if not _end(edit, WorkStatus.CANCELLED, credits_used=made):
        return None
    if made:
        ledger.capture(hold_id=edit.hold_id, amount=made)
    else:
        ledger.release(hold_id=edit.hold_id, reason="cancelled")
    _let_go(edit)
    return change_of(edit, WorkStatus.CANCELLED, credits_used=made)


def change_of(edit: VideoEdit, status: str, **data: Any) -> Change:
    return Change(
        owner_id=edit.owner_id,
        kind=f"edit.{status}",
        subject_id=edit.id,
        data={"status": status, "source": str(edit.source_id), **data},
    )


def _end(edit: VideoEdit, status: WorkStatus, **fields: Any) -> bool:
    rows = VideoEdit.objects.filter(id=edit.id, status__in=OPEN_STATUSES)
    return bool(rows.update(status=status, ended_at=AppNow(), **fields))


def _let_go(edit: VideoEdit) -> None:
    sounds.close(edit)
    inputs.let_go(edit)
