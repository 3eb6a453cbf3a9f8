"""Recomputes every balance and held amount from the entries, and says where a row disagrees.

Set-based and bounded: one statement per batch of accounts, which is also what makes a batch consistent while the
ledger is being written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Something that disagrees: what, by the row, and by the entries."""

    owner_id: UUID
    what: str
    kept: int | None
    recomputed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was looked at and what was wrong."""

    accounts: int
    entries: int
    holds: int
    drifts: tuple[Drift, ...]

    @property
    def agrees(self) -> bool:
        """Whether every figure is what the entries say."""
        return not self.drifts


# Owners are taken from all three tables, so that an entry without an account is found too.
_OWNERS = """
SELECT owner_id FROM (
    (SELECT owner_id FROM credits_account WHERE owner_id > %(after)s ORDER BY owner_id LIMIT %(batch)s)
    UNION
    (SELECT DISTINCT owner_id FROM credits_entry WHERE owner_id > %(after)s ORDER BY owner_id LIMIT %(batch)s)
    UNION
    (SELECT DISTINCT owner_id FROM credits_hold WHERE owner_id > %(after)s ORDER BY owner_id LIMIT %(batch)s)
) owners ORDER BY owner_id LIMIT %(batch)s
"""

_COMPARE = """
WITH owners AS MATERIALIZED (SELECT unnest(%(owners)s::uuid[]) AS owner_id),
entries AS MATERIALIZED (
    SELECT e.*, kind IN ('capture', 'release') AS closes,
        sum(amount) OVER sofar AS balance_sum, sum(held_amount) OVER sofar AS held_sum,
        sum(CASE WHEN kind IN ('hold', 'capture', 'release', 'refund') THEN -amount ELSE 0 END) OVER sofar AS spent_sum
    FROM credits_entry e JOIN owners USING (owner_id)
    WINDOW sofar AS (PARTITION BY e.owner_id ORDER BY e.id)
),
holds AS MATERIALIZED (SELECT h.* FROM credits_hold h JOIN owners USING (owner_id)),
sums AS (
    SELECT owner_id, count(*) AS entries, sum(amount) AS balance, sum(held_amount) AS held,
        sum(CASE WHEN kind IN ('hold', 'capture', 'release', 'refund') THEN -amount ELSE 0 END) AS spent
    FROM entries GROUP BY owner_id
),
open_holds AS (SELECT owner_id, sum(amount) AS held FROM holds WHERE state = 'open' GROUP BY owner_id),
account AS (
    SELECT owner_id, a.owner_id IS NOT NULL AS opened, coalesce(s.entries, 0) AS entries,
        coalesce(a.balance - a.receivable, 0) AS balance, coalesce(s.balance, 0) AS balance_sum,
        coalesce(a.held, 0) AS held, coalesce(s.held, 0) AS held_sum, coalesce(o.held, 0) AS held_open,
        coalesce(a.spent, 0) AS spent, coalesce(s.spent, 0) AS spent_sum
    FROM owners LEFT JOIN credits_account a USING (owner_id) LEFT JOIN sums s USING (owner_id)
        LEFT JOIN open_holds o USING (owner_id)
),
by_hold AS (
    SELECT e.hold_id, (array_agg(e.owner_id))[1] AS owner_id,
        count(*) FILTER (WHERE e.kind = 'hold') AS openings,
        coalesce(sum(e.held_amount) FILTER (WHERE e.kind = 'hold'), 0) AS opened,
        count(*) FILTER (WHERE e.closes) AS closings,
        coalesce(sum(-e.held_amount - e.amount) FILTER (WHERE e.closes), 0) AS captured,
        coalesce(sum(-e.held_amount) FILTER (WHERE e.closes), 0) AS closed,
        coalesce(sum(e.amount) FILTER (WHERE e.kind = 'refund'), 0) AS refunded,
        bool_and(h.owner_id = e.owner_id) AS one_owner,
        max(e.id) FILTER (WHERE e.closes) AS closing_id,
        max(e.kind) FILTER (WHERE e.closes) AS closing_kind
    FROM entries e LEFT JOIN credits_hold h ON h.id = e.hold_id
    WHERE e.hold_id IS NOT NULL GROUP BY e.hold_id
),
drift AS (
    SELECT owner_id, 'balance' AS what, balance AS kept, balance_sum AS recomputed
    FROM account WHERE balance <> balance_sum
    UNION ALL
    SELECT owner_id, 'held', held, held_sum FROM account WHERE held <> held_sum
    UNION ALL
    SELECT owner_id, 'held by open holds', held, held_open FROM account WHERE held <> held_open
    UNION ALL
    SELECT owner_id, 'spent', spent, spent_sum FROM account WHERE spent <> spent_sum
    UNION ALL
    SELECT owner_id, 'account of entries', 0, entries FROM account WHERE entries > 0 AND NOT opened
    UNION ALL
    SELECT owner_id, 'balance after entry ' || id, balance_after, balance_sum FROM entries
    WHERE balance_after <> balance_sum
    UNION ALL
    SELECT owner_id, 'held after entry ' || id, held_after, held_sum FROM entries WHERE held_after <> held_sum
    UNION ALL
    SELECT owner_id, 'spent after entry ' || id, spent_after, spent_sum FROM entries WHERE spent_after <> spent_sum
    UNION ALL
    SELECT h.owner_id, 'opening entries of hold ' || h.id, 1, coalesce(b.openings, 0)
    FROM holds h LEFT JOIN by_hold b ON b.hold_id = h.id WHERE coalesce(b.openings, 0) <> 1
    UNION ALL
    SELECT h.owner_id, 'closing entries of hold ' || h.id, (h.state <> 'open')::int, coalesce(b.closings, 0)
    FROM holds h LEFT JOIN by_hold b ON b.hold_id = h.id
    WHERE coalesce(b.closings, 0) <> (h.state <> 'open')::int
        OR h.closed_by_id IS DISTINCT FROM b.closing_id
        OR (h.state <> 'open' AND b.closing_kind <> CASE h.state WHEN 'captured' THEN 'capture' ELSE 'release' END)
    UNION ALL
    SELECT h.owner_id, 'amount of hold ' || h.id, h.amount, b.opened
    FROM holds h JOIN by_hold b ON b.hold_id = h.id
    WHERE h.amount <> b.opened OR (b.closings = 1 AND b.closed <> h.amount)
    UNION ALL
    SELECT h.owner_id, 'captured from hold ' || h.id, h.captured, b.captured
    FROM holds h JOIN by_hold b ON b.hold_id = h.id
    WHERE h.captured <> b.captured OR h.captured > h.amount
    UNION ALL
    SELECT h.owner_id, 'refunded of hold ' || h.id, h.refunded, b.refunded
    FROM holds h JOIN by_hold b ON b.hold_id = h.id
    WHERE h.refunded <> b.refunded OR h.refunded > h.captured
    UNION ALL
    SELECT owner_id, 'owner of the entries of hold ' || hold_id, NULL, NULL FROM by_hold WHERE one_owner IS NOT TRUE
)
SELECT owner_id, what, kept, recomputed,
    (SELECT coalesce(sum(entries), 0) FROM sums), (SELECT count(*) FROM holds)
FROM drift RIGHT JOIN (SELECT) always ON true ORDER BY owner_id, what
"""


def verify(owner_id: UUID) -> Verification:
    """Check one owner's account."""
    return _compare([owner_id])


def verify_all(batch: int = BATCH) -> Iterator[Verification]:
    """Check every account, `batch` at a time."""
    after = UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_OWNERS, {"after": after, "batch": batch})
            owners = [row[0] for row in cursor.fetchall()]
        if not owners:
            return
        yield _compare(owners)
        after = owners[-1]


def _compare(owners: Sequence[UUID]) -> Verification:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, {"owners": list(owners)})
        rows = cursor.fetchall()
    return Verification(
        accounts=len(owners),
        entries=int(rows[0][4]),
        holds=rows[0][5],
        drifts=tuple(
            Drift(owner_id=owner, what=what, kept=_whole(kept), recomputed=_whole(recomputed))
            for owner, what, kept, recomputed, _, _ in rows
            if owner is not None
        ),
    )


def _whole(figure: object) -> int | None:
    # PostgreSQL's sum of bigint is numeric.
    return None if figure is None else int(str(figure))
