"""What people say of how a film looks: transitions, effects, speed, texts, colours, bars."""

import re
from collections.abc import Callable

from pipeline.media.composition.vocabulary import (
    Animation,
    EffectKind,
    Fit,
    Grade,
    Position,
    TransitionKind,
)
from pipeline.plans.film import Film, Segment
from pipeline.plans.operations import (
    EVERY,
    Edit,
    RemoveOverlays,
    SetCaptions,
    SetFit,
    SetGrade,
    SetOverlay,
    SetPictureEffects,
    SetSpeed,
    SetTransition,
)
from pipeline.plans.wording import (
    ONE,
    QUOTED,
    SECONDS,
    Built,
    Rule,
    always,
    seconds_of,
    segment_of,
    which_of,
)

_WAY = r"(?:\s+(?:to\s+the\s+)?(?:left|right|up|down)(?:wards?)?)?"
# Each way of saying a transition; the first that is found counts.
_TRANSITIONS = (
    (r"black", TransitionKind.FADE_BLACK),
    (r"white", TransitionKind.FADE_WHITE),
    (r"cross|dissolve", TransitionKind.DISSOLVE),
    (r"fade", TransitionKind.FADE),
    (r"wipe.*right", TransitionKind.WIPE_RIGHT),
    (r"wipe.*up", TransitionKind.WIPE_UP),
    (r"wipe.*down", TransitionKind.WIPE_DOWN),
    (r"slide.*right", TransitionKind.SLIDE_RIGHT),
    (r"slide.*up", TransitionKind.SLIDE_UP),
    (r"slide.*down", TransitionKind.SLIDE_DOWN),
    (r"circle", TransitionKind.CIRCLE),
    (r"radial", TransitionKind.RADIAL),
    (r"zoom", TransitionKind.ZOOM),
    (r"blur", TransitionKind.BLUR),
    (r"pixel", TransitionKind.PIXELATE),
    (r"wipe", TransitionKind.WIPE),
    (r"slide", TransitionKind.SLIDE),
    (r"cut", TransitionKind.CUT),
)
_THROUGH = r"fades?\s+(?:through|to|via)\s+(?:black|white)|(?:through|via)\s+(?:black|white)"
_KINDS = (
    rf"{_THROUGH}|hard cuts?|cuts?|fades?|dissolves?|cross-?fades?|(?:wipes?|slides?){_WAY}|circles?|radial|"
    r"pixelate[sd]?"
)
_BETWEEN = r"\b(?:between|everywhere|all)\b"
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
_EFFECTS = {
    "blur": EffectKind.BLUR,
    "vignette": EffectKind.VIGNETTE,
    "grain": EffectKind.GRAIN,
}
_ANIMATIONS = {
    r"\btype(?:d|s|writer)?\b|\bletter by letter\b": Animation.TYPEWRITER,
    r"\bkaraoke\b|\bword by word\b": Animation.KARAOKE,
    r"\bfad(?:e|es|ing)\b": Animation.FADE,
    r"\bslid(?:e|es|ing)\b": Animation.SLIDE,
}
_POSITIONS = {
    r"\btop\W+left\b": Position.TOP_LEFT,
    r"\btop\W+right\b": Position.TOP_RIGHT,
    r"\bbottom\W+left\b": Position.BOTTOM_LEFT,
    r"\bbottom\W+right\b": Position.BOTTOM_RIGHT,
    r"\btop\b": Position.TOP,
    r"\bbottom\b": Position.BOTTOM,
    r"\bleft\b": Position.LEFT,
    r"\bright\b": Position.RIGHT,
    r"\b(?:centre|center|middle)\b": Position.CENTRE,
}
_POLITE = r"^(?:please\s+|now\s+)?"
_PLACE = rf"(?:\s+(?:(?:in|into|on|to|of|for|over|from|with)\s+)?(?:{ONE}|(?:all\b|every|the (?:whole )?film|it\b).*))?"
_SLOW = r"(?P<slow>(?:super|very|extreme(?:ly)?)[\s-]+)?(?:slow[\s-]?motion|slo-?mo)"
_PACE = (
    r"(?:(?P<half>half)\s+(?:(?:the|its)\s+)?speed|(?P<double>double\s+speed|twice\s+(?:(?:the|its)\s+speed|as fast))|"
    r"(?P<usual>normal|usual|original|its own)\s+speed|"
    r"(?P<times>\d(?:[.,]\d+)?)\s*(?:x(?:\s+speed)?|times\s+(?:(?:the|its)\s+speed|as fast)))"
)


