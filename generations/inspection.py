"""What a file really is: decoded by content, in a child process that can do nothing else.

The child (`generations.decoding`) has no environment, hard limits, and no network where the machine allows
that; it opens only the containers, codecs and sizes we accept. A file that breaks it breaks nothing here.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from generations.models.assets import AssetKind

DECODER = Path(__file__).with_name("decoding.py")
SECONDS = 60.0
LONGEST_ANSWER = 10_000


class NotMedia(Exception):
    """The file is none that we take; the text says why, and nothing of the file's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What was measured of a file: pixels as it is seen, after any turn; seconds; bytes."""

    kind: AssetKind
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_seconds: Decimal | None = None
    frames_per_second: Decimal | None = None
    # Names of codecs as FFmpeg has them; "" for none.
    video_codec: str = ""
    audio_codec: str = ""
    pixel_format: str = ""
    # Whether an MP4 can play while it loads; None for other containers.
    faststart: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The facts, and JPEG pictures of it: small for lists, and the poster in full size; audio has none."""

    facts: MediaFacts
    thumbnail: Path | None
    poster: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a picture: its upper left corner and its size, in pixels as the picture is seen."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cropped:
    """A part of an image, in the image's own format."""

    path: Path
    media_type: str


def inspect(path: Path, folder: Path, *, seconds: float = SECONDS) -> Inspected:
    """Measure a local file and make its pictures in `folder`, in one child process. Raises NotMedia."""
    facts = _decode(folder, "measure", path, seconds=seconds)

    def picture(name: str) -> Path | None:
        return folder / Path(facts[name]).name if facts.get(name) else None

    return Inspected(
        facts=MediaFacts(
            kind=AssetKind(facts["kind"]),
            media_type=facts["media_type"],
            bytes=path.stat().st_size,
            width=facts.get("width"),
            height=facts.get("height"),
            duration_seconds=_decimal(facts.get("duration_seconds")),
            frames_per_second=_decimal(facts.get("frames_per_second")),
            video_codec=facts.get("video_codec") or "",
            audio_codec=facts.get("audio_codec") or "",
            pixel_format=facts.get("pixel_format") or "",
            faststart=facts.get("faststart"),
        ),
        thumbnail=picture("thumbnail"),
        poster=picture("poster"),
    )


def crop(path: Path, folder: Path, box: Box, *, seconds: float = SECONDS) -> Cropped:
    """Cut a part out of an image, into `folder`. Raises NotMedia, also where the box is not inside it."""
    facts = _decode(folder, "crop", path, box.x, box.y, box.width, box.height, seconds=seconds)
    return Cropped(path=folder / Path(facts["file"]).name, media_type=facts["media_type"])


def _decode(folder: Path, action: str, path: Path, *numbers: int, seconds: float) -> dict[str, Any]:
    answer = folder / "facts.json"
    answer.unlink(missing_ok=True)
    process = subprocess.Popen(
        # -I: nothing of the environment or the working folder reaches it; it confines itself, because code
        # between fork and exec is not safe in a process with threads.
        [sys.executable, "-I", str(DECODER), str(os.getpid()), str(folder), action, str(path.absolute()),
         *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise NotMedia("It takes too long to read.") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    try:
        with answer.open("rb") as file:
            facts = json.loads(file.read(LONGEST_ANSWER))
    except (FileNotFoundError, ValueError):
        raise NotMedia("It can't be read as an image, a video or a sound.") from None
    if "refused" in facts:
        raise NotMedia(facts["refused"])
    return dict(facts)


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))
