"""The one door through which a render's status changes, with the credits of its own work.

Each function is a conditional update in the caller's transaction, which has locked the job; it answers the change
to announce, or None where the render was no longer in a state it may leave. Locks are taken in the order job,
credit account, event counter.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from credits import ledger
from credits.models import Hold
from generations.models import Asset, Generation
from pipeline import sounds, states
from pipeline.models import (
    Render,
    RenderSegment,
    RenderStatus,
    SegmentState,
)
from pipeline.renders import inputs
from workers.clock import AppNow
from workers.jobs import Change

# How long a render that is paused, or needs attention, waits for its owner.
WAITS_FOR = timedelta(days=7)


def move(render: Render, status: RenderStatus, **fields: Any) -> Change | None:
    """From one open status to another."""
    if render.status == status:
        return None
    moved = Render.objects.filter(id=render.id, status=render.status, ended_at__isnull=True)
    if not moved.update(status=status, **fields):
        return None
    render.status = status
    return change_of(render, status)


def pause(render: Render, now: datetime) -> Change | None:
    inputs.renew(render, now)
    render.waits_until = now + WAITS_FOR
    return move(render, RenderStatus.PAUSED, paused_at=now, waits_until=render.waits_until, warned_at=None)


def need_attention(render: Render, now: datetime) -> Change | None:
    if render.status != RenderStatus.NEEDS_ATTENTION:
        inputs.renew(render, now)
    return move(render, RenderStatus.NEEDS_ATTENTION, waits_until=now + WAITS_FOR, warned_at=None)


def go_on(render: Render) -> Change | None:
    """Back to work."""
    return move(render, RenderStatus.PROCESSING, paused_at=None, waits_until=None, warned_at=None)


def compose(render: Render, now: datetime) -> Change | None:
    return move(render, RenderStatus.COMPOSING, composing_at=now, waits_until=None, warned_at=None)


def complete(render: Render, film: Asset, **fields: Any) -> Change | None:
    """Composing → completed: the film is delivered, and the render's own work is paid for out of its hold."""
    if not _end(render, RenderStatus.COMPLETED, film=film, **fields):
        return None
    closing = ledger.capture(hold_id=render.hold_id, amount=own_amount(render))
    used = _settle(render)
    return change_of(
        render,
        RenderStatus.COMPLETED,
        asset_id=str(film.id),
        credits_used=used,
        credits_released=closing.released,
    )


def fail(render: Render, *, code: str, message: str) -> Change | None:
    """Any open status → failed: nothing of the render's own work is charged, its clips stay the owner's."""
    if not _end(render, RenderStatus.FAILED, error_code=code, error_message=message[:500]):
        return None
    ledger.release(hold_id=render.hold_id, reason=code)
    used = _settle(render)
    return change_of(render, RenderStatus.FAILED, error={"code": code, "message": message}, credits_used=used)


def cancel(render: Render) -> Change | None:
    """Any open status → cancelled: the sounds that were made are charged, they stay the owner's; the rest is back."""
    if not _end(render, RenderStatus.CANCELLED):
        return None
    made = sounds.made_credits(render)
    if made:
        ledger.capture(hold_id=render.hold_id, amount=made)
    else:
        ledger.release(hold_id=render.hold_id, reason="cancelled")
    used = _settle(render)
    return change_of(render, RenderStatus.CANCELLED, credits_used=used)


def used_by_clips(render: Render) -> int:
    """What the clips that were made for this render have cost so far, those that were replaced included."""
    made = RenderSegment.objects.filter(render=render, reused=False).values("generation_id")
    total: int | None = Generation.objects.filter(id__in=made).aggregate(total=Sum("credits_used"))["total"]
    return (total or 0) + render.credits_replaced


def own_amount(render: Render) -> int:
    """What is held for the render's own work."""
    amount: int = Hold.objects.values_list("amount", flat=True).get(id=render.hold_id)
    return amount


def change_of(render: Render, status: str, **data: Any) -> Change:
    return Change(
        owner_id=render.owner_id,
        kind=f"render.{status}",
        subject_id=render.id,
        data={"status": status, "project_id": str(render.project_id), **data},
    )


def _end(render: Render, status: RenderStatus, **fields: Any) -> bool:
    rows = Render.objects.filter(id=render.id, ended_at__isnull=True)
    return bool(rows.update(status=status, ended_at=AppNow(), waits_until=None, **fields))


def _settle(render: Render) -> int:
    """Close the holds of clips that were never begun, write what was used, let the inputs go; the credits used."""
    never = RenderSegment.objects.filter(
        render=render, state__in=[SegmentState.BLOCKED, SegmentState.PENDING], hold__isnull=False
    )
    for row in never.order_by("position"):
        assert row.hold_id is not None
        ledger.release(hold_id=row.hold_id, reason="not_begun")
    never.update(state=SegmentState.CANCELLED)
    sounds.close(render)
    own = Hold.objects.values_list("captured", flat=True).get(id=render.hold_id)
    used = used_by_clips(render) + own
    Render.objects.filter(id=render.id).update(credits_used=used)
    inputs.let_go(render)
    states.settle(render.project_id)
    return used