def _transition(found: re.Match[str], film: Film) -> Built:
    word = found["kind"].lower()
    kind = next(kind for pattern, kind in _TRANSITIONS if re.search(pattern, word))
    which = which_of(found, film)
    seconds = seconds_of(found) if found.groupdict().get("seconds") else 0.5
    where = "everywhere" if which == EVERY else f"into {which}"
    edit = SetTransition(op="set_transition", segment=which, kind=kind, seconds=seconds)
    return [edit], f"A {_said(kind)} {where}."


def _grade(found: re.Match[str], film: Film) -> Built:
    word = found["grade"].lower()
    grade = next(grade for name, grade in _GRADES.items() if word.startswith(name))
    return [SetGrade(op="set_grade", grade=grade)], f"The picture's grade is {grade}."


def _overlay(found: re.Match[str], film: Film) -> Built:
    one = segment_of(found, film)
    # What is written says nothing of how.
    around = found.string.replace(found["text"], " ").lower()
    animation = next((kind for word, kind in _ANIMATIONS.items() if re.search(word, around)), Animation.NONE)
    position = next((place for word, place in _POSITIONS.items() if re.search(word, around)), Position.BOTTOM)
    edit = SetOverlay(
        op="set_overlay", segment=one, text=found["text"], position=position, animation=animation
    )
    return [edit], f"{one} says “{found['text']}”."


def _no_overlay(found: re.Match[str], film: Film) -> Built:
    edit = RemoveOverlays(op="remove_overlays", segment=which_of(found, film))
    return [edit], "The text is gone."


def _zoom(found: re.Match[str], film: Film) -> Built:
    return _with_effect(
        found, film, EffectKind.ZOOM_IN if found["way"].lower() == "in" else EffectKind.ZOOM_OUT
    )


def _effect(found: re.Match[str], film: Film) -> Built:
    word = found["effect"].lower()
    return _with_effect(found, film, next(kind for name, kind in _EFFECTS.items() if word.startswith(name)))


def _with_effect(found: re.Match[str], film: Film, kind: EffectKind) -> Built:
    """The effects that are there stay, but for what contradicts the new one."""
    zooms = {EffectKind.ZOOM_IN, EffectKind.ZOOM_OUT}
    gone = zooms if kind in zooms else {kind}

    def effects(one: Segment) -> tuple[EffectKind, ...]:
        return (*(other for other in one.effects if other not in gone), kind)

    which = which_of(found, film)
    where = "Everything" if which == EVERY else which
    return _effects(which, film, effects), f"{where} has {_said(kind)}."


def _no_effect(found: re.Match[str], film: Film) -> Built:
    word = found["effect"].lower()

    def effects(one: Segment) -> tuple[EffectKind, ...]:
        return tuple(kind for kind in one.effects if not (word.startswith("effect") or kind.startswith(word)))

    return _effects(which_of(found, film), film, effects), f"No {word} any more."


def _effects(which: str, film: Film, of: Callable[[Segment], tuple[EffectKind, ...]]) -> list[Edit]:
    segments = film.segments if which == EVERY else (film.segments[film.index(which)],)
    wanted = {one.id: of(one) for one in segments}
    if which == EVERY and len(set(wanted.values())) == 1:
        wanted = {EVERY: wanted[segments[0].id]}
    return [
        SetPictureEffects(op="set_picture_effects", segment=name, effects=effects)
        for name, effects in wanted.items()
    ]


def _slow(found: re.Match[str], film: Film) -> Built:
    return _speed(found, film, 0.25 if found["slow"] else 0.5)


def _pace(found: re.Match[str], film: Film) -> Built:
    if found["times"]:
        return _speed(found, film, float(found["times"].replace(",", ".")))
    return _speed(found, film, 0.5 if found["half"] else 2.0 if found["double"] else 1.0)


def _speed(found: re.Match[str], film: Film, speed: float) -> Built:
    which = which_of(found, film)
    where = "Everything" if which == EVERY else which
    how = "at its own speed" if speed == 1 else f"at {speed:g} times its speed"
    return [SetSpeed(op="set_speed", segment=which, speed=speed)], f"{where} runs {how}."


def _said(word: str) -> str:
    return word.replace("_", " ")


_CROP = always(SetFit(op="set_fit", fit=Fit.CROP), "Every clip fills the picture.")
_BARS = always(SetFit(op="set_fit", fit=Fit.LETTERBOX), "Every clip is seen whole, with black bars.")

