"""The one writer of money.

Every movement is one SQL statement inside the caller's transaction, which it must have open. Amounts are whole
credits. A movement is named by its `key` (a closing by its hold): asked for again with the same figures it
answers what the first did and writes nothing; with other figures it raises KeyReused (HoldClosed for a closing).
A refusal changes nothing, and the transaction can go on.

Lock order: jobs first, then the credit account, then the event counter.
"""

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from django.db.transaction import TransactionManagementError

from . import statements
from .errors import (
    CaptureExceedsHold,
    DailyLimitReached,
    HoldClosed,
    HoldNotFound,
    InsufficientCredits,
    KeyReused,
    RefundExceedsCaptured,
    SpendingSuspended,
)
from .models import Account, Entry, Hold, HoldGroup

logger = logging.getLogger(__name__)

Breakdown = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account's figures: see `credits.models.Account`."""

    balance: int
    held: int
    receivable: int
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldResult:
    """A hold, and the account just after it."""

    hold_id: UUID
    balance: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPart:
    """One hold of a group."""

    amount: int
    subject_id: UUID
    rate_card_ids: Sequence[int] = ()
    breakdown: Breakdown = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldGroupResult:
    """A group's holds, in the order of its parts, and the account just after it."""

    group_id: UUID
    hold_ids: tuple[UUID, ...]
    balance: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How a hold ended, and the account just after it. `captured` + `released` is the hold."""

    hold_id: UUID
    captured: int
    released: int
    balance: int
    held: int


def open_account(owner_id: UUID) -> None:
    """Make sure that the owner has an account."""
    _execute(statements.OPEN, {"owner": owner_id})


def balance_of(owner_id: UUID) -> Balance:
    """The owner's figures; zeros without an account."""
    figures = Account.objects.filter(pk=owner_id).values("balance", "held", "receivable", "spent").first()
    return Balance(**figures) if figures else Balance(balance=0, held=0, receivable=0, spent=0)


def grant(
    *,
    owner_id: UUID,
    amount: int,
    key: str,
    kind: Literal["grant", "purchase"] = "grant",
    note: str = "",
    operator_id: UUID | None = None,
) -> Entry:
    """Add credits; opens the account. A purchase's key names the external payment.

    The key of a grant or purchase is one owner's: another's raises KeyReused. What the account owes is paid first.
    """
    _check(amount, least=1)
    return _post(owner_id, amount, key, kind, note, operator_id, may_owe=False)


def adjust(
    *,
    owner_id: UUID,
    amount: int,
    key: str,
    note: str,
    operator_id: UUID | None,
    kind: Literal["adjustment", "expiry"] = "adjustment",
) -> Entry:
    """Add credits, or take them where `amount` is negative. Raises InsufficientCredits below zero."""
    _check(abs(amount), least=1)
    return _post(owner_id, amount, key, kind, note, operator_id, may_owe=False)


def charge_back(
    *, owner_id: UUID, amount: int, key: str, note: str, operator_id: UUID | None = None
) -> Entry:
    """Take back a purchase that was reversed. What the balance lacks is receivable, and suspends spending."""
    _check(amount, least=1)
    return _post(owner_id, -amount, key, "adjustment", note, operator_id, may_owe=True)


