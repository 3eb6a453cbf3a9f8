"""Videos go seven days after completion: unreadable at `expires_at`, their bytes a quarter of an hour later.

Bytes first, then the mark, both repeatable; what the store refuses is recorded and tried again.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction

from accounts.events.log import EventEntry, append
from generations import storage
from generations.models import Asset, AssetState
from generations.storage import StorageUnavailable
from workers.clock import AppNow

logger = logging.getLogger(__name__)

BATCH = 1000
# One run of the sweep; the rest is due at the next.
SECONDS = 20.0

# A batch is taken by pinning it for two minutes: another clock passes it over, and after a crash it is due again.
_TAKE = """
UPDATE generations_asset SET pinned_until = app_now() + interval '2 minutes'
WHERE id IN (
    SELECT id FROM generations_asset
    WHERE bytes_deleted_at IS NULL AND expires_at IS NOT NULL AND expires_at <= app_now() - %s
    AND (pinned_until IS NULL OR pinned_until <= app_now())
    ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING id, owner_id, state, key, thumbnail_key, poster_key
"""

_MARK = """
UPDATE generations_asset SET bytes_deleted_at = app_now(), pinned_until = NULL, bytes = 0,
    state = CASE WHEN state = 'deleted' THEN state ELSE 'expired' END
WHERE id = ANY(%s) AND bytes_deleted_at IS NULL
"""

# Farther apart with each failure, from two minutes to about a day.
_POSTPONE = """
UPDATE generations_asset SET deletion_failures = deletion_failures + 1, deletion_error = failed.reason,
    pinned_until = app_now() + interval '2 minutes' * least(720, 2 ^ least(deletion_failures, 10))
FROM unnest(%s::uuid[], %s::varchar[]) AS failed (id, reason) WHERE generations_asset.id = failed.id
"""


def expire_due() -> int:
    """Delete the bytes of what is due, in batches of 1,000, for at most 20 seconds; how many assets."""
    expired = 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        taken, done = expire_batch()
        expired += done
        if taken < BATCH:
            break
    return expired


def expire_batch() -> tuple[int, int]:
    """One batch: how many were due, and how many are gone. Three statements, four where some failed."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [settings.EXPIRY_GRACE, BATCH])
        rows = cursor.fetchall()
    if not rows:
        return 0, 0
    keys = {one: row[0] for row in rows for one in (row[3], row[4], row[5]) if one}
    keys |= {
        storage.incoming_key(row[0]): row[0] for row in rows if row[2] == AssetState.DELETED and not row[3]
    }
    failures: dict[object, str] = {}
    every = list(keys)
    for start in range(0, len(every), storage.DELETED_AT_ONCE):
        part = every[start : start + storage.DELETED_AT_ONCE]
        try:
            refused = storage.delete(part)
        except StorageUnavailable as error:
            refused = dict.fromkeys(part, error.code)
        failures.update({keys[key]: reason for key, reason in refused.items()})
    gone = [row for row in rows if row[0] not in failures]
    with transaction.atomic(), connection.cursor() as cursor:
        if failures:
            logger.error("%d assets could not be deleted", len(failures), extra={"alarm": "deletion_failed"})
            cursor.execute(_POSTPONE, [list(failures), [reason[:300] for reason in failures.values()]])
        cursor.execute(_MARK, [[row[0] for row in gone]])
        append(
            [
                EventEntry(owner_id=row[1], kind="asset.expired", subject_id=row[0], data={})
                for row in gone
                if row[2] != AssetState.DELETED
            ]
        )
    return len(rows), len(gone)


def forget_unfinished() -> int:
    """Delete uploads that were announced a day ago and never finished; how many."""
    old = Asset.objects.filter(
        state=AssetState.UPLOADING, created_at__lt=AppNow() - timedelta(hours=24)
    ).values("id")[:BATCH]
    return Asset.objects.filter(id__in=old).update(
        state=AssetState.DELETED, deleted_at=AppNow(), expires_at=AppNow() - settings.EXPIRY_GRACE
    )
