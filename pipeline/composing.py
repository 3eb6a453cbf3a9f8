"""From a timeline and files in our store to one stored video: composed, examined, signed. Plain values, no database."""

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from generations import inspection, provenance, storage
from generations.models import AssetKind, AssetState
from generations.scratch import scratch_folder
from generations.storage import StorageUnavailable
from pipeline.media import composition, quality
from pipeline.media.composition.errors import Cancelled, CompositionFailed
from pipeline.media.composition.timeline import Timeline
from pipeline.renders import parts
from pipeline.renders.parts import StoredPart
from workers import crash, progress

logger = logging.getLogger(__name__)

# Of the way from where the composition begins to the end, in percent: clips that have to be conformed, then all of it.
CONFORMED, COMPOSED = 40, 70
MEDIA_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".vtt": "text/vtt", ".srt": "application/x-subrip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be composed. `clips` and `sounds`: the keys of the timeline's sources, by their ids.

    `known`: the keys of parts that are there, by name. `continues`: the clip whose credentials are carried on.
    `silent`: nothing is heard in it. `as_it_is`: codes of `quality` for what a source may be, and we don't change.
    """

    owner_id: UUID
    subject_id: UUID
    timeline: Timeline
    clips: Mapping[str, str]
    sounds: Mapping[str, str]
    known: Mapping[str, str]
    claim: provenance.Claim
    film_id: UUID
    parts_id: UUID
    fence: int
    begins_percent: int
    continues: str = ""
    silent: bool
    as_it_is: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The finished film in our store."""

    facts: inspection.MediaFacts
    bytes: int
    sha256: str
    key: str
    poster_key: str
    thumbnail_key: str
    vtt_key: str
    srt_key: str
    timings: Mapping[str, float]
    figures: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The stored film, or why there is none; `away`: our store was."""

    stored: Stored | None = None
    # What was made on the way is kept, also of a film that failed.
    made: tuple[StoredPart, ...] = ()
    error: str = ""
    cancelled: bool = False
    away: bool = False


def carried_out(order: Order) -> Answer:
    """Compose it in a folder of its own: what came of it, whatever went wrong. Within a stage's call."""
    try:
        with scratch_folder("compose") as folder:
            return _composed(order, folder)
    except StorageUnavailable as error:
        logger.warning("%s waits for the store: %s", order.subject_id, error)
        return Answer(away=True)
    except (Cancelled, quality.Cancelled):
        return Answer(cancelled=True)
    except (CompositionFailed, quality.Unmeasurable, inspection.NotMedia, provenance.SigningFailed) as error:
        logger.error("%s could not be composed: %s", order.subject_id, error, extra={"alarm": "not_composed"})
        return Answer(error=str(error))


def fields_of(stored: Stored) -> dict[str, Any]:
    """What the row of the stored film says of it."""
    facts = stored.facts
    return {
        "kind": AssetKind.VIDEO,
        "state": AssetState.READY,
        "media_type": facts.media_type,
        "bytes": stored.bytes,
        "sha256": stored.sha256,
        "key": stored.key,
        "poster_key": stored.poster_key,
        "thumbnail_key": stored.thumbnail_key,
        "further_keys": [key for key in (stored.vtt_key, stored.srt_key) if key],
        "width": facts.width,
        "height": facts.height,
        "duration_seconds": facts.duration_seconds,
        "frames_per_second": facts.frames_per_second,
        "video_codec": facts.video_codec,
        "audio_codec": facts.audio_codec or "",
    }


