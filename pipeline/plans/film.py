"""What a film is made of: the plan's own shape, as it is stored, edited and answered by the API.

Times are seconds of the finished film. `clip_seconds` is what is paid for: whole seconds that the segment's model
makes, at least as long as what the film shows of it.

Versions of plans are kept as they were written. What the plan did not say from the beginning is left out of digests
where it says nothing (`SILENT`), so that a film that does not use it has the digests that it always had.
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.media.composition.vocabulary import (
    Animation,
    EffectKind,
    Fit,
    Grade,
    Position,
    TransitionKind,
)
from providers.catalogue import ContentType

LONGEST_FILM = 60.0
LONGEST_SEGMENT = 15.0
SHORTEST_SEGMENT = 1.0
MOST_SEGMENTS = 40
LONGEST_TRANSITION = 1.5
LONGEST_PROMPT = 5000
SLOWEST, FASTEST = 0.25, 4.0
MOST_EFFECTS = 3

Text = Annotated[str, Field(max_length=2000)]
Words = Annotated[str, Field(max_length=200)]
SegmentId = Annotated[str, Field(pattern=r"^s[0-9]{1,4}$")]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_FILM, allow_inf_nan=False)]
Speed = Annotated[float, Field(ge=SLOWEST, le=FASTEST, allow_inf_nan=False)]
"""How much faster than the clip the film is: 0.5 is slow motion."""


def _go_together(effects: tuple[EffectKind, ...]) -> tuple[EffectKind, ...]:
    if len(set(effects)) < len(effects):
        raise ValueError("each effect can be there once")
    if {EffectKind.ZOOM_IN, EffectKind.ZOOM_OUT} <= set(effects):
        raise ValueError("a picture can't zoom in and out at once")
    return effects


Effects = Annotated[tuple[EffectKind, ...], Field(max_length=MOST_EFFECTS), AfterValidator(_go_together)]


class Part(BaseModel):
    """Immutable, and strict about what it is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Preference(StrEnum):
    """What matters most when a model is chosen."""

    BALANCED = "balanced"
    QUALITY = "quality"
    SPEED = "speed"
    PRICE = "price"


class Continuity(StrEnum):
    """What a segment's first picture is."""

    CUT = "cut"
    PREVIOUS_FRAME = "previous_frame"
    """The last frame of the segment before it."""


class Transition(Part):
    """How a segment begins; for `seconds` both it and the one before are seen."""

    kind: TransitionKind = TransitionKind.CUT
    seconds: Annotated[float, Field(ge=0, le=LONGEST_TRANSITION, allow_inf_nan=False)] = 0.0


class Overlay(Part):
    """Text over the picture, from and to seconds of its own segment."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    position: Position = Position.BOTTOM
    animation: Animation = Animation.NONE
    start_seconds: Seconds = 0.0
    end_seconds: Seconds


class Segment(Part):
    """One clip of the film, made by one model."""

    id: SegmentId
    story: Text
    """Its slice of the story, for people."""
    prompt: Annotated[str, Field(min_length=1, max_length=LONGEST_PROMPT)]
    """What the model is asked for."""
    negative_prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)] = ""
    content_type: ContentType
    seconds: Annotated[float, Field(ge=SHORTEST_SEGMENT, le=LONGEST_SEGMENT, allow_inf_nan=False)]
    """How much of it the film shows, its transition included."""
    clip_seconds: Annotated[int, Field(ge=1, le=60)]
    """How long the clip is that is paid for."""
    character: bool = False
    """Whether the project's character is in it."""
    continuity: Continuity = Continuity.CUT
    model: Annotated[str, Field(max_length=100)]
    alternatives: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=5)] = ()
    """Models that take over if `model` fails, the best first."""
    reason: Text = ""
    """Why this model."""
    camera: Words = ""
    transition: Transition = Transition()
    overlays: Annotated[tuple[Overlay, ...], Field(max_length=10)] = ()
    effects: Effects = ()
    """What is done to its picture."""
    speed: Speed = 1.0
    """The film takes `seconds` * `speed` of the clip and shows it in `seconds`."""

    @property
    def taken_seconds(self) -> float:
        """How much of its clip the film shows, in seconds of the clip."""
        return round(self.seconds * self.speed, 6)


class AudioStrategy(StrEnum):
    CUSTOM = "custom"
    """The project's own audio file."""
    VOICE_OVER = "voice_over"
    EFFECTS = "effects"
    MUSIC = "music"
    NONE = "none"


class Line(Part):
    """What is heard during a segment: spoken words, or the description of an effect."""

    segment: SegmentId
    text: Annotated[str, Field(min_length=1, max_length=1000)]


class Audio(Part):
    """What the film sounds like. Music may also lie under a voice."""

    strategy: AudioStrategy = AudioStrategy.NONE
    voice: Words = ""
    script: Annotated[tuple[Line, ...], Field(max_length=MOST_SEGMENTS)] = ()
    effects: Annotated[tuple[Line, ...], Field(max_length=MOST_SEGMENTS)] = ()
    music: Words = ""


