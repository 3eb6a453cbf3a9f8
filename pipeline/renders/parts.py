"""The parts of films in our store: a folder of them on this machine, brought and kept by name.

The calls outside the database take plain values; `rows` are read before and written after them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

from generations import storage
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from pipeline.models import FilmPart

# Of one part: a segment of 15 s has some 20 MB.
MOST_BYTES = 1 << 30
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part that was put into our store."""

    name: str
    key: str
    bytes: int


def known(owner_id: UUID, names: Collection[str]) -> dict[str, str]:
    """The keys of those parts that the owner has and whose file is still there. One statement."""
    rows = FilmPart.objects.filter(
        owner_id=owner_id, name__in=list(names), asset__state=AssetState.READY
    ).values_list("name", "key")
    return dict(rows)


def bring(keys: Mapping[str, str], folder: Path) -> None:
    """Fetch parts into the folder; one that is gone is left out. Raises StorageUnavailable."""
    for name, key in keys.items():
        target = folder / name
        if target.exists():
            continue
        partial = folder / f".{name}"
        try:
            if storage.download_to(key, partial, max_bytes=MOST_BYTES):
                partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)


def put(
    owner_id: UUID, asset_id: UUID, fence: int, names: Sequence[str], folder: Path
) -> tuple[StoredPart, ...]:
    """Store these parts of the folder under the asset's keys. Raises StorageUnavailable."""
    stored = []
    for name in names:
        path = folder / name
        key = storage.key(owner_id, asset_id, str(fence), name)
        storage.put(key, path, media_type=MEDIA_TYPES[path.suffix])
        stored.append(StoredPart(name=name, key=key, bytes=path.stat().st_size))
    return tuple(stored)


def record(
    owner_id: UUID, asset_id: UUID, stored: Sequence[StoredPart], now: datetime, *, name: str
) -> Asset | None:
    """Write the rows of what was stored, in the caller's transaction; the file that holds them, if there is any."""
    if not stored:
        return None
    first, *further = stored
    asset, _ = Asset.objects.update_or_create(
        id=asset_id,
        defaults={
            "owner_id": owner_id,
            "kind": AssetKind.VIDEO,
            "origin": AssetOrigin.PART,
            "state": AssetState.READY,
            "name": name,
            "media_type": MEDIA_TYPES[Path(first.name).suffix],
            "bytes": sum(one.bytes for one in stored),
            "key": first.key,
            "further_keys": [one.key for one in further],
            "created_at": now,
            "expires_at": now + settings.VIDEOS_KEPT,
        },
    )
    FilmPart.objects.bulk_create(
        [
            FilmPart(owner_id=owner_id, name=one.name, key=one.key, bytes=one.bytes, asset=asset)
            for one in stored
        ],
        update_conflicts=True,
        unique_fields=["owner", "name"],
        update_fields=["key", "bytes", "asset"],
    )
    return asset