def hold(
    *,
    owner_id: UUID,
    amount: int,
    key: str,
    subject_id: UUID,
    rate_card_ids: Sequence[int],
    breakdown: Breakdown,
    daily_limit: int | None = None,
) -> HoldResult:
    """Set `amount` aside for the job `subject_id`: it leaves the balance until the hold is closed.

    `daily_limit` caps what the owner spends in a UTC day: holds less what came back.
    Raises InsufficientCredits (also where there is no account), SpendingSuspended, DailyLimitReached.
    """
    _check(amount)
    hold_id = uuid.uuid4()
    row = _execute(
        statements.HOLD,
        {
            "owner": owner_id,
            "amount": amount,
            "key": key,
            "hold": hold_id,
            "subject": subject_id,
            "rate_cards": list(rate_card_ids),
            "breakdown": json.dumps(list(breakdown)),
            "daily_limit": daily_limit,
        },
    )
    if row is not None and row[2] is not None:
        return HoldResult(hold_id=hold_id, balance=row[0], held=row[1])
    if row is not None:
        _execute(statements.RESTORE, {"owner": owner_id})
    found = _execute(statements.WHY_NOT_HELD, {"owner": owner_id, "key": key})
    assert found is not None
    figures, (kind, was_for, held_amount, held_id, balance_after, held_after) = found[:3], found[3:]
    if kind is None:
        raise _refusal(owner_id, amount, daily_limit, *figures)
    if (kind, was_for, held_amount) != ("hold", subject_id, amount):
        raise _reused(key)
    return HoldResult(hold_id=held_id, balance=balance_after, held=held_after)


def hold_group(
    *, owner_id: UUID, key: str, parts: Sequence[HoldPart], daily_limit: int | None = None
) -> HoldGroupResult:
    """Take one hold per part, all or none, by one update of their sum. Raises as `hold` does."""
    if not parts:
        raise ValueError("a hold group has at least one part")
    for part in parts:
        _check(part.amount)
    group_id, hold_ids = uuid.uuid4(), tuple(uuid.uuid4() for _ in parts)
    total = sum(part.amount for part in parts)
    rows = [
        {
            "hold_id": str(hold_id),
            "amount": part.amount,
            "subject_id": str(part.subject_id),
            "rate_card_ids": list(part.rate_card_ids),
            "breakdown": list(part.breakdown),
        }
        for hold_id, part in zip(hold_ids, parts, strict=True)
    ]
    row = _execute(
        statements.HOLD_GROUP,
        {
            "owner": owner_id,
            "amount": total,
            "key": key,
            "group": group_id,
            "parts": json.dumps(rows),
            "daily_limit": daily_limit,
        },
    )
    if row is not None and row[2] is not None:
        return HoldGroupResult(group_id=group_id, hold_ids=hold_ids, balance=row[0], held=row[1])
    if row is not None:
        _execute(statements.RESTORE, {"owner": owner_id})
    group = HoldGroup.objects.filter(owner_id=owner_id, key=key).first()
    if group is None:
        figures = balance_of(owner_id)
        raise _refusal(owner_id, total, daily_limit, figures.balance, figures.receivable, figures.spent)
    opened = list(Entry.objects.filter(hold__group=group, kind="hold").order_by("id"))
    if [(entry.held_amount, entry.subject_id) for entry in opened] != [
        (part.amount, part.subject_id) for part in parts
    ]:
        raise _reused(key)
    return HoldGroupResult(
        group_id=group.id,
        hold_ids=tuple(entry.hold_id for entry in opened if entry.hold_id is not None),
        balance=opened[-1].balance_after,
        held=opened[-1].held_after,
    )


def capture(*, hold_id: UUID, amount: int) -> Closing:
    """Charge `amount` of the hold and give the rest back.

    Raises HoldNotFound, CaptureExceedsHold, and HoldClosed where it was released or captured at another amount.
    """
    _check(amount)
    return _close(hold_id, Hold.State.CAPTURED, amount, "")


def release(*, hold_id: UUID, reason: str) -> Closing:
    """Give the whole hold back. Raises HoldNotFound, and HoldClosed where it was captured."""
    return _close(hold_id, Hold.State.RELEASED, 0, reason)


def refund(*, hold_id: UUID, amount: int, key: str, note: str, operator_id: UUID | None) -> Entry:
    """Give back `amount` of what the hold captured. Raises HoldNotFound, RefundExceedsCaptured."""
    _check(amount, least=1)
    locked = _execute(statements.LOCK_FOR_REFUND, {"hold": hold_id})
    if locked is None:
        raise HoldNotFound(hold_id=str(hold_id))
    row = _execute(
        statements.REFUND,
        {"hold": hold_id, "amount": amount, "key": key, "note": note, "operator": operator_id},
    )
    if row is not None:
        return Entry.objects.get(pk=row[0])
    written = _written(locked[0], key)
    if written is None:
        held = Hold.objects.get(pk=hold_id)
        raise RefundExceedsCaptured(amount=amount, refundable=held.captured - held.refunded)
    if (written.kind, written.amount, written.hold_id) != ("refund", amount, hold_id):
        raise _reused(key)
    return written


