"""Whether a film can be rendered: every reason why not, for people."""

from collections import Counter
from dataclasses import dataclass

from pipeline.media.composition.vocabulary import TransitionKind
from pipeline.plans.film import (
    LONGEST_FILM,
    SHORTEST_SEGMENT,
    AudioStrategy,
    Continuity,
    Film,
    Segment,
)
from pipeline.plans.offers import Offers, mode_of, starts_with_image

# Spoken at an ordinary pace.
WORDS_PER_SECOND = 2.8
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the project brings along."""

    character: bool = False
    audio: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What can't be rendered; `field` names it as a path in the plan."""

    field: str
    reason: str


class Unrenderable(Exception):
    """The plan can't be rendered, for these reasons."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(" ".join(f"{one.field}: {one.reason}" for one in problems))


def check(film: Film, offers: Offers, inputs: Inputs) -> Film:
    """The film, if it can be rendered. Raises Unrenderable."""
    if found := problems(film, offers, inputs):
        raise Unrenderable(found)
    return film


def problems(film: Film, offers: Offers, inputs: Inputs) -> tuple[Problem, ...]:
    """Everything that stands in the way of rendering it; empty if nothing does."""
    found: list[Problem] = []

    def add(field: str, reason: str) -> None:
        found.append(Problem(field=field, reason=reason))

    if film.seconds > LONGEST_FILM + TOLERANCE:
        add("segments", f"The film has {film.seconds:g} s; {LONGEST_FILM:g} s are the most.")
    if film.seconds < SHORTEST_SEGMENT - TOLERANCE:
        add("segments", "The film is shorter than a second.")
    for segment_id, count in Counter(one.id for one in film.segments).items():
        if count > 1:
            add("segments", f"{segment_id} is there {count} times.")
    for index, one in enumerate(film.segments):
        before = film.segments[index - 1] if index else None
        for field, reason in _of_segment(film, one, before, offers, inputs):
            add(f"segments.{one.id}.{field}", reason)
    for field, reason in _of_audio(film, inputs):
        add(f"audio.{field}", reason)
    return tuple(found)


def _of_segment(
    film: Film, one: Segment, before: Segment | None, offers: Offers, inputs: Inputs
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if one.clip_seconds < one.taken_seconds - TOLERANCE:
        shown = f"{one.seconds:g} s" + (f" at {one.speed:g} times its speed" if one.speed != 1 else "")
        found.append(("clip_seconds", f"A clip of {one.clip_seconds} s can't show {shown}."))
    found += _of_model(film, one, offers)
    for name in one.alternatives:
        if name not in offers:
            found.append(("alternatives", f"{name} is not available."))
    if one.character and not inputs.character:
        found.append(("character", "The project has no character image."))
    if before is None:
        if one.continuity != Continuity.CUT:
            found.append(("continuity", "Nothing comes before the first segment."))
        if one.transition.seconds:
            found.append(("transition", "Nothing comes before the first segment."))
    else:
        overlap = one.transition.seconds
        if (one.transition.kind == TransitionKind.CUT) != (overlap == 0):
            found.append(
                ("transition.seconds", "A cut takes no time, and every other transition takes some.")
            )
        if overlap > min(before.seconds, one.seconds) / 2 + TOLERANCE:
            found.append(
                ("transition.seconds", "A transition takes at most half of each of its two segments.")
            )
    for number, over in enumerate(one.overlays):
        if not over.start_seconds < over.end_seconds <= one.seconds + TOLERANCE:
            found.append(
                (
                    f"overlays.{number}",
                    f"It ends after it starts, and within the segment's {one.seconds:g} s.",
                )
            )
    return found


def _of_model(film: Film, one: Segment, offers: Offers) -> list[tuple[str, str]]:
    offer = offers.get(one.model)
    if offer is None:
        return [("model", f"{one.model} is not available.")]
    model, found = offer.model, []
    offered = model.durations_for(mode_of(one), film.resolution)
    if one.clip_seconds not in offered:
        lengths = ", ".join(str(length) for length in offered) or "no such"
        found.append(("clip_seconds", f"{model.id} makes clips of {lengths} s."))
    if mode_of(one) not in model.modes:
        found.append(("model", f"{model.id} can't start with an image."))
    if film.ratio not in model.ratios:
        found.append(("model", f"{model.id} does not make {film.ratio}."))
    if film.resolution not in model.resolutions:
        found.append(("model", f"{model.id} does not make {film.resolution}."))
    if len(one.prompt) > model.max_prompt_length:
        found.append(
            ("prompt", f"{model.id} reads {model.max_prompt_length} characters; it has {len(one.prompt)}.")
        )
    if (
        not found
        and offer.credits(
            seconds=one.clip_seconds, resolution=film.resolution, start_image=starts_with_image(one)
        )
        is None
    ):
        found.append(("model", f"{model.id} has no price for this."))
    return found


def _of_audio(film: Film, inputs: Inputs) -> list[tuple[str, str]]:
    audio, found = film.audio, []
    if audio.strategy == AudioStrategy.CUSTOM and not inputs.audio:
        found.append(("strategy", "The project has no audio file."))
    if audio.strategy == AudioStrategy.VOICE_OVER and not audio.script:
        found.append(("script", "A voice needs words to say."))
    if audio.strategy == AudioStrategy.EFFECTS and not audio.effects:
        found.append(("effects", "Say what is to be heard."))
    if audio.strategy == AudioStrategy.MUSIC and not audio.music:
        found.append(("music", "Say what kind of music."))
    lengths = {one.id: one.seconds for one in film.segments}
    for name, lines in (("script", audio.script), ("effects", audio.effects)):
        if len({line.segment for line in lines}) < len(lines):
            found.append((name, "One line for each segment."))
        unknown = [line.segment for line in lines if line.segment not in lengths]
        found += [(name, f"There is no segment {one}.") for one in unknown]
    if audio.strategy == AudioStrategy.VOICE_OVER:
        for line in audio.script:
            words = len(line.text.split())
            if line.segment in lengths and words > room_for_words(lengths[line.segment]):
                found.append(
                    (
                        "script",
                        f"{words} words don't fit into the {lengths[line.segment]:g} s of {line.segment}.",
                    )
                )
    return found


def room_for_words(seconds: float) -> int:
    """How many words can be spoken in that time."""
    return max(1, int(seconds * WORDS_PER_SECOND))
