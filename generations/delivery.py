"""Bringing a finished video home: fetched, probed, hashed, pictured, stored. No database."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

from generations import inspection, storage
from generations.inspection import MediaFacts
from generations.models.assets import AssetKind
from generations.scratch import scratch_folder
from providers import http, registry
from providers.contract import OutputSource, RenderState
from workers import crash


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is to be delivered: a render at a vendor, and the keys its files get here."""

    provider: str
    external_id: str
    asset_id: UUID
    owner_id: UUID
    fence: int
    # Where an operator says it is; None: the vendor is asked.
    given_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The video is in our store, or (OUTPUT_STORAGE=link) known to be at the vendor."""

    facts: MediaFacts
    bytes: int
    sha256: str
    key: str
    thumbnail_key: str
    poster_key: str
    linked_url: str | None
    # When the vendor's own link lapses, for a linked video.
    link_expires_at: datetime | None


class DeliveryFailed(Exception):
    """The video could not be brought home: `code` says why; `patient` if only our store is in the way."""

    def __init__(self, code: str, message: str, *, patient: bool = False) -> None:
        self.code = code
        self.patient = patient
        super().__init__(message)


def deliver(parcel: Parcel) -> Delivered:
    """Fetch the render's output by our own key and store it. Raises DeliveryFailed or ProviderError."""
    output = _output_of(parcel) if parcel.given_url is None else OutputSource(url=parcel.given_url)
    with scratch_folder("delivery") as folder:
        return _bring_home(parcel, output, folder)


def _output_of(parcel: Parcel) -> OutputSource:
    update = registry.provider(parcel.provider).fetch(parcel.external_id)
    if update.state != RenderState.SUCCEEDED or update.output is None:
        raise DeliveryFailed("output_unavailable", "The provider no longer has the video.")
    return update.output


def _bring_home(parcel: Parcel, output: OutputSource, folder: Path) -> Delivered:
    video = folder / "video.mp4"
    try:
        with video.open("wb") as file:
            downloaded = http.client().download(output, file, max_bytes=settings.MAX_OUTPUT_BYTES)
    except http.HttpError as error:
        raise DeliveryFailed("output_unavailable", "The provider's video could not be downloaded.") from error
    crash.point("deliver.downloaded")
    try:
        inspected = inspection.inspect(video, folder)
    except inspection.NotMedia as error:
        raise DeliveryFailed("bad_media", f"The provider delivered no playable video: {error}") from error
    facts, thumbnail, poster = inspected.facts, inspected.thumbnail, inspected.poster
    if facts.kind != AssetKind.VIDEO or thumbnail is None or poster is None:
        raise DeliveryFailed("bad_media", "What the provider delivered is not a video.")
    crash.point("deliver.inspected")
    mirror = settings.OUTPUT_STORAGE == "mirror"
    keys = {
        name: storage.key(parcel.owner_id, parcel.asset_id, str(parcel.fence), name)
        for name in ("video.mp4", thumbnail.name, poster.name)
    }
    try:
        for path in (thumbnail, poster):
            storage.put(keys[path.name], path, media_type=storage.media_type_of(path))
        crash.point("deliver.pictures_stored")
        if mirror:
            storage.put(keys["video.mp4"], video, media_type=facts.media_type, sha256=downloaded.sha256)
    except storage.StorageUnavailable as error:
        raise DeliveryFailed("storage_unavailable", "Our store does not answer.", patient=True) from error
    crash.point("deliver.stored")
    return Delivered(
        facts=facts,
        bytes=downloaded.bytes,
        sha256=downloaded.sha256,
        key=keys["video.mp4"] if mirror else "",
        thumbnail_key=keys[thumbnail.name],
        poster_key=keys[poster.name],
        linked_url=None if mirror else output.url,
        link_expires_at=None if mirror else output.expires_at,
    )
