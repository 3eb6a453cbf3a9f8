"""The one log: each change of state is one event, numbered without gaps per account.

The counter row of an account stays locked until the transaction ends. So `append` is the last statement of
its transaction, and of all locks (credit account, job, counter) the counter's is taken last.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from accounts.models import Event
from workers.clock import AppNow
from workers.jobs import Change

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

PAGE = 100
LONGEST_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """An event to write: what happened to which row of whose account."""

    owner_id: UUID
    kind: str
    subject_id: UUID
    data: Mapping[str, JSON]


# Counters are locked in the order of their owners, so that two batches can't wait for each other.
_APPEND = """
WITH entries AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[])
        WITH ORDINALITY AS entry (owner_id, kind, subject_id, data, position)
), counted AS (
    INSERT INTO accounts_eventcounter AS counter (owner_id, last)
    SELECT owner_id, count(*) FROM entries GROUP BY owner_id ORDER BY owner_id
    ON CONFLICT (owner_id) DO UPDATE SET last = counter.last + excluded.last
    RETURNING owner_id, last
)
INSERT INTO accounts_event (owner_id, number, kind, subject_id, data)
SELECT owner_id,
       last - count(*) OVER (PARTITION BY owner_id)
            + row_number() OVER (PARTITION BY owner_id ORDER BY position),
       kind, subject_id, data::jsonb
FROM entries JOIN counted USING (owner_id)
"""


def append(entries: Sequence[EventEntry]) -> None:
    """Write events in the caller's transaction, as its last statement; one SQL statement however many.

    Events of one account are numbered in the order given, from the account's last number on.
    """
    if not entries:
        return
    if not connection.in_atomic_block:
        raise RuntimeError("events are written in the transaction of the change they tell of")
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND,
            [
                [entry.owner_id for entry in entries],
                [entry.kind for entry in entries],
                [entry.subject_id for entry in entries],
                [json.dumps(entry.data, cls=DjangoJSONEncoder) for entry in entries],
            ],
        )


def events_of(
    owner_id: UUID, *, after: int = 0, subject_id: UUID | None = None, limit: int = PAGE
) -> list[Event]:
    """The account's events with numbers above `after`, in order, at most `limit` (1 to 1,000).

    With `subject_id`, only those of that row. One statement, by index.
    """
    events = Event.objects.filter(owner_id=owner_id, number__gt=after)
    if subject_id is not None:
        events = events.filter(subject_id=subject_id)
    return list(events.order_by("number")[: max(1, min(limit, LONGEST_PAGE))])


def forget_old() -> int:
    """Delete events older than settings.EVENTS_KEPT, at most 10,000. Safe to repeat. Returns how many."""
    old = Event.objects.filter(created_at__lt=AppNow() - settings.EVENTS_KEPT)
    return Event.objects.filter(pk__in=old.order_by("created_at").values("pk")[:10_000]).delete()[0]


def write_changes(changes: Sequence[Change]) -> None:
    """Write what the engine's jobs tell as events: a listener of `workers.jobs`."""
    append(
        [
            EventEntry(
                owner_id=change.owner_id, kind=change.kind, subject_id=change.subject_id, data=change.data
            )
            for change in changes
        ]
    )