class _Laps:
    """The seconds of each step."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self._since = time.monotonic()

    def __call__(self, name: str) -> None:
        now = time.monotonic()
        self.timings[name] = round(now - self._since, 2)
        self._since = now


def _composed(order: Order, folder: Path) -> Answer:
    lap = _Laps()
    made_in, scratch = folder / "parts", folder / "scratch"
    made_in.mkdir()
    scratch.mkdir()
    parts.bring(order.known, made_in)
    sounds = _fetched(order, folder)
    lap("fetch")
    crash.point("compose.fetched")
    source = conform_missing(order, made_in, scratch, folder)
    lap("conform")
    film = composition.compose(
        order.timeline,
        sounds,
        made_in,
        scratch,
        progress=_told(order, CONFORMED if source else 0, COMPOSED),
        cancelled=progress.cancelled,
    )
    lap("compose")
    crash.point("compose.composed")
    figures = _examined(order, film, scratch)
    lap("examine")
    crash.point("compose.examined")
    provenance.sign(film.film, order.claim, before=source)
    lap("sign")
    new = [
        path.name
        for path in sorted(made_in.iterdir())
        if path.name not in order.known and not path.name.startswith(".")
    ]
    made = parts.put(order.owner_id, order.parts_id, order.fence, new, made_in)
    crash.point("compose.parts_stored")
    stored = _store(order, film, folder, lap.timings, figures)
    crash.point("compose.stored")
    return Answer(stored=stored, made=made)


def _told(order: Order, begin: int, end: int) -> Callable[[float], None]:
    """Tells shares of one step as percent of the whole."""
    left = 100 - order.begins_percent

    def tell(share: float) -> None:
        progress.report(order.begins_percent + (begin + share * (end - begin)) * left / 100)

    return tell


def conform_missing(order: Order, made_in: Path, scratch: Path, folder: Path) -> Path | None:
    """Make the parts of clips that are not there; the file of the clip whose credentials are carried on.

    Of a film they expired, or a caption over them is another by now; of an edit they are made here.
    """
    kept: Path | None = None
    for clip in order.timeline.clips:
        needs = not all((made_in / name).exists() for name in composition.clip_parts(order.timeline, clip.id))
        if not needs and clip.id != order.continues:
            continue
        source = folder / f"{clip.id}.mp4"
        if not storage.download_to(order.clips[clip.id], source, max_bytes=settings.MAX_OUTPUT_BYTES):
            raise CompositionFailed(f"the clip of {clip.id} is not there any more")
        crash.point("compose.downloaded")
        if needs:
            composition.conform(
                order.timeline,
                clip.id,
                source,
                made_in,
                scratch,
                progress=_told(order, 0, CONFORMED) if order.continues else lambda _: None,
                cancelled=progress.cancelled,
            )
        if clip.id == order.continues:
            kept = source
        else:
            source.unlink()
    return kept


def _fetched(order: Order, folder: Path) -> dict[str, Path]:
    sounds: dict[str, Path] = {}
    for sound_id, key in order.sounds.items():
        path = folder / f"sound-{sound_id}{Path(key).suffix}"
        if not storage.download_to(key, path, max_bytes=settings.MAX_OUTPUT_BYTES):
            raise CompositionFailed("a sound's file is not there any more")
        sounds[sound_id] = path
    return sounds


def _examined(order: Order, film: composition.Composed, folder: Path) -> dict[str, object]:
    """What the check of the film measured. Raises CompositionFailed where it is not what was ordered."""
    timeline = order.timeline
    verdict = quality.examine(
        film.film,
        quality.Expected(
            kind="film",
            seconds=timeline.seconds,
            frames=timeline.frames,
            width=timeline.format.width,
            height=timeline.format.height,
            frames_per_second=timeline.format.frames_per_second,
            audio="required",
            silent=order.silent,
        ),
        folder,
        cancelled=progress.cancelled,
    )
    wrong = [problem.reason for problem in verdict.problems if problem.code not in order.as_it_is]
    if wrong:
        raise CompositionFailed(" ".join(wrong))
    return quality.to_json(verdict.figures) if verdict.figures is not None else {}


def _store(
    order: Order,
    film: composition.Composed,
    folder: Path,
    timings: Mapping[str, float],
    figures: Mapping[str, object],
) -> Stored:
    inspected = inspection.inspect(film.film, folder)
    assert inspected.thumbnail is not None, "a film has pictures"
    with film.film.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    files = {"film.mp4": film.film, "poster.jpg": film.poster, "thumbnail.jpg": inspected.thumbnail}
    if film.vtt is not None and film.srt is not None:
        files |= {"captions.vtt": film.vtt, "captions.srt": film.srt}
    keys = {name: storage.key(order.owner_id, order.film_id, str(order.fence), name) for name in files}
    for name, path in files.items():
        storage.put(
            keys[name],
            path,
            media_type=MEDIA_TYPES[Path(name).suffix],
            sha256=sha256 if name == "film.mp4" else "",
        )
    return Stored(
        facts=inspected.facts,
        bytes=film.film.stat().st_size,
        sha256=sha256,
        key=keys["film.mp4"],
        poster_key=keys["poster.jpg"],
        thumbnail_key=keys["thumbnail.jpg"],
        vtt_key=keys.get("captions.vtt", ""),
        srt_key=keys.get("captions.srt", ""),
        timings={**timings, **{f"compose.{name}": seconds for name, seconds in film.timings.items()}},
        figures=figures,
    )
