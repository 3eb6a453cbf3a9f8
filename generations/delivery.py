"""Bringing a finished video home: fetched, probed, pictured, examined, signed, hashed, stored. No database."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings

from generations import inspection, provenance, storage
from generations.inspection import MediaFacts
from generations.models.assets import AssetKind
from generations.provenance import Claim
from generations.scratch import scratch_folder
from providers import http, registry
from providers.contract import OutputSource, RenderState
from workers import crash

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is to be delivered: a render at a vendor, and the keys its files get here."""

    provider: str
    account: str
    external_id: str
    asset_id: UUID
    # Of the picture that shows what is wrong with it, if something is.
    picture_id: UUID
    owner_id: UUID
    fence: int
    claim: Claim
    # What it is examined against; None: it is taken as it is.
    expected: "Expected | None" = None
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


class Rejected(DeliveryFailed):
    """The examiner refused the video: the provider's failure. `picture_key` is "" without a picture."""

    def __init__(
        self, reason: str, *, figures: Mapping[str, Any], picture_key: str = "", picture_bytes: int = 0
    ) -> None:
        self.figures = figures
        self.picture_key = picture_key
        self.picture_bytes = picture_bytes
        super().__init__("quality", reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What was asked of the model, for who examines its video."""

    duration_seconds: float
    resolution: str
    """For example "720p"."""
    ratio: str
    """For example "16:9"."""
    audio: bool
    """Whether sound was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an examiner found: `code` for machines, `reason` for the owner, `figures` (JSON) for the record."""

    ok: bool
    code: str = ""
    reason: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    picture: Path | None = None
    """A JPEG that shows the problem."""


# Of a local video, measured already, with a folder for its own files. Runs outside the database.
Examiner = Callable[[Path, Expected, Path], Verdict]
_EXAMINERS: list[Examiner] = []


def register_examiner(examiner: Examiner) -> None:
    """Have `examiner` judge the videos of clips that are to be examined; the last one registered does."""
    _EXAMINERS.append(examiner)


def deliver(parcel: Parcel) -> Delivered:
    """Fetch the render's output by our own key and store it. Raises DeliveryFailed or ProviderError."""
    output = _output_of(parcel) if parcel.given_url is None else OutputSource(url=parcel.given_url)
    with scratch_folder("delivery") as folder:
        return _bring_home(parcel, output, folder)


def _output_of(parcel: Parcel) -> OutputSource:
    update = registry.provider(parcel.provider, parcel.account).fetch(parcel.external_id)
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
    if parcel.expected is not None:
        _examine(video, parcel, parcel.expected, folder)
    # What goes into a film has to be here, and so has what nobody can watch without our key.
    mirror = settings.OUTPUT_STORAGE == "mirror" or parcel.expected is not None or not output.is_link
    sha256 = _signed(video, parcel.claim) if mirror else downloaded.sha256
    keys = {
        name: storage.key(parcel.owner_id, parcel.asset_id, str(parcel.fence), name)
        for name in ("video.mp4", thumbnail.name, poster.name)
    }
    try:
        for path in (thumbnail, poster):
            storage.put(keys[path.name], path, media_type=storage.media_type_of(path))
        crash.point("deliver.pictures_stored")
        if mirror:
            storage.put(keys["video.mp4"], video, media_type=facts.media_type, sha256=sha256)
    except storage.StorageUnavailable as error:
        raise DeliveryFailed("storage_unavailable", "Our store does not answer.", patient=True) from error
    crash.point("deliver.stored")
    return Delivered(
        facts=facts,
        bytes=video.stat().st_size,
        sha256=sha256,
        key=keys["video.mp4"] if mirror else "",
        thumbnail_key=keys[thumbnail.name],
        poster_key=keys[poster.name],
        linked_url=None if mirror else output.url,
        link_expires_at=None if mirror else output.expires_at,
    )


def _examine(video: Path, parcel: Parcel, expected: Expected, folder: Path) -> None:
    """Raises Rejected, and DeliveryFailed where nobody examines or our store is away."""
    if not _EXAMINERS:
        _fault("no_examiner", "nobody is registered to examine videos")
    verdict = _EXAMINERS[-1](video, expected, folder)
    if not verdict.ok:
        raise Rejected(
            verdict.reason,
            figures={"problem": verdict.code, **verdict.figures},
            picture_key=_kept(verdict.picture, parcel) if verdict.picture is not None else "",
            picture_bytes=verdict.picture.stat().st_size if verdict.picture is not None else 0,
        )
    crash.point("deliver.examined")


def _kept(picture: Path, parcel: Parcel) -> str:
    """The key of the picture, stored. Raises DeliveryFailed."""
    key = storage.key(parcel.owner_id, parcel.picture_id, str(parcel.fence), "problem.jpg")
    try:
        storage.put(key, picture, media_type="image/jpeg")
    except storage.StorageUnavailable as error:
        raise DeliveryFailed("storage_unavailable", "Our store does not answer.", patient=True) from error
    return key


def _signed(video: Path, claim: Claim) -> str:
    """Write the content credentials into the video; its SHA-256 in hex. Raises DeliveryFailed."""
    try:
        provenance.sign(video, claim)
    except provenance.SigningFailed as error:
        _fault("not_signed", str(error), patient=error.unusable)
    crash.point("deliver.signed")
    with video.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fault(alarm: str, why: str, *, patient: bool = False) -> NoReturn:
    """Raises DeliveryFailed for what is ours to put right, and tells us."""
    logger.error("a video can't be delivered: %s", why, extra={"alarm": alarm})
    raise DeliveryFailed("undeliverable", "The video could not be delivered: our fault.", patient=patient)
