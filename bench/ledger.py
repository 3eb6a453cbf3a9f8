"""Holds and captures per second: `credits.ledger` beside the same work as plain statements.

The peer writes the same rows by the usual sequence (move the account, insert the entry, insert the hold; read the
hold, move the account, insert the entry, close the hold), with psycopg's defaults, prepared statements included.
It lacks what the ledger adds: repeats, limits, debts, typed refusals.
"""

import itertools
import uuid
from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.types.json import Jsonb

from accounts.models import User
from credits import ledger
from tests.scratch import database_url

from .measure import Measure, alternating

AMOUNT, CAPTURED = 100, 70
BREAKDOWN = [{"label": "base", "credits": 100, "factor": "sandbox/motion-1 v1"}]

TAKE = (
    "UPDATE credits_account SET balance = balance - %s, held = held + %s, spent = spent + %s, moved_at = app_now()"
    " WHERE owner_id = %s AND balance >= %s RETURNING balance, held, spent, moved_at"
)
ENTER = (
    "INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,"
    " hold_id, subject_id, note, rate_card_ids, breakdown, created_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, %s, %s) RETURNING id"
)
OPEN_HOLD = (
    "INSERT INTO credits_hold (id, owner_id, subject_id, state, amount, captured, refunded, created_at)"
    " VALUES (%s, %s, %s, 'open', %s, 0, 0, %s)"
)
READ_HOLD = "SELECT owner_id, amount, subject_id FROM credits_hold WHERE id = %s AND state = 'open'"
GIVE_BACK = (
    "UPDATE credits_account SET balance = balance + %s, held = held - %s, spent = spent - %s, moved_at = app_now()"
    " WHERE owner_id = %s RETURNING balance, held, spent, moved_at"
)
CLOSE_HOLD = (
    "UPDATE credits_hold SET state = 'captured', captured = %s, closed_by_id = %s, closed_at = %s"
    " WHERE id = %s AND state = 'open'"
)


def run() -> list[Measure]:
    owners = _fund(1000)
    measures: list[Measure] = []
    with psycopg.connect(database_url()) as raw:
        for name, accounts, bar in (("one hot account", owners[:1], 0.8), ("1,000 accounts", owners, 0.6)):
            result = alternating(_ours(accounts), _plain(raw, accounts))
            measures += result.measures(name, unit="pairs/s", bar=bar)
    for name, count in _statements(owners[0]):
        measures.append(Measure(name=f"statements of a {name}", value=count, unit="", bar=1, better="less"))
    return measures


def _fund(count: int) -> list[UUID]:
    owners = [
        user.pk for user in User.objects.bulk_create(User(email=f"{n}@example.com") for n in range(count))
    ]
    with transaction.atomic():
        for owner in owners:
            ledger.grant(owner_id=owner, amount=10**12, key="start:" + str(owner))
    return owners


def _hold(owner: UUID) -> UUID:
    key = uuid.uuid4()
    return ledger.hold(
        owner_id=owner,
        amount=AMOUNT,
        key=f"generation:{key}",
        subject_id=key,
        rate_card_ids=[1],
        breakdown=BREAKDOWN,
    ).hold_id


def _ours(owners: Sequence[UUID]) -> Callable[[], None]:
    turns = itertools.cycle(owners)

    def pair() -> None:
        with transaction.atomic():
            hold_id = _hold(next(turns))
        with transaction.atomic():
            ledger.capture(hold_id=hold_id, amount=CAPTURED)

    return pair


def _plain(raw: psycopg.Connection, owners: Sequence[UUID]) -> Callable[[], None]:
    turns = itertools.cycle(owners)

    def pair() -> None:
        owner, hold_id, subject = next(turns), uuid.uuid4(), uuid.uuid4()
        cursor = raw.execute(TAKE, [AMOUNT, AMOUNT, AMOUNT, owner, AMOUNT])
        balance, held, spent, at = cursor.fetchone() or ()
        raw.execute(
            ENTER,
            [owner, f"generation:{subject}", "hold", -AMOUNT, AMOUNT, balance, held, spent, hold_id, subject,
             [1], Jsonb(BREAKDOWN), at],
        )  # fmt: skip
        raw.execute(OPEN_HOLD, [hold_id, owner, subject, AMOUNT, at])
        raw.commit()

        owner, amount, subject = raw.execute(READ_HOLD, [hold_id]).fetchone() or ()
        back = amount - CAPTURED
        balance, held, spent, at = raw.execute(GIVE_BACK, [back, amount, back, owner]).fetchone() or ()
        entry = raw.execute(
            ENTER,
            [owner, f"close:{hold_id}", "capture", back, -amount, balance, held, spent, hold_id, subject,
             [], Jsonb([]), at],
        ).fetchone() or ()  # fmt: skip
        raw.execute(CLOSE_HOLD, [CAPTURED, entry[0], at, hold_id])
        raw.commit()

    return pair


def _statements(owner: UUID) -> list[tuple[str, int]]:
    counts: list[tuple[str, int]] = []
    with transaction.atomic():
        with CaptureQueriesContext(connection) as queries:
            hold_id = _hold(owner)
        counts.append(("hold", len(queries)))
        with CaptureQueriesContext(connection) as queries:
            ledger.capture(hold_id=hold_id, amount=CAPTURED)
        counts.append(("capture", len(queries)))
    return counts
