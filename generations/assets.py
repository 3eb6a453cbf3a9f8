"""An owner's stored files: found, pinned while work needs them, linked to for minutes."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Sum

from accounts.events.log import EventEntry, append
from generations import encryption, storage
from generations.asset_errors import (
    AssetExpired,
    AssetInUse,
    AssetLost,
    AssetNotFound,
    AssetNotReady,
    WrongKind,
)
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import BY_PRODUCTS
from workers import clock
from workers.clock import AppNow

LINK_VALID = timedelta(minutes=10)


def find(owner_id: UUID, asset_id: UUID, field: str = "id") -> Asset:
    """The owner's asset, deleted ones not. Raises AssetNotFound."""
    asset = Asset.objects.filter(id=asset_id, owner_id=owner_id).exclude(state=AssetState.DELETED).first()
    if asset is None:
        raise AssetNotFound(asset_id=str(asset_id), field=field)
    return asset


def find_ready(
    owner_id: UUID, asset_id: UUID, kinds: Sequence[AssetKind], *, field: str, now: datetime
) -> Asset:
    """The owner's asset, usable now. Raises AssetNotFound, AssetNotReady, AssetExpired or WrongKind."""
    asset = find(owner_id, asset_id, field)
    check_ready(asset, now, field)
    if asset.kind not in kinds:
        raise WrongKind(field=field, wanted=" or ".join(kinds), kind=asset.kind)
    return asset


def check_ready(asset: Asset, now: datetime, field: str = "id") -> None:
    """Raises AssetNotReady, AssetExpired or AssetLost."""
    if asset.state == AssetState.UPLOADING:
        raise AssetNotReady(field=field)
    if asset.state == AssetState.LOST:
        raise AssetLost(field=field)
    if asset.state != AssetState.READY or is_over(asset, now):
        assert asset.expires_at is not None
        raise AssetExpired(field=field, expires_at=asset.expires_at.isoformat())


def is_over(asset: Asset, now: datetime) -> bool:
    """Whether its time has passed; a pin keeps only the bytes, for the work that needs them."""
    return asset.expires_at is not None and asset.expires_at <= now


def is_pinned(asset: Asset, now: datetime) -> bool:
    """Whether unfinished work needs it."""
    return asset.pinned_until is not None and asset.pinned_until > now


def storage_used(owner_id: UUID) -> int:
    """Bytes the owner's files take, uploads at their announced size. One statement, by a covering index."""
    counted = Asset.objects.filter(owner_id=owner_id, state__in=[AssetState.UPLOADING, AssetState.READY])
    used: int | None = counted.exclude(origin__in=BY_PRODUCTS).aggregate(used=Sum("bytes"))["used"]
    return used or 0


# Rows are locked in the order of their ids, so that two clips with the same two pictures can't wait for each
# other; without the key, which foreign keys hold.
_LOCKED = (
    "WITH locked AS (SELECT id FROM generations_asset WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE)"
)

_TOUCH = f"""
{_LOCKED} UPDATE generations_asset asset SET expires_at = GREATEST(expires_at, app_now() + %(days)s * interval '1 day')
FROM locked WHERE asset.id = locked.id AND origin = 'upload' AND state = 'ready'
"""

_PIN = f"""
{_LOCKED} UPDATE generations_asset asset SET pinned_until = GREATEST(pinned_until, %(until)s)
FROM locked WHERE asset.id = locked.id AND state = 'ready' RETURNING asset.id
"""

_UNPIN = """
UPDATE generations_asset asset SET pinned_until = NULL WHERE asset.id = ANY(%(ids)s) AND NOT EXISTS (
    SELECT 1 FROM generations_generation WHERE ended_at IS NULL AND start_image_id = asset.id
    UNION ALL SELECT 1 FROM generations_generation WHERE ended_at IS NULL AND end_image_id = asset.id
    UNION ALL SELECT 1 FROM generations_generation WHERE ended_at IS NULL AND source_video_id = asset.id
)
"""


Keeper = Callable[[Sequence[UUID]], set[UUID]]
_keepers: list[Keeper] = []


def register_keeper(keeper: Keeper) -> None:
    """Have `keeper` asked which of some files unfinished work of another kind needs. From `AppConfig.ready`."""
    _keepers.append(keeper)


