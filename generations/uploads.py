"""Files from users: announced, put straight into the store, checked by content, then kept under a key of ours.

A PUT link overwrites while it lives, so what is checked and kept is a copy that no link leads to.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from math import gcd
from pathlib import Path
from typing import NoReturn
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from accounts.events.log import append
from accounts.models import User
from accounts.tiers import tier_of
from generations import assets, inspection, storage
from generations.asset_errors import AssetLost, CropRefused, FileTooLarge, QuotaExceeded, UploadRefused
from generations.inspection import Box
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from generations.scratch import scratch_folder
from generations.storage import SignedUpload, StorageUnavailable
from providers.catalogue import MODELS
from workers import clock
from workers.clock import AppNow

MB = 1_000_000
LIMITS = {AssetKind.IMAGE: 10 * MB, AssetKind.VIDEO: 200 * MB, AssetKind.AUDIO: 50 * MB}
# What is taken in one request.
SMALL_FILE = 10 * MB
MEDIA_TYPES = {
    "image/png": AssetKind.IMAGE,
    "image/jpeg": AssetKind.IMAGE,
    "image/webp": AssetKind.IMAGE,
    "video/mp4": AssetKind.VIDEO,
    "video/quicktime": AssetKind.VIDEO,
    "video/webm": AssetKind.VIDEO,
    "audio/mpeg": AssetKind.AUDIO,
    "audio/wav": AssetKind.AUDIO,
    "audio/x-wav": AssetKind.AUDIO,
    "audio/mp4": AssetKind.AUDIO,
    "audio/x-m4a": AssetKind.AUDIO,
    "audio/webm": AssetKind.AUDIO,
    "audio/flac": AssetKind.AUDIO,
    "audio/ogg": AssetKind.AUDIO,
}
LINK_VALID = timedelta(minutes=30)
UNFINISHED_KEPT = timedelta(hours=24)
SMALLEST_CROP = 16


def announce(owner: User, *, name: str, media_type: str, size: int) -> Asset:
    """A row for a file of `size` bytes to come, its room taken. In the caller's transaction.

    Raises UploadRefused for a type we don't take, FileTooLarge, QuotaExceeded.
    """
    kind = MEDIA_TYPES.get(media_type)
    if kind is None:
        raise UploadRefused(
            field="media_type", reason=f"{media_type or 'A file without a type'} is not taken."
        )
    if size > LIMITS[kind]:
        raise FileTooLarge(field="bytes", bytes=size, limit=LIMITS[kind], kind=kind)
    # Two uploads of one account at once: the second counts the first.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"storage:{owner.id}"])
    used, limit = assets.storage_used(owner.id), tier_of(owner).storage_bytes
    if used + size > limit:
        raise QuotaExceeded(field="bytes", used=used, limit=limit, needed=size)
    asset_id = uuid4()
    return Asset.objects.create(
        id=asset_id,
        owner=owner,
        kind=kind,
        origin=AssetOrigin.UPLOAD,
        state=AssetState.UPLOADING,
        name=clean_name(name),
        media_type=media_type,
        bytes=size,
        key=storage.incoming_key(asset_id),
        expires_at=AppNow() + UNFINISHED_KEPT,
    )


def link_for(asset: Asset) -> SignedUpload:
    """Where to send an announced file: the link takes exactly its size and type."""
    return storage.signed_upload(
        storage.incoming_key(asset.id), media_type=asset.media_type, bytes=asset.bytes, expires_in=LINK_VALID
    )


def finish(owner: User, asset_id: UUID) -> Asset:
    """Check what was sent and keep it; again is the same answer. No transaction is open while the file travels.

    Raises AssetNotFound, StorageUnavailable, and UploadRefused where nothing was sent, or not what was announced:
    then the file has to be announced anew.
    """
    asset = assets.find(owner.id, asset_id)
    if asset.state != AssetState.UPLOADING:
        return asset
    incoming = asset.key
    stored = storage.head(incoming)
    if stored is None:
        return _absent(asset)
    if stored.bytes != asset.bytes:
        _refuse(asset, f"It has {stored.bytes} bytes, not the {asset.bytes} announced.")
    # Copied first and checked then, because the link still overwrites; under a key of this call's own, because
    # two calls may come at once.
    kept = _own_key(asset)
    with scratch_folder("upload") as folder:
        path = folder / "file"
        if not (storage.copy(incoming, kept) and storage.download_to(kept, path, max_bytes=asset.bytes)):
            return _absent(asset)
        asset = _keep(asset, path, folder, kept)
    _discard([incoming])
    return asset


def take(asset: Asset, chunks: Iterable[bytes]) -> Asset:
    """The bytes of an announced small file; an asset that has them already stays as it is.

    Raises StorageUnavailable, and UploadRefused as `finish` does.
    """
    if asset.state != AssetState.UPLOADING:
        return asset
    kept = _own_key(asset)
    with scratch_folder("upload") as folder:
        path = folder / "file"
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        if path.stat().st_size != asset.bytes:
            _refuse(asset, f"It has {path.stat().st_size} bytes, not the {asset.bytes} announced.")
        storage.put(kept, path, media_type=asset.media_type)
        return _keep(asset, path, folder, kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a picture, to be announced and taken as a file of its own."""

    name: str
    media_type: str
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(MB):
                yield chunk


