"""The file that an adapter leaves behind: what it is, told by its first bytes, and its name.

A vendor's word for the type of a sound is not needed and not trusted; what is no known container, a page of HTML
or an error in JSON, is no sound.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The most that a vendor may send: ten minutes of its best MP3, or a clip of 30 s with its picture.
MOST_BYTES = 64 << 20
_HEAD_BYTES = 16
_KINDS = (
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2-\xf3\xfa\xfb]"), "audio/mpeg", ".mp3"),
    (re.compile(rb"fLaC"), "audio/flac", ".flac"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav", ".wav"),
    (re.compile(rb"OggS"), "audio/ogg", ".ogg"),
    (re.compile(rb"....ftypM4A", re.DOTALL), "audio/mp4", ".m4a"),
    (re.compile(rb"....ftyp", re.DOTALL), "video/mp4", ".mp4"),
    (re.compile(rb"\x1aE\xdf\xa3"), "video/webm", ".webm"),
)


class NoSound(Exception):
    """The bytes that came are no sound."""


@contextmanager
def arriving(target: Path, suffix: str = ".part") -> Iterator[Path]:
    """Where bytes are put that are still to be looked at; gone afterwards."""
    path = target.with_name(target.name + suffix)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def keep(path: Path, target: Path) -> tuple[Path, str]:
    """Moves `path` to `target` with the ending of what it is; answers that and the media type. Raises NoSound."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for pattern, media_type, ending in _KINDS:
        if pattern.match(head):
            kept = target.with_name(target.name + ending)
            path.replace(kept)
            return kept, media_type
    raise NoSound