def touch(asset_ids: Sequence[UUID]) -> None:
    """An upload was used: its seven days begin again. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, {"ids": list(asset_ids), "days": settings.UPLOADS_KEPT.days})


def pin(asset_ids: Sequence[UUID], until: datetime) -> None:
    """Keep the bytes of these files while unfinished work needs them. One statement, in the work's transaction.

    Raises AssetNotFound for one that was deleted meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PIN, {"ids": list(asset_ids), "until": until})
        pinned = {row[0] for row in cursor.fetchall()}
    for asset_id in asset_ids:
        if asset_id not in pinned:
            raise AssetNotFound(asset_id=str(asset_id), field="id")


def unpin(asset_ids: Sequence[UUID]) -> None:
    """Let go of the files that no other unfinished work needs. Two statements, and one a keeper, in a transaction."""
    if not asset_ids:
        return
    ids = list(asset_ids)
    with connection.cursor() as cursor:
        # First the locks: whoever pins them at this moment is then seen by the next statements.
        cursor.execute(f"{_LOCKED} SELECT FROM locked", {"ids": ids})
        kept = set[UUID]().union(*(keeper(ids) for keeper in _keepers))
        cursor.execute(_UNPIN, {"ids": [one for one in ids if one not in kept]})


def signed_input_url(asset: Asset, expires_in: timedelta) -> str:
    """A link by which a vendor fetches this input; it outlives the vendor's queue, as the pin does."""
    return storage.signed_download(
        asset.key, file_name=asset.name, media_type=asset.media_type, expires_in=expires_in, inline=True
    )


def download_url(asset: Asset, now: datetime, *, inline: bool = False) -> str:
    """A link of at most ten minutes, and never beyond the asset's own time. Raises as `check_ready` does."""
    check_ready(asset, now)
    if asset.linked_url is not None:
        return encryption.decrypt(bytes(asset.linked_url))
    return storage.signed_download(
        asset.key,
        file_name=asset.name,
        media_type=asset.media_type,
        expires_in=_link_time(asset, now),
        inline=inline,
    )


def picture_url(asset: Asset, key: str, now: datetime) -> str | None:
    """A link to a picture of the asset; None if it has none or its time is over."""
    return file_url(asset, key, now, name="picture.jpg", media_type="image/jpeg")


def file_url(asset: Asset, key: str, now: datetime, *, name: str, media_type: str) -> str | None:
    """A link to a file that belongs to the asset; None if it has none or its time is over."""
    if not key or asset.state != AssetState.READY or is_over(asset, now):
        return None
    return storage.signed_download(
        key, file_name=name, media_type=media_type, expires_in=_link_time(asset, now), inline=True
    )


def _link_time(asset: Asset, now: datetime) -> timedelta:
    assert asset.expires_at is not None
    return max(min(LINK_VALID, asset.expires_at - now), timedelta(seconds=1))


def delete(owner_id: UUID, asset_id: UUID) -> None:
    """The owner's wish: unreadable at once, its bytes go with the next sweep. Writes an event, last.

    Raises AssetNotFound or AssetInUse. In the caller's transaction.
    """
    asset = Asset.objects.select_for_update(no_key=True).filter(id=asset_id, owner_id=owner_id).first()
    if asset is None or asset.state == AssetState.DELETED:
        raise AssetNotFound(asset_id=str(asset_id), field="id")
    if is_pinned(asset, clock.now()):
        raise AssetInUse(field="id")
    mark_deleted([asset.id])
    append([event(asset, "asset.deleted")])


def event(asset: Asset, kind: str) -> EventEntry:
    """What the log says of a file."""
    return EventEntry(
        owner_id=asset.owner_id, kind=kind, subject_id=asset.id, data={"kind": asset.kind, "name": asset.name}
    )


def mark_deleted(asset_ids: Sequence[UUID]) -> None:
    """Deleted, and due for the sweep that removes bytes."""
    Asset.objects.filter(id__in=asset_ids).exclude(state=AssetState.DELETED).update(
        state=AssetState.DELETED, deleted_at=AppNow(), expires_at=AppNow() - settings.EXPIRY_GRACE
    )
