"""The editor that needs no language model: it understands the common requests, and says so when it doesn't."""

import re
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.plans import looks
from pipeline.plans.film import AudioStrategy, Film, Preference
from pipeline.plans.operations import (
    Add,
    ChangeModel,
    ChangePrompt,
    Edit,
    Merge,
    Move,
    Remove,
    Retime,
    SetAudio,
    SetFormat,
    SetMusic,
    SetPreference,
    SetStyle,
    SetTitle,
    Split,
)
from pipeline.plans.wording import (
    ONE,
    PAIR,
    SECONDS,
    Build,
    Built,
    Rule,
    Unknown,
    always,
    seconds_of,
    segment_of,
    which_of,
)

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
    "“zoom into scene 2”",
    "“slow motion in scene 3”",
    "“cheaper models”",
)
_MODEL = r"(?P<model>[\w.-]+/[\w./-]+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """The edits that the words ask for, and what to say; no edits: they were not understood."""

    edits: tuple[Edit, ...]
    reply: str


def understand(text: str, film: Film) -> Understood:
    """What the words ask for, as far as rules can tell. Each sentence may ask for one thing."""
    edits: list[Edit] = []
    said: list[str] = []
    lost: list[str] = []
    for sentence in _sentences(text):
        try:
            found = _of_sentence(sentence, film)
        except Unknown as error:
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


def _of_sentence(sentence: str, film: Film) -> Built | None:
    for pattern, build in _RULES:
        if found := re.search(pattern, sentence, re.IGNORECASE):
            return build(found, film)
    return None


def _remove(found: re.Match[str], film: Film) -> Built:
    one = segment_of(found, film)
    return [Remove(op="remove", segment=one)], f"{one} is gone."


def _swap(found: re.Match[str], film: Film) -> Built:
    one, other = segment_of(found, film), segment_of(found, film, "other")
    first, second = sorted((film.index(one), film.index(other)))
    if first == second:
        raise Unknown("That is one and the same scene.")
    a, b = film.segments[first].id, film.segments[second].id
    edits: list[Edit] = [
        Move(op="move", segment=b, position=first + 1),
        Move(op="move", segment=a, position=second + 1),
    ]
    return edits, f"{a} and {b} have changed places."


def _move(found: re.Match[str], film: Film) -> Built:
    one = segment_of(found, film)
    where = found["where"].lower()
    if "start" in where or "beginning" in where or "front" in where:
        position = 1
    elif "end" in where:
        position = len(film.segments)
    else:
        position = int(re.findall(r"\d+", where)[0])
    return [Move(op="move", segment=one, position=position)], f"{one} is now number {position}."


def _split(found: re.Match[str], film: Film) -> Built:
    one = segment_of(found, film)
    given = found.groupdict().get("seconds")
    at = seconds_of(found) if given else round(film.segments[film.index(one)].seconds / 2, 3)
    return [Split(op="split", segment=one, at_seconds=at)], f"{one} is split at {at:g} s."


def _merge(found: re.Match[str], film: Film) -> Built:
    one, other = segment_of(found, film), segment_of(found, film, "other")
    first, second = sorted((film.index(one), film.index(other)))
    if second - first != 1:
        raise Unknown("Only neighbours can be joined.")
    joined = film.segments[first].id
    return [Merge(op="merge", segment=joined)], f"{joined} and {film.segments[second].id} are one now."


def _retime(found: re.Match[str], film: Film) -> Built:
    one, seconds = segment_of(found, film), seconds_of(found)
    return [Retime(op="retime", segment=one, seconds=seconds)], f"{one} has {seconds:g} s now."


def _pace(factor: float, word: str) -> Build:
    def build(found: re.Match[str], film: Film) -> Built:
        one = segment_of(found, film)
        seconds = round(film.segments[film.index(one)].seconds * factor, 1)
        return [Retime(op="retime", segment=one, seconds=seconds)], f"{one} is {word}: {seconds:g} s."

    return build


def _prompt(found: re.Match[str], film: Film) -> Built:
    one, text = segment_of(found, film), found["prompt"].strip(" \"“”'")
    return [ChangePrompt(op="change_prompt", segment=one, prompt=text, story=text)], f"{one} shows: {text}"


def _add(found: re.Match[str], film: Film) -> Built:
    groups = found.groupdict()
    place = (groups.get("place") or "").lower()
    if groups.get("scene") or groups.get("early"):
        after: str | None = segment_of(found, film)
        if "before" in place:
            index = film.index(after or "")
            after = film.segments[index - 1].id if index else None
    else:
        after = None if "start" in place or "beginning" in place else film.segments[-1].id
    prompt = found["prompt"].strip(" \"“”'.")
    return [Add(op="add", after=after, prompt=prompt, story=prompt)], f"There is a new scene: {prompt}"


def _model(found: re.Match[str], film: Film) -> Built:
    which, model = which_of(found, film), found["model"]
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


def _music(found: re.Match[str], film: Film) -> Built:
    words = re.sub(
        r"^(?:add|use|with|make it|put|some|a|the|please)\s+", "", found["music"].strip(), flags=re.I
    )
    music = f"{words} music".strip()[:200]
    return [SetMusic(op="set_music", music=music)], f"Its music: {music}."


def _title(found: re.Match[str], film: Film) -> Built:
    return [SetTitle(op="set_title", title=found["title"])], f"It is called {found['title']}."


def _style(found: re.Match[str], film: Film) -> Built:
    return [SetStyle(op="set_style", style=found["style"])], f"Its style: {found['style']}."


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
_RULES: tuple[Rule, ...] = (
    *looks.TEXTS,
    (rf"\b(?:swap|switch|exchange)\b.*?{PAIR}", _swap),
    (rf"\b(?:merge|join|combine)\b.*?{PAIR}", _merge),
    (rf"\b(?:split|cut)\b\s+{ONE}(?:.*?{SECONDS})?", _split),
    (rf"\b(?:remove|delete|drop|cut out)\b\s+{ONE}", _remove),
    (rf"\bmove\b\s+{ONE}\s+(?P<where>.*(?:start|beginning|front|end|\d+).*)", _move),
    *looks.CAPTIONS,
    *looks.TRANSITIONS,
    (rf"^(?:change\s+)?{ONE}\s*:\s*(?P<prompt>.{{3,}})$", _prompt),
    *looks.EFFECTS,
    *looks.SPEEDS,
    *looks.FITS,
    (rf"{ONE}.*?{SECONDS}", _retime),
    (rf"\b(?:shorten\b.*?{ONE})", _pace(0.75, "shorter")),
    (rf"\b(?:lengthen|extend)\b.*?{ONE}", _pace(1.5, "longer")),
    (rf"{ONE}.*\bshorter\b", _pace(0.75, "shorter")),
    (rf"{ONE}.*\blonger\b", _pace(1.5, "longer")),
    (
        (
            rf"\badd\b\s+(?:a\s+|an\s+|another\s+)?(?:new\s+)?(?:scene|segment|shot)\s*"
            rf"(?P<place>before|after|at the end|at the start|at the beginning)?\s*(?:{ONE})?\s*"
            rf"(?:with|of|showing|:|where|in which)\s*(?P<prompt>.{{3,}})"
        ),
        _add,
    ),
    (rf"{ONE}.*?\b(?:use|with|by)\b\s+{_MODEL}", _model),
    (rf"\b(?:use|with|switch to)\b\s+{_MODEL}(?:.*?{ONE})?", _model),
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
        always(SetMusic(op="set_music", music=""), "No music."),
    ),
    (
        r"\b(?:no sound|silent|mute|without sound|no audio)\b",
        always(SetAudio(op="set_audio", strategy=AudioStrategy.NONE), "It has no sound."),
    ),
    (
        r"\b(?:use my|my own|own)\s+(?:audio|music|song|sound|track)\b",
        always(SetAudio(op="set_audio", strategy=AudioStrategy.CUSTOM), "It has your own audio."),
    ),
    (r"^(?P<music>.{2,120}?)\s+music\b", _music),
    *looks.GRADES,
    (r"\b(?:call it|title:?|name it)\s+[\"“'‘]?(?P<title>.{1,200}?)[\"”'’]?$", _title),
    (r"\bstyle\s*(?:is|to|:)\s*(?P<style>.{3,300})$", _style),
    (
        rf"^(?:change\s+|make\s+|let\s+)?{ONE}\s*(?:to|into|should show|shows?|is about|be)\b\s*(?P<prompt>.{{3,}})$",
        _prompt,
    ),
)
