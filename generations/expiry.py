"""Files go when their time is over: unreadable at `expires_at`, their bytes a quarter of an hour later.

Bytes first, then the mark, both repeatable; what the store refuses is recorded and tried again. Unfinished
uploads and files that their owners deleted go the same way.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts.events.log import JSON, EventEntry, append
from generations import storage
from generations.storage import StorageUnavailable

logger = logging.getLogger(__name__)

BATCH = 1000
# One run of the sweep; the rest is due at the next.
BATCHES = 20
SECONDS = 20.0

# The index on the same expression finds the batch. Another clock passes over what is locked, and what was taken
# is not due again for the length of the grace: a crash costs that.
_TAKE = """
WITH due AS (
    SELECT id FROM generations_asset
    WHERE bytes_deleted_at IS NULL AND expires_at IS NOT NULL
    AND GREATEST(expires_at, pinned_until, deletion_retry_at) <= app_now() - %s::interval
    ORDER BY GREATEST(expires_at, pinned_until, deletion_retry_at)
    LIMIT %s FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE generations_asset asset SET deletion_retry_at = app_now() FROM due WHERE asset.id = due.id
    RETURNING asset.id, asset.owner_id, asset.state, asset.kind, asset.key, asset.thumbnail_key, asset.poster_key,
        asset.further_keys
)
SELECT taken.*, made_by.id FROM taken LEFT JOIN generations_generation made_by ON made_by.output_id = taken.id
"""

# An upload that was never finished leaves no trace; the record of any other file stays. Not marked are those that
# another worker marked meanwhile, and an upload that was finished in the last moment: its key is another.
_MARK = """
UPDATE generations_asset SET bytes_deleted_at = app_now(), linked_url = NULL, deletion_retry_at = NULL,
    deleted_at = CASE WHEN state = 'uploading' THEN app_now() ELSE deleted_at END,
    state = CASE state WHEN 'ready' THEN 'expired' WHEN 'uploading' THEN 'deleted' ELSE state END
FROM unnest(%s::uuid[], %s::text[]) AS gone (asset_id, deleted_key)
WHERE id = asset_id AND key = deleted_key AND bytes_deleted_at IS NULL RETURNING id
"""

# Farther apart with each failure, from a quarter of an hour to about a day.
_POSTPONE = """
UPDATE generations_asset SET deletion_failures = deletion_failures + 1, deletion_error = failed.reason,
    deletion_retry_at = app_now() + %s::interval * (2 ^ least(deletion_failures, 7) - 1)
FROM unnest(%s::uuid[], %s::varchar[]) AS failed (id, reason) WHERE generations_asset.id = failed.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What became of one batch, in assets: how many were due, whose bytes are gone, whose are not."""

    due: int
    gone: int
    failed: int


@dataclass(frozen=True, slots=True)
class _Due:
    id: UUID
    owner_id: UUID
    state: str
    kind: str
    key: str
    thumbnail_key: str
    poster_key: str
    further_keys: list[str]
    generation_id: UUID | None

    @property
    def keys(self) -> list[str]:
        return [key for key in (self.key, self.thumbnail_key, self.poster_key, *self.further_keys) if key]


def expire_due(batches: int = BATCHES) -> int:
    """Delete the bytes of what is due, in batches of 1,000, for about 20 seconds; how many assets.

    Safe to run twice at once. Stops early where the store fails.
    """
    gone = 0
    deadline = time.monotonic() + SECONDS
    for _ in range(batches):
        batch = expire_batch()
        gone += batch.gone
        if batch.due < BATCH or batch.failed == batch.due or time.monotonic() > deadline:
            break
    return gone


def expire_batch() -> Batch:
    """One batch: three statements, four where some failed; no transaction is open during the deletion."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [_grace(), BATCH])
        due = [_Due(*row) for row in cursor.fetchall()]
    if not due:
        return Batch(due=0, gone=0, failed=0)
    failures = _delete_objects(due)
    gone = [asset for asset in due if asset.id not in failures]
    with transaction.atomic(), connection.cursor() as cursor:
        if failures:
            cursor.execute(_POSTPONE, [_grace(), list(failures), list(failures.values())])
        cursor.execute(_MARK, [[asset.id for asset in gone], [asset.key for asset in gone]])
        marked = {row[0] for row in cursor.fetchall()}
        # Of an upload that nobody finished nobody need hear; a deleted file was told of when its owner said so.
        append([_event(asset) for asset in due if asset.id in marked and asset.state == "ready"])
    if failures:
        logger.error(
            "%d of %d assets could not be deleted: %s",
            len(failures),
            len(due),
            sorted(set(failures.values())),
            extra={"alarm": "deletion_failed"},
        )
    return Batch(due=len(due), gone=len(marked), failed=len(failures))


def _delete_objects(due: list[_Due]) -> Mapping[UUID, str]:
    """Delete all objects of the assets; those of which some are left, with the store's reason."""
    owners = {key: asset.id for asset in due for key in asset.keys}
    failures: dict[UUID, str] = {}
    every = list(owners)
    for start in range(0, len(every), storage.DELETED_AT_ONCE):
        keys = every[start : start + storage.DELETED_AT_ONCE]
        try:
            refused = storage.delete(keys)
        except StorageUnavailable as error:
            refused = dict.fromkeys(keys, error.message)
        failures.update({owners[key]: reason[:300] for key, reason in refused.items()})
    return failures


def _grace() -> str:
    return f"{settings.EXPIRY_GRACE.total_seconds()} seconds"


def _event(asset: _Due) -> EventEntry:
    data: dict[str, JSON] = {"kind": asset.kind}
    if asset.generation_id is not None:
        data["generation_id"] = str(asset.generation_id)
    return EventEntry(owner_id=asset.owner_id, kind="asset.expired", subject_id=asset.id, data=data)
