"""What a reader takes for one letter, and how much room letters take, in any script."""

import unicodedata
from collections.abc import Sequence

import regex

# A vowel that is written before its consonant, in Thai and Lao, stays with it.
_LETTER = regex.compile(r"[\u0e40-\u0e44\u0ec0-\u0ec4]?\X")
# Scripts whose letters are about as wide as Latin ones; those after them in Unicode are wider.
_WIDER_FROM, _NARROW = 0x900, regex.compile(r"[\p{Thai}\p{Lao}\p{Hangul}\p{Hebrew}\p{Arabic}]")


def letters_of(text: str) -> Sequence[str]:
    """The text in pieces between which a line may be broken if it must."""
    return _LETTER.findall(text)


def columns_of(text: str) -> int:
    """How many columns it takes: a letter of East Asia two, a mark on a letter none."""
    return sum(0 if _is_mark(one) else 1 + _is_wide(one) for one in text)


def has_no_blanks(letter: str) -> bool:
    """Whether it is of a script that has no blanks between words. Korean is wide, but has them."""
    return _is_wide(letter) and not "\uac00" <= letter <= "\ud7a3"


def width_of(text: str) -> float:
    """About how wide it is in a bold face, in sizes of its letters: rather too much."""
    return sum(_width(one) for one in text)


def _width(one: str) -> float:
    if _is_mark(one):
        return 0.0
    category = unicodedata.category(one)
    if category == "So":
        return 1.5
    if _is_wide(one):
        return 1.05
    if one in "MWmw@%—" or (ord(one) >= _WIDER_FROM and not _NARROW.match(one)):
        return 0.97
    return 0.75 if category == "Lu" else 0.62


def _is_mark(one: str) -> bool:
    return unicodedata.category(one) in ("Mn", "Me", "Cf", "Cc")


def _is_wide(one: str) -> bool:
    return one != "" and unicodedata.east_asian_width(one) in "WF"
