"""Videos inside JSON: base64 text of any length is cut out as it streams by, and never held whole."""

import binascii
import json
import re
from collections.abc import Iterable
from typing import Protocol

CUT = "[cut]"
"""What stands in the JSON where a long string was."""
# Longer strings are media.
LONGEST_KEPT = 1 << 16
# What may stand before the comma of a "data:…,".
LONGEST_PREFIX = 1 << 10

_SIGNIFICANT = re.compile(rb'["{}\[\],:]')
_ESCAPES = {
    b'"': b'"',
    b"\\": b"\\",
    b"/": b"/",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
}
_LINE_BREAKS = b"\n\r\t "


class Sink(Protocol):
    """Where bytes go, as they come."""

    def write(self, piece: bytes, /) -> object: ...


class NotBase64(ValueError):
    """The field that should hold a video holds something else."""


def cut(pieces: Iterable[bytes], *, field: str | None = None, to: Sink | None = None) -> Iterable[bytes]:
    """The JSON of `pieces`, piece by piece, with CUT in the place of strings of more than 64 KB.

    The bytes that the first string named `field` stands for are written into `to`: standard base64, perhaps in lines,
    perhaps behind a "data:…,". Raises NotBase64. Whether the rest is JSON is for whoever reads it to see.
    """
    return _Cutter(field, to).read(pieces)


class _Cutter:
    """A scanner with three states: outside strings, in one that may be kept, in one that is cut out."""

    def __init__(self, field: str | None, to: Sink | None) -> None:
        self._field = field
        self._to = to
        self._inside = False
        self._long = False
        self._escape = b""
        self._kept = bytearray()
        self._last_string = b""
        self._key = b""
        self._before = b""
        self._decoder: _Decoder | None = None
        # Of the piece at hand: where the next quote is, and the quote that other escapes than of slashes come before.
        self._quote = self._mixed = -1

    def read(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        for piece in pieces:
            out = bytearray()
            position, self._quote, self._mixed = 0, -1, -1
            while position < len(piece):
                step = self._in_string if self._inside else self._between
                position = step(piece, position, out)
            yield bytes(out)

    def _between(self, piece: bytes, position: int, out: bytearray) -> int:
        found = _SIGNIFICANT.search(piece, position)
        if found is None:
            out += piece[position:]
            return len(piece)
        mark = found.group()
        out += piece[position : found.end()]
        if mark == b'"':
            self._begin_string()
        else:
            if mark == b":":
                self._key = self._last_string
            self._before = mark
        return found.end()

    def _begin_string(self) -> None:
        self._inside, self._long, self._escape = True, False, b""
        self._kept.clear()
        wanted = self._before == b":" and self._field is not None and _text(self._key) == self._field
        self._decoder = _Decoder(self._to) if wanted and self._to is not None else None

    def _in_string(self, piece: bytes, position: int, out: bytearray) -> int:
        if self._escape:
            return self._in_escape(piece, position, out)
        # Found once for each quote, however many escapes come before it.
        if self._quote < position:
            found = piece.find(b'"', position)
            self._quote = len(piece) if found < 0 else found
        end, slash = self._quote, piece.find(b"\\", position, self._quote)
        if slash >= 0 and (self._mixed == end or not _only_slashes(piece, position, end)):
            self._mixed, end = end, slash
        text = piece[position:end]
        self._keep(text, out)
        if self._decoder is not None:
            self._decoder.feed(text.replace(b"\\/", b"/"))
        if end == slash:
            self._escape = b"\\"
        elif end < len(piece):
            self._end_string(out)
        return end + 1

    def _in_escape(self, piece: bytes, position: int, out: bytearray) -> int:
        """Takes one byte of an escape, which may be in two pieces."""
        self._escape += piece[position : position + 1]
        if self._escape[1:2] != b"u" or len(self._escape) == 6:
            self._keep(self._escape, out)
            if self._decoder is not None:
                self._decoder.feed_escaped(self._escape[1:])
            self._escape = b""
        return position + 1

    def _keep(self, text: bytes, out: bytearray) -> None:
        if self._long:
            return
        self._kept += text
        if len(self._kept) > LONGEST_KEPT:
            self._long = True
            self._kept.clear()
            out += CUT.encode()

    def _end_string(self, out: bytearray) -> None:
        self._inside = False
        if not self._long:
            out += self._kept
        out += b'"'
        self._last_string = bytes(self._kept)
        self._before = b'"'
        if self._decoder is not None:
            self._decoder.finish()
            # Of several fields of that name the first is the video.
            self._decoder = self._field = None


class _Decoder:
    """Base64, as it comes; a leading `data:…,` is passed over."""

    def __init__(self, to: Sink) -> None:
        self._to = to
        self._rest = b""
        self._begun = False
        self._padded = False

    def feed(self, text: bytes) -> None:
        self._rest += text
        if not self._begun:
            if len(self._rest) < 5:
                return
            if self._rest.startswith(b"data:"):
                prefix, comma, after = self._rest.partition(b",")
                if len(prefix) > LONGEST_PREFIX:
                    raise NotBase64
                if not comma:
                    return
                self._rest = after
            self._begun = True
        whole = len(self._rest) // 4 * 4
        self._write(self._rest[:whole])
        self._rest = self._rest[whole:]

    def feed_escaped(self, escape: bytes) -> None:
        """The character that stands behind a backslash; breaks between lines are no part of base64."""
        character = _ESCAPES.get(escape) or _unicode(escape)
        if character not in _LINE_BREAKS:
            self.feed(character)

    def finish(self) -> None:
        self._write(self._rest)

    def _write(self, text: bytes) -> None:
        if not text:
            return
        # Padding ends it, wherever the pieces begin.
        if self._padded:
            raise NotBase64
        try:
            self._to.write(binascii.a2b_base64(text, strict_mode=True))
        except binascii.Error:
            raise NotBase64 from None
        self._padded = text.endswith(b"=")


def _only_slashes(piece: bytes, start: int, end: int) -> bool:
    """Whether every backslash there escapes a slash, as some write all of base64's."""
    return piece.count(b"\\", start, end) == piece.count(b"\\/", start, end)


def _unicode(escape: bytes) -> bytes:
    try:
        return chr(int(escape[1:], 16)).encode("ascii")
    except ValueError:
        raise NotBase64 from None


def _text(string: bytes) -> str:
    """What is written between two quotes; "" where that is no JSON."""
    try:
        text: str = json.loads(b'"' + string + b'"')
    except ValueError:
        return ""
    return text
