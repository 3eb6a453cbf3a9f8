"""Words and when they are heard: from the times of single characters, or spread where a vendor tells none."""

import math
from collections.abc import Sequence
from typing import Any

from .contract import SpokenWord


class NoTimes(Exception):
    """The vendor tells no usable times."""


def from_characters(alignment: object) -> tuple[SpokenWord, ...]:
    """Words, split at white space, of the vendor's `characters` and their times. Raises NoTimes.

    A character may be a whole emoji or half of one, as UTF-16 has it. Times that go back are held where they were.
    """
    match alignment:
        case {
            "characters": list(characters),
            "character_start_times_seconds": list(starts),
            "character_end_times_seconds": list(ends),
        } if len(characters) == len(starts) == len(ends):
            pass
        case _:
            raise NoTimes
    if not all(map(_is_text, characters)) or not all(map(_is_time, (*starts, *ends))):
        raise NoTimes
    words: list[SpokenWord] = []
    letters: list[str] = []
    begin = now = 0.0
    for character, start, end in zip((*characters, " "), (*starts, 0.0), (*ends, 0.0), strict=True):
        if character and not character.isspace():
            now = max(now, float(start))
            begin = begin if letters else now
            now = max(now, float(end))
            letters.append(character)
        elif letters:
            words.append(SpokenWord(text=_whole("".join(letters)), start_seconds=begin, end_seconds=now))
            letters = []
    if not words:
        raise NoTimes
    return tuple(words)


def evenly(text: str, seconds: float) -> tuple[SpokenWord, ...]:
    """The words of a text over the length of its sound, each as long as its letters."""
    words = text.split()
    if not words:
        return ()
    # A pause counts as a letter.
    a_letter = seconds / (sum(map(len, words)) + len(words) - 1)
    spread: list[SpokenWord] = []
    at = 0.0
    for word in words:
        end = at + len(word) * a_letter
        spread.append(SpokenWord(text=word, start_seconds=round(at, 3), end_seconds=round(end, 3)))
        at = end + a_letter
    return tuple(spread)


def from_objects(words: Sequence[Any]) -> tuple[SpokenWord, ...]:
    """Words of `{"text", "start", "end"}`. Raises NoTimes."""
    read: list[SpokenWord] = []
    for word in words:
        match word:
            case {"text": str(text), "start": start, "end": end} if _is_time(start) and _is_time(end):
                read.append(SpokenWord(text=text, start_seconds=float(start), end_seconds=float(end)))
            case _:
                raise NoTimes
    return tuple(read)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_time(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


def _whole(text: str) -> str:
    """Halves of UTF-16 put together; a half that is alone is a question mark in a diamond."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