def _post(
    owner_id: UUID, amount: int, key: str, kind: str, note: str, operator_id: UUID | None, *, may_owe: bool
) -> Entry:
    row = _execute(
        statements.POST,
        {
            "owner": owner_id,
            "amount": amount,
            "key": key,
            "kind": kind,
            "note": note,
            "operator": operator_id,
            "may_owe": may_owe,
        },
    )
    if row is not None and row[0] is not None:
        return Entry.objects.get(pk=row[0])
    if row is not None:
        _execute(statements.RESTORE, {"owner": owner_id})
    written = _written(owner_id, key)
    if written is None and row is None:
        raise InsufficientCredits(balance=balance_of(owner_id).balance, needed=-amount)
    if written is None or (written.kind, written.amount) != (kind, amount):
        raise _reused(key)
    return written


def _close(hold_id: UUID, state: Hold.State, captured: int, note: str) -> Closing:
    kind = Entry.Kind.CAPTURE if state == Hold.State.CAPTURED else Entry.Kind.RELEASE
    row = _execute(
        statements.CLOSE,
        {"hold": hold_id, "state": state.value, "kind": kind.value, "captured": captured, "note": note},
    )
    if row is not None and row[4] is not None:
        _, amount, net, held, _ = row
        return Closing(
            hold_id=hold_id, captured=captured, released=amount - captured, balance=max(net, 0), held=held
        )
    if row is not None:
        _execute(statements.RESTORE, {"owner": row[0]})
    hold = Hold.objects.select_related("closed_by").filter(pk=hold_id).first()
    if hold is None:
        raise HoldNotFound(hold_id=str(hold_id))
    if hold.closed_by is None:
        raise CaptureExceedsHold(amount=captured, held=hold.amount)
    if (hold.state, hold.captured) != (state, captured):
        raise HoldClosed(hold_id=str(hold_id), state=hold.state, captured=hold.captured)
    return Closing(
        hold_id=hold_id,
        captured=hold.captured,
        released=hold.closed_by.amount,
        balance=max(hold.closed_by.balance_after, 0),
        held=hold.closed_by.held_after,
    )


def _check(amount: int, *, least: int = 0) -> None:
    # bool is an int to Python, not to a bank.
    if type(amount) is not int or amount < least:
        raise ValueError(f"an amount of credits is a whole number of at least {least}, not {amount!r}")


def _execute(statement: str, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    if not connection.in_atomic_block:
        raise TransactionManagementError("a movement belongs in the transaction of what causes it")
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        # RESTORE and OPEN answer no rows.
        row: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else None
    return row


def _written(owner_id: UUID, key: str) -> Entry | None:
    return Entry.objects.filter(owner_id=owner_id, key=key).first()


def _reused(key: str) -> KeyReused:
    logger.warning("a ledger key came back with other figures", extra={"key": key})
    return KeyReused(key=key)


def _refusal(
    owner_id: UUID, needed: int, daily_limit: int | None, balance: int, receivable: int, spent: int
) -> InsufficientCredits | SpendingSuspended | DailyLimitReached:
    if receivable:
        return SpendingSuspended(receivable=receivable)
    if balance < needed or daily_limit is None:
        return InsufficientCredits(balance=balance, needed=needed)
    before_today = _execute(statements.SPENT_BEFORE_TODAY, {"owner": owner_id})
    spent_today = spent - (before_today[0] if before_today else 0)
    return DailyLimitReached(limit=daily_limit, needed=needed, remaining=max(0, daily_limit - spent_today))
