"""What a file really is: decoded by content in a child process that can do nothing else.

The child has no environment, limits on memory, time and file size, and opens only the containers, codecs and
sizes we accept; a file that breaks it breaks nothing here.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from generations.models.assets import AssetKind

DECODER = Path(__file__).with_name("decoding.py")
SECONDS = 60
MEMORY_BYTES = 3 << 30
PICTURE_BYTES = 20 << 20


class NotMedia(Exception):
    """The file is none that we take; the text says why, and nothing of the file's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What was measured of a file. Seconds, pixels, bytes."""

    kind: AssetKind
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_seconds: Decimal | None = None
    frames_per_second: Decimal | None = None
    video_codec: str = ""
    audio_codec: str = ""
    pixel_format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The facts, and pictures of it: small for lists, and the poster in full size; audio has none."""

    facts: MediaFacts
    thumbnail: Path | None
    poster: Path | None


def inspect(path: Path, folder: Path) -> Inspected:
    """Measure a local file and make its pictures in `folder`. Raises NotMedia."""
    command = [sys.executable, "-I", str(DECODER), str(path), str(folder)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin"},
        start_new_session=True,
        preexec_fn=_confine,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        raise NotMedia("It takes too long to read.") from None
    try:
        answer = json.loads(output)
    except ValueError:
        raise NotMedia("It can't be read as an image, a video or a sound.") from None
    if "refused" in answer:
        raise NotMedia(answer["refused"])
    return _read(answer, path)


def _read(answer: dict[str, object], path: Path) -> Inspected:
    def number(name: str) -> Decimal | None:
        value = answer.get(name)
        return None if value is None else Decimal(str(value))

    def whole(name: str) -> int | None:
        value = answer.get(name)
        return None if value is None else int(str(value))

    def picture(name: str) -> Path | None:
        value = answer.get(name)
        return None if value is None else Path(str(value))

    return Inspected(
        facts=MediaFacts(
            kind=AssetKind(str(answer["kind"])),
            media_type=str(answer["media_type"]),
            bytes=path.stat().st_size,
            width=whole("width"),
            height=whole("height"),
            duration_seconds=number("duration_seconds"),
            frames_per_second=number("frames_per_second"),
            video_codec=str(answer.get("video_codec") or ""),
            audio_codec=str(answer.get("audio_codec") or ""),
            pixel_format=str(answer.get("pixel_format") or ""),
        ),
        thumbnail=picture("thumbnail"),
        poster=picture("poster"),
    )


def _confine() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (PICTURE_BYTES, PICTURE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # prctl PR_SET_PDEATHSIG: a killed worker leaves no decoder behind.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
