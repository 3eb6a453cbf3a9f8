"""The store against the rows: objects that no row knows are deleted, rows whose object is gone raise an alarm.

Both are in the order of the keys, so one walk compares them. A round goes through the whole store, a part at
each run of the sweep, and begins once a day.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import QuerySet

from accounts.events.log import append
from generations import assets, storage
from generations.models import Asset, AssetState, Inventory
from generations.storage import StoredKey
from workers import clock

logger = logging.getLogger(__name__)

ROUND_EVERY = timedelta(hours=24)
# Younger objects may belong to a delivery or an upload that is still under way.
ORPHAN_AFTER = timedelta(hours=24)
BATCH = 1000
# Of one run of the sweep.
BATCHES = 20
# Of one batch: that many are a store that lost its mind, and people look at that first.
MOST_LOST = 100


def compare(batches: int = BATCHES) -> int:
    """Go on with the round, or begin one where the last began a day ago; how many objects and rows were put right.

    Safe to run twice at once. Raises StorageUnavailable; the next run goes on from there.
    """
    row, _ = Inventory.objects.get_or_create(id=1)
    now = clock.now()
    if not row.position:
        if row.round_started_at is not None and row.round_started_at > now - ROUND_EVERY:
            return 0
        Inventory.objects.update(round_started_at=now)
    listed = storage.list_objects(after=row.position)
    position, put_right = row.position, 0
    for _ in range(batches):
        batch = list(islice(listed, BATCH))
        last = batch[-1].key if len(batch) == BATCH else ""
        put_right += _delete_orphans(batch, now) + _report_lost(batch, now, after=position, last=last)
        position = last
        Inventory.objects.update(position=position)
        if not position:
            break
    return put_right


def _delete_orphans(batch: Sequence[StoredKey], now: datetime) -> int:
    """Delete what no row knows, and what a row knows as deleted already."""
    old = [stored.key for stored in batch if stored.modified_at < now - ORPHAN_AFTER]
    ids = {asset_id for key in old if (asset_id := storage.asset_id_of(key)) is not None}
    known = set(_keys_of(Asset.objects.filter(id__in=ids, bytes_deleted_at__isnull=True)))
    orphans = [key for key in old if key not in known]
    if not orphans:
        return 0
    failed = storage.delete(orphans)
    logger.warning(
        "%d objects that no row knows were deleted, %d were not", len(orphans) - len(failed), len(failed)
    )
    return len(orphans) - len(failed)


def _keys_of(rows: QuerySet[Asset]) -> Iterator[str]:
    for *keys, further in rows.values_list("key", "thumbnail_key", "poster_key", "further_keys"):
        yield from (*keys, *further)


def _report_lost(batch: Sequence[StoredKey], now: datetime, *, after: str, last: str) -> int:
    """Mark ready files whose object is not where the listing should have it; `last` is "" at the store's end."""
    present = {stored.key for stored in batch}
    # What is expiring loses its object before its row says so.
    rows = Asset.objects.filter(state=AssetState.READY, key__gt=after, expires_at__gt=now).exclude(key="")
    if last:
        rows = rows.filter(key__lte=last)
    found = rows.order_by("key").only("id", "owner_id", "kind", "name", "key").iterator(BATCH)
    # Stored since the listing was made? Ask for each.
    lost = (asset for asset in found if asset.key not in present and storage.head(asset.key) is None)
    return sum(map(_mark_lost, list(islice(lost, MOST_LOST))))


def _mark_lost(asset: Asset) -> int:
    with transaction.atomic():
        changed = Asset.objects.filter(id=asset.id, state=AssetState.READY, key=asset.key).update(
            state=AssetState.LOST
        )
        if changed:
            append([assets.event(asset, "asset.lost")])
    if changed:
        logger.error("the object of asset %s is gone", asset.id, extra={"alarm": "object_missing"})
    return changed