@contextmanager
def cropped(owner: User, asset_id: UUID, box: Box) -> Iterator[Part]:
    """A part of an image, in its own format, until the block ends.

    Raises AssetNotFound, AssetNotReady, AssetExpired, AssetLost, WrongKind, CropRefused, StorageUnavailable.
    """
    source = assets.find_ready(owner.id, asset_id, [AssetKind.IMAGE], field="id", now=clock.now())
    assert source.width is not None
    assert source.height is not None
    if box.width < SMALLEST_CROP or box.height < SMALLEST_CROP:
        raise CropRefused(
            field="width", reason=f"It has to have at least {SMALLEST_CROP}x{SMALLEST_CROP} pixels."
        )
    if box.x + box.width > source.width or box.y + box.height > source.height:
        raise CropRefused(field="x", reason=f"The picture has {source.width}x{source.height} pixels.")
    with scratch_folder("crop") as folder:
        original = folder / "original"
        if not storage.download_to(source.key, original, max_bytes=source.bytes):
            raise AssetLost(field="id")
        try:
            found = inspection.crop(original, folder, box)
        except inspection.NotMedia as error:
            raise CropRefused(field="id", reason=str(error)) from error
        yield Part(name=source.name, media_type=found.media_type, path=found.path)


def _keep(asset: Asset, path: Path, folder: Path, kept: str) -> Asset:
    """Mark the asset ready if the file is what was announced; `kept` is its copy in the store."""
    try:
        inspected = inspection.inspect(path, folder)
    except inspection.NotMedia as error:
        _discard([kept])
        _refuse(asset, str(error))
    facts = inspected.facts
    if facts.kind != asset.kind:
        _discard([kept])
        _refuse(asset, f"It is {facts.kind}, not the {asset.kind} announced.", field="media_type")
    keys = {"key": kept}
    for name, picture in (("thumbnail_key", inspected.thumbnail), ("poster_key", inspected.poster)):
        if picture is not None:
            keys[name] = kept.removesuffix("file") + picture.name
            storage.put(keys[name], picture, media_type=storage.media_type_of(picture))
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with transaction.atomic():
        changed = Asset.objects.filter(id=asset.id, state=AssetState.UPLOADING).update(
            state=AssetState.READY,
            media_type=facts.media_type,
            sha256=sha256,
            width=facts.width,
            height=facts.height,
            duration_seconds=facts.duration_seconds,
            frames_per_second=facts.frames_per_second,
            video_codec=facts.video_codec,
            audio_codec=facts.audio_codec,
            expires_at=AppNow() + settings.UPLOADS_KEPT,
            **keys,
        )
        asset = Asset.objects.get(id=asset.id)
        if changed:
            append([assets.event(asset, "asset.ready")])
    if not changed:
        # Another call was first, or its owner deleted it.
        _discard(list(keys.values()))
        asset = assets.find(asset.owner_id, asset.id)
    return asset


def _absent(asset: Asset) -> Asset:
    """Nothing is where the upload lands: another call has just kept it, or nobody sent it."""
    asset = assets.find(asset.owner_id, asset.id)
    if asset.state == AssetState.UPLOADING:
        raise UploadRefused(field="id", reason="Nothing was uploaded yet.")
    return asset


def _refuse(asset: Asset, reason: str, *, field: str = "file") -> NoReturn:
    """What was refused takes no room; what was sent of it goes with the sweep."""
    Asset.objects.filter(id=asset.id, state=AssetState.UPLOADING).update(
        state=AssetState.DELETED, deleted_at=AppNow(), expires_at=AppNow() - settings.EXPIRY_GRACE
    )
    raise UploadRefused(field=field, reason=reason)


def _own_key(asset: Asset) -> str:
    return storage.upload_key(asset.owner_id, asset.id, uuid4().hex[:12], "file")


def _discard(keys: list[str]) -> None:
    """Objects that no row knows: what stays now, the inventory finds."""
    with suppress(StorageUnavailable):
        storage.delete(keys)


def clean_name(name: str) -> str:
    """The last part of the name a user gave, without what no file system likes; for display and downloads only."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in last if char.isprintable()).strip()[:255] or "file"


def ratio_of(asset: Asset) -> str | None:
    """Width to height in lowest terms, as "16:9"; None for sounds."""
    if not asset.width or not asset.height:
        return None
    divisor = gcd(asset.width, asset.height)
    return f"{asset.width // divisor}:{asset.height // divisor}"


def fitting_ratios(asset: Asset) -> list[str]:
    """The ratios that models offer and this picture fits within 2 %."""
    if not asset.width or not asset.height:
        return []
    shape = asset.width / asset.height
    offered = {ratio for model in MODELS.values() for ratio in model.ratios}

    def value(ratio: str) -> float:
        width, _, height = ratio.partition(":")
        return int(width) / int(height)

    return sorted(ratio for ratio in offered if abs(value(ratio) / shape - 1) <= 0.02)