# Before everything else, because what is written may be anything.
TEXTS: tuple[Rule, ...] = (
    (rf"\b(?:write|show|put|add|type|typewriter|karaoke)\b.*?{QUOTED}.*?\b{ONE}", _overlay),
    (rf"{ONE}.*\b(?:text|title|caption|overlay)\b\s*:?\s*{QUOTED}", _overlay),
    (rf"\b(?:remove|delete|no)\b.*\b(?:overlays?|texts?|titles)\b(?:.*?{ONE})?", _no_overlay),
)
CAPTIONS: tuple[Rule, ...] = (
    (
        r"\b(?:no|without|remove the|turn off)\s+(?:captions|subtitles)\b",
        always(SetCaptions(op="set_captions", captions=False), "No captions."),
    ),
    (
        r"\b(?:captions|subtitles)\b",
        always(SetCaptions(op="set_captions", captions=True), "Spoken words are written on it."),
    ),
)
TRANSITIONS: tuple[Rule, ...] = (
    (rf"\b(?P<kind>{_KINDS})\b.*?(?:\b(?:in)?to\s+{ONE}|{_BETWEEN})(?:.*?{SECONDS})?", _transition),
    # By themselves these are effects.
    (
        rf"\b(?P<kind>zoom|blur)\s+transitions?\b(?:.*?\b(?:in)?to\s+{ONE})?(?:.*?{SECONDS})?",
        _transition,
    ),
    (rf"\b(?P<kind>zoom|blur)s?\s+between\b(?:.*?{SECONDS})?", _transition),
)
# From the beginning to the end, because descriptions of scenes have these words in them, too.
EFFECTS: tuple[Rule, ...] = (
    (
        (
            rf"{_POLITE}(?:no|without|remove|take away|turn off)\s+(?:the\s+|any\s+|all\s+)*"
            rf"(?P<effect>zoom|blur|vignette|grain|effects?){_PLACE}$"
        ),
        _no_effect,
    ),
    (
        (
            rf"{_POLITE}(?:(?:add|use|with|let)\s+)?(?:(?:a|it)\s+)?(?:slow(?:ly)?\s+)?zoom(?:s|ing)?\s+"
            rf"(?:slowly\s+)?(?P<way>in|out)(?:to)?\b{_PLACE}$"
        ),
        _zoom,
    ),
    (rf"{_POLITE}(?:let|make)\s+{ONE}\s+zoom\s+(?P<way>in|out)$", _zoom),
    (
        (
            rf"{_POLITE}(?:(?:add|put|use|with)\s+)?(?:(?:a|an|some|more|the|film|soft|little)\s+)*"
            rf"(?P<effect>blur|vignette|grain){_PLACE}(?:\s+everywhere)?$"
        ),
        _effect,
    ),
    (rf"{_POLITE}make\s+(?:{ONE}|it)\s+(?P<effect>blur|grain)\w*$", _effect),
)
SPEEDS: tuple[Rule, ...] = (
    (rf"{_POLITE}(?:(?:add|use|with|make it)\s+)?{_SLOW}{_PLACE}(?:\s+everywhere)?$", _slow),
    (rf"{_POLITE}(?:\w+\s+)?{ONE}\s+(?:(?:be|run|play|is|as)\s+)?(?:in\s+|into\s+)?{_SLOW}$", _slow),
    (rf"{_POLITE}(?:play|run|show|make|let)\s+(?:{ONE}|it|all|everything)\b.*?{_PACE}$", _pace),
    (rf"^{ONE}\s+(?:at\s+)?{_PACE}$", _pace),
    (rf"{_POLITE}speed up{_PLACE}$", lambda found, film: _speed(found, film, 2.0)),
    (rf"{_POLITE}slow down{_PLACE}$", lambda found, film: _speed(found, film, 0.5)),
)
FITS: tuple[Rule, ...] = (
    (
        (
            rf"{_POLITE}(?:\w+\s+)?(?:no|without|remove the)\s+(?:black\s+)?bars\b|"
            rf"{_POLITE}(?:\w+\s+)?fill the (?:frame|screen|picture)$|"
            r"\binstead of (?:the\s+)?(?:black\s+)?bars$"
        ),
        _CROP,
    ),
    (
        (
            rf"{_POLITE}(?:\w+\s+)?(?:letterbox|(?:with\s+)?black bars\b|(?:no|without|don.?t|do not|never)\s+crop)|"
            r"\binstead of cropping$"
        ),
        _BARS,
    ),
    (rf"{_POLITE}crop(?:\s+(?:it|them|all|everything|(?:the\s+)?(?:clips|pictures|film)))*$", _CROP),
)
GRADES: tuple[Rule, ...] = ((rf"\b(?P<grade>{'|'.join(_GRADES)})\w*\b", _grade),)
