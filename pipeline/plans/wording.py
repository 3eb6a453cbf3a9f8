"""How people name scenes, lengths and what is written: patterns, and what they find."""

import re
from collections.abc import Callable, Sequence

from pipeline.plans.film import Film
from pipeline.plans.operations import EVERY, Edit

_NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            "one first",
            "two second",
            "three third",
            "four fourth",
            "five fifth",
            "six sixth",
            "seven seventh",
            "eight eighth",
            "nine ninth",
            "ten tenth",
        ),
        start=1,
    )
    for word in words.split()
}
ORDINAL = r"(?P<{name}>\d{{1,2}}|s\d{{1,4}}|last|one|two|three|four|five|six|seven|eight|nine|ten)"
SCENE = r"(?:the\s+)?(?:scene|segment|shot|clip|part)\s*(?:number\s*|#\s*)?" + ORDINAL.format(name="scene")
EARLY = (
    r"(?:the\s+)?(?P<early>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last)\s+"
    r"(?:scene|segment|shot|clip|part)"
)
ONE = rf"(?:{SCENE}|{EARLY})"
SECONDS = r"(?P<seconds>\d{1,2}(?:[.,]\d+)?)\s*(?:s|sec|secs|seconds?)\b"
QUOTED = r"[\"“”'‘’«»](?P<text>.{1,200}?)[\"“”'‘’«»]"
PAIR = (
    rf"(?:scenes?|segments?|shots?|parts?)\s*{ORDINAL.format(name='scene')}\s*(?:and|with|&)\s*"
    rf"(?:scene|segment|shot|part)?\s*{ORDINAL.format(name='other')}"
)

# Edits, and what to say of them; made of what a pattern found.
Built = tuple[Sequence[Edit], str]
Build = Callable[[re.Match[str], Film], Built]
Rule = tuple[str, Build]


class Unknown(Exception):
    """The words name a segment that there is not; the text says so."""


def segment_of(found: re.Match[str], film: Film, name: str = "scene") -> str:
    """The id of the segment that the words name. Raises Unknown."""
    groups = found.groupdict()
    word = (groups.get(name) or (groups.get("early") if name == "scene" else None) or "").lower()
    if word == "last":
        return film.segments[-1].id
    if word.startswith("s") and word[1:].isdigit():
        if any(one.id == word for one in film.segments):
            return word
        raise Unknown(f"There is no segment {word}.")
    number = int(word) if word.isdigit() else _NUMBERS[word]
    if not 1 <= number <= len(film.segments):
        raise Unknown(f"There is no scene {number}: the film has {len(film.segments)}.")
    return film.segments[number - 1].id


def seconds_of(found: re.Match[str]) -> float:
    return float(found["seconds"].replace(",", "."))


def which_of(found: re.Match[str], film: Film) -> str:
    """The id of the segment that the words name; all of them where they name none. Raises Unknown."""
    groups = found.groupdict()
    return segment_of(found, film) if groups.get("scene") or groups.get("early") else EVERY


def always(edit: Edit, reply: str) -> Build:
    return lambda found, film: ([edit], reply)
