"""Files from users: announced, put straight into the store, checked by content, then kept under a key of ours.

A PUT link overwrites while it lives, so what was checked is copied away from where links lead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from accounts.tiers import tier_of
from generations import assets, inspection, storage
from generations.asset_errors import AssetNotFound, FileTooLarge, QuotaExceeded, UploadRefused
from generations.delivery import scratch_folder
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from generations.storage import SignedUpload
from providers.catalogue import MODELS
from workers.clock import AppNow

MB = 1_000_000
LIMITS = {AssetKind.IMAGE: 10 * MB, AssetKind.VIDEO: 200 * MB, AssetKind.AUDIO: 50 * MB}
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
    "audio/flac": AssetKind.AUDIO,
    "audio/ogg": AssetKind.AUDIO,
}
LINK_VALID = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    asset: Asset
    upload: SignedUpload


def start(owner: User, *, name: str, media_type: str, size: int) -> Started:
    """Announce a file of `size` bytes; the link takes exactly that. In the caller's transaction.

    Raises UploadRefused for a type we don't take, FileTooLarge, QuotaExceeded.
    """
    asset = _announce(owner, name=name, media_type=media_type, size=size)
    upload = storage.signed_upload(
        storage.incoming_key(asset.id), media_type=media_type, bytes=size, expires_in=LINK_VALID
    )
    return Started(asset=asset, upload=upload)


def _announce(owner: User, *, name: str, media_type: str, size: int) -> Asset:
    kind = MEDIA_TYPES.get(media_type)
    if kind is None:
        raise UploadRefused(field="media_type", reason=f"{media_type} is not a type we take.")
    if size > LIMITS[kind]:
        raise FileTooLarge(field="bytes", bytes=size, limit=LIMITS[kind], kind=kind)
    # Two uploads of one account at once: the second counts the first.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"storage:{owner.id}"])
    used, limit = assets.storage_used(owner.id), tier_of(owner).storage_bytes
    if used + size > limit:
        raise QuotaExceeded(field="bytes", used=used, limit=limit, needed=size)
    return Asset.objects.create(
        id=uuid4(),
        owner=owner,
        kind=kind,
        origin=AssetOrigin.UPLOAD,
        state=AssetState.UPLOADING,
        name=clean_name(name),
        media_type=media_type,
        bytes=size,
    )


def finish(owner: User, asset_id: UUID) -> Asset:
    """Check what was put and keep it; again is the same answer. No transaction is open while the file travels.

    Raises AssetNotFound, UploadRefused (nothing was put, or not what was announced), StorageUnavailable.
    """
    asset = assets.find(owner.id, asset_id)
    if asset.state != AssetState.UPLOADING:
        return asset
    incoming = storage.incoming_key(asset.id)
    found = storage.head(incoming)
    if found is None:
        raise UploadRefused(field="id", reason="Nothing was uploaded yet.")
    with scratch_folder("upload") as folder:
        path = folder / "file"
        storage.download(incoming, path, max_bytes=LIMITS[AssetKind(asset.kind)])
        asset = _keep(asset, path, folder)
    storage.delete([incoming])
    return asset


def take(owner: User, *, name: str, media_type: str, chunks: Iterable[bytes], size: int) -> Asset:
    """A small file in one request. Raises as `start` and `finish` do."""
    with transaction.atomic():
        asset = _announce(owner, name=name, media_type=media_type, size=size)
    with scratch_folder("upload") as folder:
        path = folder / "file"
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        return _keep(asset, path, folder)


def _keep(asset: Asset, path: Path, folder: Path) -> Asset:
    """Store the checked file under its own key and mark the asset ready, once."""
    try:
        inspected = inspection.inspect(path, folder)
    except inspection.NotMedia as error:
        _refuse(asset)
        raise UploadRefused(field="file", reason=str(error)) from error
    facts = inspected.facts
    if facts.kind != asset.kind or facts.bytes != asset.bytes:
        _refuse(asset)
        raise UploadRefused(
            field="media_type",
            reason=f"It is {facts.kind} of {facts.bytes} bytes, not the {asset.kind} of {asset.bytes} announced.",
        )
    keys = {"file": storage.key(asset.owner_id, asset.id, "upload", "file")}
    storage.put(keys["file"], path, media_type=facts.media_type)
    for name, picture in (("thumbnail", inspected.thumbnail), ("poster", inspected.poster)):
        if picture is not None:
            keys[name] = storage.key(asset.owner_id, asset.id, "upload", picture.name)
            storage.put(keys[name], picture, media_type="image/jpeg")
    Asset.objects.filter(id=asset.id, state=AssetState.UPLOADING).update(
        state=AssetState.READY,
        media_type=facts.media_type,
        key=keys["file"],
        thumbnail_key=keys.get("thumbnail", ""),
        poster_key=keys.get("poster", ""),
        width=facts.width,
        height=facts.height,
        duration_seconds=facts.duration_seconds,
        frames_per_second=facts.frames_per_second,
        video_codec=facts.video_codec,
        audio_codec=facts.audio_codec,
        expires_at=AppNow() + settings.UPLOADS_KEPT,
    )
    asset.refresh_from_db()
    if asset.state != AssetState.READY:
        raise AssetNotFound(asset_id=str(asset.id), field="id")
    return asset


def _refuse(asset: Asset) -> None:
    """What was refused takes no room; its object goes with the sweep."""
    assets.mark_deleted([asset.id])


def clean_name(name: str) -> str:
    """The last part of the name a user gave, without what no file system likes; for display and downloads only."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in last if char.isprintable()).strip()[:255] or "file"


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
