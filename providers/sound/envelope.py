"""A JSON answer with a sound in it, as base64: taken apart in flat memory, however long the sound is.

The answer is a file. Its sound is found in place, decoded a piece at a time, and what is left of the object, with an
empty text for the sound, is read as JSON: so a sound that is not where it belongs is no sound.
"""

import json
import mmap
import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIELD = "audio_base64"
# Words and their times: some 120 bytes a letter, for the longest text there is.
MOST_BYTES_BESIDE = 16 << 20
_PIECE = 3 << 18
_SOUND = re.compile(rb'"audio_base64"\s*:\s*"([A-Za-z0-9+/]*={0,2})"')


class Unreadable(Exception):
    """The answer is not what the vendor's documentation says."""


def take_apart(answer: Path, sound: Path) -> Mapping[str, Any]:
    """Writes the sound of an answer to `sound`, and answers the rest of the object. Raises Unreadable."""
    with answer.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file can't be mapped
            raise Unreadable from None
        with content:
            found = _SOUND.search(content)
            if found is None:
                raise Unreadable
            begin, end = found.span(1)
            del found
            if begin + len(content) - end > MOST_BYTES_BESIDE:
                raise Unreadable
            with sound.open("wb") as decoded:
                try:
                    for at in range(begin, end, _PIECE):
                        decoded.write(a2b_base64(content[at : min(at + _PIECE, end)]))
                except BadBase64:
                    raise Unreadable from None
            rest = content[:begin] + content[end:]
    try:
        body = json.loads(rest)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(body, dict) or body.get(FIELD) != "":
        raise Unreadable
    return body