class PostProduction(Part):
    """What is done to the whole picture."""

    grade: Grade = Grade.NONE
    captions: bool = False
    """Whether spoken words are written on the picture."""
    fit: Fit = Fit.CROP
    """What becomes of clips whose ratio is not the film's."""


class Film(Part):
    """A plan: everything that rendering needs to know, and why."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    story: Text = ""
    style: Text = ""
    """How all of it looks; every prompt says it."""
    ratio: Annotated[str, Field(max_length=10)] = "9:16"
    resolution: Annotated[str, Field(max_length=10)] = "720p"
    preference: Preference = Preference.BALANCED
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=MOST_SEGMENTS)]
    audio: Audio = Audio()
    post: PostProduction = PostProduction()

    @property
    def seconds(self) -> float:
        """How long the film is: during a transition two segments are seen at once."""
        return round(
            sum(one.seconds for one in self.segments)
            - sum(one.transition.seconds for one in self.segments[1:]),
            3,
        )

    @property
    def clip_seconds(self) -> int:
        """Seconds of video that are paid for."""
        return sum(one.clip_seconds for one in self.segments)

    def index(self, segment_id: str) -> int:
        """Where the segment is, from 0. Raises KeyError."""
        for index, one in enumerate(self.segments):
            if one.id == segment_id:
                return index
        raise KeyError(segment_id)

    def starts(self) -> tuple[float, ...]:
        """When each segment begins, in seconds of the film."""
        starts, at = [], 0.0
        for index, one in enumerate(self.segments):
            at -= one.transition.seconds if index else 0.0
            starts.append(round(at, 3))
            at += one.seconds
        return tuple(starts)

    def free_id(self) -> str:
        """An id that no segment of this film has."""
        return f"s{1 + max(int(one.id[1:]) for one in self.segments)}"

    def with_segments(self, segments: tuple[Segment, ...]) -> "Film":
        """The same film of other segments; the first begins with itself, lines of others are gone."""
        first = segments[0].model_copy(update={"transition": Transition(), "continuity": Continuity.CUT})
        segments = (first, *segments[1:])
        ids = {one.id for one in segments}
        audio = self.audio.model_copy(
            update={
                "script": tuple(line for line in self.audio.script if line.segment in ids),
                "effects": tuple(line for line in self.audio.effects if line.segment in ids),
            }
        )
        return self.model_copy(update={"segments": segments, "audio": audio})


def to_json(film: Film) -> dict[str, Any]:
    """As it is stored and answered."""
    return film.model_dump(mode="json")


def from_json(data: Mapping[str, Any]) -> Film:
    """Raises pydantic.ValidationError."""
    return Film.model_validate(data)


# What says nothing, of fields that plans did not have from the beginning.
SILENT: tuple[tuple[str, object], ...] = (
    ("animation", "none"),
    ("effects", []),
    ("speed", 1.0),
    ("fit", "crop"),
)


def digests(film: Film) -> dict[str, str]:
    """What would have to be made anew if it changed: a digest per segment id, and of `audio` and `post`.

    A segment's own covers what its clip is made from, so that other words in its story, its transition, its
    overlays, its effects or its speed make no clip stale: those are `post`. One that begins with the last frame of
    the one before has that one's in it.
    """
    found: dict[str, str] = {}
    before = ""
    for one in film.segments:
        made_from = {
            "prompt": one.prompt,
            "negative_prompt": one.negative_prompt,
            "model": one.model,
            "clip_seconds": one.clip_seconds,
            "character": one.character,
            "camera": one.camera,
            "ratio": film.ratio,
            "resolution": film.resolution,
            "start": before if one.continuity == Continuity.PREVIOUS_FRAME else "",
        }
        before = found[one.id] = _digest(made_from)
    lengths = [(one.id, one.seconds) for one in film.segments]
    found["audio"] = _digest([film.audio.model_dump(mode="json"), lengths])
    post = [_said(film.post.model_dump(mode="json")), lengths, [_looks(one) for one in film.segments]]
    found["post"] = _digest(post)
    return found


def digest(film: Film) -> str:
    """Of the whole plan: the same for equal plans."""
    plan = to_json(film)
    return _digest({**plan, "segments": _said(plan["segments"]), "post": _said(plan["post"])})


def _looks(one: Segment) -> list[object]:
    """What is done to a segment's clip once it is there."""
    said = _said(one.model_dump(mode="json"))
    later = {name: said[name] for name in ("effects", "speed") if name in said}
    return [said["transition"], said["overlays"], *([later] if later else [])]


def _said(value: Any) -> Any:
    """A part as it is stored, without what says nothing."""
    if isinstance(value, list):
        return [_said(one) for one in value]
    if isinstance(value, dict):
        return {name: _said(one) for name, one in value.items() if (name, one) not in SILENT}
    return value


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
