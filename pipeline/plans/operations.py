"""Typed edits of a plan: what may be asked for, by the API, by language models and by rules."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel

from pipeline.media.composition.vocabulary import Animation, Fit, Grade, Position, TransitionKind
from pipeline.plans.film import (
    LONGEST_PROMPT,
    LONGEST_SEGMENT,
    LONGEST_TRANSITION,
    SHORTEST_SEGMENT,
    AudioStrategy,
    Continuity,
    Effects,
    Line,
    Part,
    Preference,
    SegmentId,
    Speed,
    Text,
    Words,
)
from providers.catalogue import ContentType

EVERY = "all"
MOST_EDITS = 60

Which = Annotated[str, Field(pattern=r"^(s[0-9]{1,4}|all)$")]
Prompt = Annotated[str, Field(min_length=1, max_length=LONGEST_PROMPT)]
Length = Annotated[float, Field(ge=SHORTEST_SEGMENT, le=LONGEST_SEGMENT, allow_inf_nan=False)]


class ChangePrompt(Part):
    op: Literal["change_prompt"]
    segment: SegmentId
    prompt: Prompt
    story: Text = ""


class ChangeNegativePrompt(Part):
    op: Literal["change_negative_prompt"]
    segment: Which
    negative_prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)]


class Split(Part):
    op: Literal["split"]
    segment: SegmentId
    at_seconds: Annotated[float, Field(gt=0, lt=LONGEST_SEGMENT, allow_inf_nan=False)]


class Merge(Part):
    """With the segment after it."""

    op: Literal["merge"]
    segment: SegmentId


class Move(Part):
    op: Literal["move"]
    segment: SegmentId
    position: Annotated[int, Field(ge=1, le=100)]


class Add(Part):
    """After `after`; null: at the beginning."""

    op: Literal["add"]
    after: SegmentId | None
    prompt: Prompt
    story: Text = ""
    seconds: Length = 5.0
    content_type: ContentType = ContentType.OTHER


class Remove(Part):
    op: Literal["remove"]
    segment: SegmentId


class Retime(Part):
    op: Literal["retime"]
    segment: SegmentId
    seconds: Length


class ChangeModel(Part):
    op: Literal["change_model"]
    segment: Which
    model: Annotated[str, Field(max_length=100)]


class SetPreference(Part):
    """Choose all models anew by it."""

    op: Literal["set_preference"]
    preference: Preference


class SetCamera(Part):
    op: Literal["set_camera"]
    segment: Which
    camera: Words


class SetCharacter(Part):
    op: Literal["set_character"]
    segment: Which
    character: bool


class SetContinuity(Part):
    op: Literal["set_continuity"]
    segment: SegmentId
    continuity: Continuity


class SetTransition(Part):
    op: Literal["set_transition"]
    segment: Which
    kind: TransitionKind
    seconds: Annotated[float, Field(ge=0, le=LONGEST_TRANSITION, allow_inf_nan=False)] = 0.5


class SetOverlay(Part):
    """Text over a segment, in the place of what stands there; null times: all of it."""

    op: Literal["set_overlay"]
    segment: SegmentId
    text: Annotated[str, Field(min_length=1, max_length=200)]
    position: Position = Position.BOTTOM
    animation: Animation = Animation.NONE
    start_seconds: float | None = None
    end_seconds: float | None = None


class RemoveOverlays(Part):
    op: Literal["remove_overlays"]
    segment: Which


class SetPictureEffects(Part):
    """What is done to a segment's picture, all of it; empty: nothing."""

    op: Literal["set_picture_effects"]
    segment: Which
    effects: Effects


class SetSpeed(Part):
    """How fast its clip runs: 0.5 is slow motion. It stays as long as it is."""

    op: Literal["set_speed"]
    segment: Which
    speed: Speed


class SetAudio(Part):
    op: Literal["set_audio"]
    strategy: AudioStrategy


class SetVoice(Part):
    """Who speaks, and what during which segment."""

    op: Literal["set_voice"]
    voice: Words = ""
    script: Annotated[tuple[Line, ...], Field(max_length=MOST_EDITS)] = ()


class SetEffects(Part):
    """What is heard during which segment."""

    op: Literal["set_effects"]
    effects: Annotated[tuple[Line, ...], Field(max_length=MOST_EDITS)]


class SetMusic(Part):
    """Empty: none."""

    op: Literal["set_music"]
    music: Words


class SetGrade(Part):
    op: Literal["set_grade"]
    grade: Grade


class SetCaptions(Part):
    op: Literal["set_captions"]
    captions: bool


class SetFit(Part):
    """What becomes of clips whose ratio is not the film's."""

    op: Literal["set_fit"]
    fit: Fit


class SetStyle(Part):
    op: Literal["set_style"]
    style: Text


class SetTitle(Part):
    op: Literal["set_title"]
    title: Annotated[str, Field(min_length=1, max_length=200)]


class SetFormat(Part):
    """Of the whole film; null: as it is."""

    op: Literal["set_format"]
    ratio: Annotated[str, Field(max_length=10)] | None = None
    resolution: Annotated[str, Field(max_length=10)] | None = None


Edit = Annotated[
    ChangePrompt
    | ChangeNegativePrompt
    | Split
    | Merge
    | Move
    | Add
    | Remove
    | Retime
    | ChangeModel
    | SetPreference
    | SetCamera
    | SetCharacter
    | SetContinuity
    | SetTransition
    | SetOverlay
    | RemoveOverlays
    | SetPictureEffects
    | SetSpeed
    | SetAudio
    | SetVoice
    | SetEffects
    | SetMusic
    | SetGrade
    | SetCaptions
    | SetFit
    | SetStyle
    | SetTitle
    | SetFormat,
    Field(discriminator="op"),
]


class Edits(RootModel[Annotated[tuple[Edit, ...], Field(max_length=MOST_EDITS)]]):
    """Edits in the order in which they are done."""

    model_config = ConfigDict(frozen=True)
