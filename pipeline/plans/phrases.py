"""The editor that needs no language model: it understands the common requests, and says so when it doesn't."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.plans.edits import (
    EVERY,
    Add,
    ChangeModel,
    ChangePrompt,
    Edit,
    Merge,
    Move,
    Remove,
    RemoveOverlays,
    Retime,
    SetAudio,
    SetCaptions,
    SetFormat,
    SetGrade,
    SetMusic,
    SetOverlay,
    SetPreference,
    SetStyle,
    SetTitle,
    SetTransition,
    Split,
)
from pipeline.plans.film import AudioStrategy, Film, Grade, Preference, TransitionKind

EXAMPLES = (
    "“make scene 2 4 seconds long”",
    "“remove scene 3”",
    "“swap scenes 1 and 2”",
    "“scene 1: a red boat at dawn”",
    "“split scene 2 at 3 seconds”",
    "“fade between all scenes”",
    "“calm piano music”",
    "“make it warm”",
    "“write ‘Sale’ on scene 1”",
    "“cheaper models”",
)
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
_ORDINAL = r"(?P<{name}>\d{{1,2}}|s\d{{1,4}}|last|one|two|three|four|five|six|seven|eight|nine|ten)"
_SCENE = r"(?:the\s+)?(?:scene|segment|shot|clip|part)\s*(?:number\s*|#\s*)?" + _ORDINAL.format(name="scene")
_EARLY = (
    r"(?:the\s+)?(?P<early>first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last)\s+"
    r"(?:scene|segment|shot|clip|part)"
)
_ONE = rf"(?:{_SCENE}|{_EARLY})"
_SECONDS = r"(?P<seconds>\d{1,2}(?:[.,]\d+)?)\s*(?:s|sec|secs|seconds?)\b"
_QUOTED = r"[\"“”'‘’«»](?P<text>.{1,200}?)[\"“”'‘’«»]"


_PAIR = (
    rf"(?:scenes?|segments?|shots?|parts?)\s*{_ORDINAL.format(name='scene')}\s*(?:and|with|&)\s*"
    rf"(?:scene|segment|shot|part)?\s*{_ORDINAL.format(name='other')}"
)
_MODEL = r"(?P<model>[\w.-]+/[\w./-]+)"
_KINDS = r"hard cuts?|cuts?|fades?|dissolves?|cross-?fades?|wipes?|slides?"
_TRANSITIONS = {
    "cross": TransitionKind.DISSOLVE,
    "dissolve": TransitionKind.DISSOLVE,
    "fade": TransitionKind.FADE,
    "wipe": TransitionKind.WIPE,
    "slide": TransitionKind.SLIDE,
    "cut": TransitionKind.CUT,
}
_GRADES = {
    "warm": Grade.WARM,
    "cool": Grade.COOL,
    "cold": Grade.COOL,
    "vivid": Grade.VIVID,
    "colourful": Grade.VIVID,
    "colorful": Grade.VIVID,
    "muted": Grade.MUTED,
    "pale": Grade.MUTED,
    "black and white": Grade.MONOCHROME,
    "black-and-white": Grade.MONOCHROME,
    "monochrome": Grade.MONOCHROME,
    "cinematic": Grade.CINEMATIC,
    "natural colo": Grade.NONE,
    "no grading": Grade.NONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """The edits that the words ask for, and what to say; no edits: they were not understood."""

    edits: tuple[Edit, ...]
    reply: str


class _Unknown(Exception):
    """The words name a segment that there is not; the text says so."""


def understand(text: str, film: Film) -> Understood:
    """What the words ask for, as far as rules can tell. Each sentence may ask for one thing."""
    edits: list[Edit] = []
    said: list[str] = []
    lost: list[str] = []
    for sentence in _sentences(text):
        try:
            found = _of_sentence(sentence, film)
        except _Unknown as error:
            lost.append(str(error))
            continue
        except ValidationError as error:
            first = error.errors()[0]
            lost.append(f"“{sentence[:120]}” can't be done: {first['loc'][-1]}: {first['msg']}.")
            continue
        if found is None:
            lost.append(f"I did not understand “{sentence[:120]}”.")
        else:
            edits += found[0]
            said.append(found[1])
    if not edits:
        return Understood(
            edits=(),
            reply=" ".join([*lost[:3], f"I understand, for example: {', '.join(EXAMPLES)}."]),
        )
    return Understood(edits=tuple(edits), reply=" ".join([*said, *lost]))


def _sentences(text: str) -> list[str]:
    parts = re.split(r"(?<=[.!?])\s+|\n+|;\s*|,?\s+(?:and then|then)\s+", text.strip())
    return [part.strip(" .!") for part in parts if re.search(r"\w", part)][:10]


def _of_sentence(sentence: str, film: Film) -> tuple[list[Edit], str] | None:
    for pattern, build in _RULES:
        if found := re.search(pattern, sentence, re.IGNORECASE):
            return build(found, film)
    return None


def _segment(found: re.Match[str], film: Film, name: str = "scene") -> str:
    """The id that the words name. Raises _Unknown."""
    groups = found.groupdict()
    word = (groups.get(name) or (groups.get("early") if name == "scene" else None) or "").lower()
    if word == "last":
        return film.segments[-1].id
    if word.startswith("s") and word[1:].isdigit():
        if any(one.id == word for one in film.segments):
            return word
        raise _Unknown(f"There is no segment {word}.")
    number = int(word) if word.isdigit() else _NUMBERS[word]
    if not 1 <= number <= len(film.segments):
        raise _Unknown(f"There is no scene {number}: the film has {len(film.segments)}.")
    return film.segments[number - 1].id


def _number(found: re.Match[str]) -> float:
    return float(found["seconds"].replace(",", "."))


Built = tuple[list[Edit], str]


def _remove(found: re.Match[str], film: Film) -> Built:
    one = _segment(found, film)
    return [Remove(op="remove", segment=one)], f"{one} is gone."


def _swap(found: re.Match[str], film: Film) -> Built:
    one, other = _segment(found, film), _segment(found, film, "other")
    first, second = sorted((film.index(one), film.index(other)))
    if first == second:
        raise _Unknown("That is one and the same scene.")
    a, b = film.segments[first].id, film.segments[second].id
    edits: list[Edit] = [
        Move(op="move", segment=b, position=first + 1),
        Move(op="move", segment=a, position=second + 1),
    ]
    return edits, f"{a} and {b} have changed places."


def _move(found: re.Match[str], film: Film) -> Built:
    one = _segment(found, film)
    where = found["where"].lower()
    if "start" in where or "beginning" in where or "front" in where:
        position = 1
    elif "end" in where:
        position = len(film.segments)
    else:
        position = int(re.findall(r"\d+", where)[0])
    return [Move(op="move", segment=one, position=position)], f"{one} is now number {position}."


def _split(found: re.Match[str], film: Film) -> Built:
    one = _segment(found, film)
    given = found.groupdict().get("seconds")
    at = _number(found) if given else round(film.segments[film.index(one)].seconds / 2, 3)
    return [Split(op="split", segment=one, at_seconds=at)], f"{one} is split at {at:g} s."


def _merge(found: re.Match[str], film: Film) -> Built:
    one, other = _segment(found, film), _segment(found, film, "other")
    first, second = sorted((film.index(one), film.index(other)))
    if second - first != 1:
        raise _Unknown("Only neighbours can be joined.")
    joined = film.segments[first].id
    return [Merge(op="merge", segment=joined)], f"{joined} and {film.segments[second].id} are one now."


def _retime(found: re.Match[str], film: Film) -> Built:
    one, seconds = _segment(found, film), _number(found)
    return [Retime(op="retime", segment=one, seconds=seconds)], f"{one} has {seconds:g} s now."


def _pace(factor: float, word: str) -> Callable[[re.Match[str], Film], Built]:
    def build(found: re.Match[str], film: Film) -> Built:
        one = _segment(found, film)
        seconds = round(film.segments[film.index(one)].seconds * factor, 1)
        return [Retime(op="retime", segment=one, seconds=seconds)], f"{one} is {word}: {seconds:g} s."

    return build


def _prompt(found: re.Match[str], film: Film) -> Built:
    one, text = _segment(found, film), found["prompt"].strip(" \"“”'")
    return [ChangePrompt(op="change_prompt", segment=one, prompt=text, story=text)], f"{one} shows: {text}"


def _add(found: re.Match[str], film: Film) -> Built:
    groups = found.groupdict()
    place = (groups.get("place") or "").lower()
    if groups.get("scene") or groups.get("early"):
        after: str | None = _segment(found, film)
        if "before" in place:
            index = film.index(after or "")
            after = film.segments[index - 1].id if index else None
    else:
        after = None if "start" in place or "beginning" in place else film.segments[-1].id
    prompt = found["prompt"].strip(" \"“”'.")
    return [Add(op="add", after=after, prompt=prompt, story=prompt)], f"There is a new scene: {prompt}"


def _model(found: re.Match[str], film: Film) -> Built:
    groups = found.groupdict()
    which = _segment(found, film) if groups.get("scene") or groups.get("early") else EVERY
    model = found["model"]
    return [ChangeModel(op="change_model", segment=which, model=model)], f"{model} makes it now."


def _preference(found: re.Match[str], film: Film) -> Built:
    word = found["wish"].lower()
    wish = (
        Preference.PRICE
        if word.startswith(("cheap", "price", "less"))
        else Preference.SPEED
        if word.startswith(("fast", "quick", "speed"))
        else Preference.QUALITY
    )
    return [SetPreference(op="set_preference", preference=wish)], f"Models are chosen by {wish} now."


def _transition(found: re.Match[str], film: Film) -> Built:
    word = found["kind"].lower()
    kind = next(kind for name, kind in _TRANSITIONS.items() if name in word)
    groups = found.groupdict()
    which = _segment(found, film) if groups.get("scene") or groups.get("early") else EVERY
    seconds = _number(found) if groups.get("seconds") else 0.5
    where = "everywhere" if which == EVERY else f"into {which}"
    return [
        SetTransition(op="set_transition", segment=which, kind=kind, seconds=seconds)
    ], f"A {kind} {where}."


def _grade(found: re.Match[str], film: Film) -> Built:
    word = found["grade"].lower()
    grade = next(grade for name, grade in _GRADES.items() if word.startswith(name))
    return [SetGrade(op="set_grade", grade=grade)], f"The picture's grade is {grade}."


def _music(found: re.Match[str], film: Film) -> Built:
    words = re.sub(
        r"^(?:add|use|with|make it|put|some|a|the|please)\s+", "", found["music"].strip(), flags=re.I
    )
    music = f"{words} music".strip()[:200]
    return [SetMusic(op="set_music", music=music)], f"Its music: {music}."


def _overlay(found: re.Match[str], film: Film) -> Built:
    one = _segment(found, film)
    return [SetOverlay(op="set_overlay", segment=one, text=found["text"])], f"{one} says “{found['text']}”."


def _no_overlay(found: re.Match[str], film: Film) -> Built:
    groups = found.groupdict()
    which = _segment(found, film) if groups.get("scene") or groups.get("early") else EVERY
    return [RemoveOverlays(op="remove_overlays", segment=which)], "The text is gone."


def _title(found: re.Match[str], film: Film) -> Built:
    return [SetTitle(op="set_title", title=found["title"])], f"It is called {found['title']}."


def _style(found: re.Match[str], film: Film) -> Built:
    return [SetStyle(op="set_style", style=found["style"])], f"Its style: {found['style']}."


def _always(edit: Edit, reply: str) -> Callable[[re.Match[str], Film], Built]:
    return lambda found, film: ([edit], reply)


def _format(found: re.Match[str], film: Film) -> Built:
    groups = found.groupdict()
    ratio, resolution = groups.get("ratio"), groups.get("resolution")
    if ratio is None and groups.get("shape"):
        ratio = {"upright": "9:16", "vertical": "9:16", "portrait": "9:16", "square": "1:1"}.get(
            (groups["shape"] or "").lower(), "16:9"
        )
    if resolution is not None:
        resolution = "4K" if resolution.lower() == "4k" else resolution.lower()
    said = " and ".join(one for one in (ratio, resolution) if one)
    return [SetFormat(op="set_format", ratio=ratio, resolution=resolution)], f"The film is {said} now."


# Each pattern with what it asks for; the first that is found counts.
_RULES: tuple[tuple[str, Callable[[re.Match[str], Film], Built]], ...] = (
    (rf"\b(?:write|show|put|add)\b.*?{_QUOTED}.*?\b{_ONE}", _overlay),
    (rf"{_ONE}.*\b(?:text|title|caption|overlay)\b\s*:?\s*{_QUOTED}", _overlay),
    (rf"\b(?:remove|delete|no)\b.*\b(?:overlays?|texts?|titles)\b(?:.*?{_ONE})?", _no_overlay),
    (rf"\b(?:swap|switch|exchange)\b.*?{_PAIR}", _swap),
    (rf"\b(?:merge|join|combine)\b.*?{_PAIR}", _merge),
    (rf"\b(?:split|cut)\b\s+{_ONE}(?:.*?{_SECONDS})?", _split),
    (rf"\b(?:remove|delete|drop|cut out)\b\s+{_ONE}", _remove),
    (rf"\bmove\b\s+{_ONE}\s+(?P<where>.*(?:start|beginning|front|end|\d+).*)", _move),
    (
        r"\b(?:no|without|remove the|turn off)\s+(?:captions|subtitles)\b",
        _always(SetCaptions(op="set_captions", captions=False), "No captions."),
    ),
    (
        r"\b(?:captions|subtitles)\b",
        _always(SetCaptions(op="set_captions", captions=True), "Spoken words are written on it."),
    ),
    (
        rf"\b(?P<kind>{_KINDS})\b.*?(?:\b(?:in)?to\s+{_ONE}|\b(?:between|everywhere|all)\b)(?:.*?{_SECONDS})?",
        _transition,
    ),
    (rf"^(?:change\s+)?{_ONE}\s*:\s*(?P<prompt>.{{3,}})$", _prompt),
    (rf"{_ONE}.*?{_SECONDS}", _retime),
    (rf"\b(?:shorten\b.*?{_ONE})", _pace(0.75, "shorter")),
    (rf"\b(?:lengthen|extend)\b.*?{_ONE}", _pace(1.5, "longer")),
    (rf"{_ONE}.*\bshorter\b", _pace(0.75, "shorter")),
    (rf"{_ONE}.*\blonger\b", _pace(1.5, "longer")),
    (
        (
            rf"\badd\b\s+(?:a\s+|an\s+|another\s+)?(?:new\s+)?(?:scene|segment|shot)\s*"
            rf"(?P<place>before|after|at the end|at the start|at the beginning)?\s*(?:{_ONE})?\s*"
            rf"(?:with|of|showing|:|where|in which)\s*(?P<prompt>.{{3,}})"
        ),
        _add,
    ),
    (rf"{_ONE}.*?\b(?:use|with|by)\b\s+{_MODEL}", _model),
    (rf"\b(?:use|with|switch to)\b\s+{_MODEL}(?:.*?{_ONE})?", _model),
    (
        r"\b(?P<wish>cheaper|cheapest|less expensive|faster|fastest|quicker|(?:better|best|higher) quality)\b",
        _preference,
    ),
    (r"\b(?P<ratio>16:9|9:16|1:1|4:5|4:3|3:4|21:9)\b", _format),
    (r"\b(?P<resolution>480p|720p|1080p|4k)\b", _format),
    (
        r"\b(?P<shape>upright|vertical|portrait|square|landscape format|widescreen|horizontal)\b",
        _format,
    ),
    (
        r"\b(?:no|without|remove the|stop the|turn off the)\s+music\b",
        _always(SetMusic(op="set_music", music=""), "No music."),
    ),
    (
        r"\b(?:no sound|silent|mute|without sound|no audio)\b",
        _always(SetAudio(op="set_audio", strategy=AudioStrategy.NONE), "It has no sound."),
    ),
    (
        r"\b(?:use my|my own|own)\s+(?:audio|music|song|sound|track)\b",
        _always(SetAudio(op="set_audio", strategy=AudioStrategy.CUSTOM), "It has your own audio."),
    ),
    (r"^(?P<music>.{2,120}?)\s+music\b", _music),
    (rf"\b(?P<grade>{'|'.join(_GRADES)})\w*\b", _grade),
    (r"\b(?:call it|title:?|name it)\s+[\"“'‘]?(?P<title>.{1,200}?)[\"”'’]?$", _title),
    (r"\bstyle\s*(?:is|to|:)\s*(?P<style>.{3,300})$", _style),
    (
        rf"^(?:change\s+|make\s+|let\s+)?{_ONE}\s*(?:to|into|should show|shows?|is about|be)\b\s*(?P<prompt>.{{3,}})$",
        _prompt,
    ),
)
