"""The store against the rows: objects that no row knows, and rows whose object is gone."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import Q

from generations import storage
from generations.models import Asset, AssetState
from workers import clock

logger = logging.getLogger(__name__)

# Younger objects may belong to a delivery or an upload that is still under way.
ORPHAN_AFTER = timedelta(hours=24)
BATCH = 1000


def sweep() -> int:
    """Delete orphaned objects older than a day, and report rows without their object; how many of both."""
    return delete_orphans() + report_missing()


def delete_orphans() -> int:
    """Delete the objects that no row knows; how many."""
    cutoff = clock.now() - ORPHAN_AFTER
    batch: list[str] = []
    deleted = 0
    for prefix in ("assets/", storage.INCOMING):
        for stored in storage.list_objects(prefix):
            if stored.modified_at < cutoff:
                batch.append(stored.key)
            if len(batch) == BATCH:
                deleted += _delete_unknown(batch)
                batch = []
    return deleted + _delete_unknown(batch)


def _delete_unknown(keys: list[str]) -> int:
    if not keys:
        return 0
    known = Asset.objects.filter(bytes_deleted_at__isnull=True).filter(
        Q(key__in=keys)
        | Q(id__in=_asset_ids(keys), thumbnail_key__in=keys)
        | Q(id__in=_asset_ids(keys), poster_key__in=keys)
    )
    kept = {key for row in known.values_list("key", "thumbnail_key", "poster_key") for key in row}
    uploading = set(
        Asset.objects.filter(id__in=_incoming_ids(keys), state=AssetState.UPLOADING).values_list(
            "id", flat=True
        )
    )
    unknown = [
        key
        for key in keys
        if key not in kept
        and not (key.startswith(storage.INCOMING) and UUID(key.removeprefix(storage.INCOMING)) in uploading)
    ]
    failed = storage.delete(unknown)
    return len(unknown) - len(failed)


def _asset_ids(keys: Iterable[str]) -> list[UUID]:
    return [UUID(key.split("/")[2]) for key in keys if key.startswith("assets/")]


def _incoming_ids(keys: Iterable[str]) -> list[UUID]:
    return [UUID(key.removeprefix(storage.INCOMING)) for key in keys if key.startswith(storage.INCOMING)]


def report_missing() -> int:
    """Alarm for ready assets of the last day whose object is gone; how many."""
    recent = Asset.objects.filter(
        state=AssetState.READY,
        created_at__gt=clock.now() - ORPHAN_AFTER,
        bytes_deleted_at__isnull=True,
    ).exclude(key="")
    missing = 0
    for asset_id, key in recent.order_by("created_at").values_list("id", "key")[:BATCH]:
        if storage.head(key) is None:
            missing += 1
            logger.error("the object of asset %s is gone", asset_id, extra={"alarm": "object_missing"})
    return missing
