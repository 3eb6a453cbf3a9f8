"""From a draft, which says what the film shows, to a film, which says who makes it: models, clips, reasons."""

from typing import Annotated

from pydantic import Field

from pipeline.media.composition.vocabulary import TransitionKind
from pipeline.plans.choice import ALTERNATIVES, Choice, Need, NoModel, choose
from pipeline.plans.film import (
    LONGEST_SEGMENT,
    MOST_SEGMENTS,
    SHORTEST_SEGMENT,
    Audio,
    AudioStrategy,
    Continuity,
    Effects,
    Film,
    Line,
    Overlay,
    Part,
    PostProduction,
    Preference,
    Segment,
    Speed,
    Text,
    Transition,
    Words,
)
from pipeline.plans.offers import Offer, Offers, mode_of
from pipeline.plans.validation import Inputs, Problem, Unrenderable, check
from providers.catalogue import ContentType
from providers.contract import Mode


class Scene(Part):
    """One segment as a planner says it: what is seen and for how long."""

    story: Text
    prompt: Annotated[str, Field(min_length=1, max_length=3000)]
    negative_prompt: Text = ""
    content_type: ContentType = ContentType.OTHER
    seconds: Annotated[float, Field(ge=SHORTEST_SEGMENT, le=LONGEST_SEGMENT, allow_inf_nan=False)]
    character: bool = False
    continuity: Continuity = Continuity.CUT
    camera: Words = ""
    transition: Transition = Transition()
    overlays: Annotated[tuple[Overlay, ...], Field(max_length=5)] = ()
    spoken: Text = ""
    """What a voice says during it."""
    effect: Text = ""
    """What else is heard during it."""
    picture_effects: Effects = ()
    """What is done to its picture."""
    speed: Speed = 1.0
    """Of the clip in the film: 0.5 is slow motion, which takes half as much of the clip."""


class Draft(Part):
    """A film as a planner says it: no models, no prices, no ids."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    story: Text = ""
    style: Text = ""
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1, max_length=MOST_SEGMENTS)]
    audio: AudioStrategy = AudioStrategy.NONE
    voice: Words = ""
    music: Words = ""
    post: PostProduction = PostProduction()


def assemble(
    draft: Draft,
    *,
    ratio: str,
    resolution: str,
    preference: Preference,
    offers: Offers,
    inputs: Inputs,
) -> Film:
    """The film that the draft tells of, checked. Raises Unrenderable."""
    segments: list[Segment] = []
    missing: list[Problem] = []
    for number, scene in enumerate(draft.scenes, start=1):
        first = number == 1
        segment = Segment.model_construct(
            id=f"s{number}",
            story=scene.story,
            prompt=scene.prompt,
            negative_prompt=scene.negative_prompt,
            content_type=scene.content_type,
            seconds=round(scene.seconds, 3),
            clip_seconds=0,
            character=scene.character and inputs.character,
            continuity=Continuity.CUT if first else scene.continuity,
            model="",
            alternatives=(),
            reason="",
            camera=scene.camera,
            transition=Transition() if first else tidy(scene.transition),
            overlays=scene.overlays,
            effects=scene.picture_effects,
            speed=scene.speed,
        )
        try:
            segments.append(chosen(segment, ratio, resolution, preference, offers))
        except NoModel as error:
            missing.append(Problem(field=f"segments.s{number}.model", reason=str(error)))
    if missing:
        raise Unrenderable(tuple(missing))
    film = Film(
        title=draft.title,
        story=draft.story,
        style=draft.style,
        ratio=ratio,
        resolution=resolution,
        preference=preference,
        segments=tuple(segments),
        audio=Audio(
            strategy=draft.audio,
            voice=draft.voice,
            music=draft.music,
            script=_lines(draft, "spoken"),
            effects=_lines(draft, "effect"),
        ),
        post=draft.post,
    )
    return check(film, offers, inputs)


def chosen(
    segment: Segment, ratio: str, resolution: str, preference: Preference, offers: Offers, *, model: str = ""
) -> Segment:
    """The segment with the best model for it, or with `model`. Raises NoModel.

    Where no model that is offered can begin with an image, it begins without one.
    """
    able = {mode for offer in offers.values() for mode in offer.model.modes}
    if Mode.IMAGE not in able:
        segment = segment.model_copy(update={"character": False, "continuity": Continuity.CUT})
    need = Need(
        mode=mode_of(segment),
        ratio=ratio,
        resolution=resolution,
        seconds=segment.taken_seconds,
        content_type=segment.content_type,
        prompt_length=len(segment.prompt),
    )
    if model:
        return _fitted(segment, need, offers, preference, model)
    choices = choose(need, offers, preference)
    return _with(segment, choices[0], choices[1 : 1 + ALTERNATIVES], choices[0].reason)


def refitted(segment: Segment, film: Film, offers: Offers) -> Segment:
    """The segment after a change, by the model that it has where that can still make it. Raises NoModel."""
    model = segment.model if segment.model in offers else ""
    if model:
        try:
            return chosen(segment, film.ratio, film.resolution, film.preference, offers, model=model)
        except NoModel:
            pass
    return chosen(segment, film.ratio, film.resolution, film.preference, offers)


def tidy(transition: Transition) -> Transition:
    """A cut takes no time; what takes none is a cut."""
    if transition.kind == TransitionKind.CUT or transition.seconds == 0:
        return Transition()
    return transition


def _fitted(segment: Segment, need: Need, offers: Offers, preference: Preference, model: str) -> Segment:
    only: dict[str, Offer] = {model: offers[model]} if model in offers else {}
    own = choose(need, only, preference)[0]
    others = [one for one in choose(need, offers, preference) if one.model != model]
    reason = segment.reason if segment.model == model and segment.reason else f"Asked for. {own.reason}"
    return _with(segment, own, tuple(others[:ALTERNATIVES]), reason)


def _with(segment: Segment, choice: Choice, others: tuple[Choice, ...], reason: str) -> Segment:
    fields = segment.model_dump()
    fields.update(
        model=choice.model,
        clip_seconds=choice.clip_seconds,
        alternatives=tuple(one.model for one in others),
        reason=reason,
    )
    return Segment.model_validate(fields)


def _lines(draft: Draft, name: str) -> tuple[Line, ...]:
    return tuple(
        Line(segment=f"s{number}", text=text[:1000])
        for number, scene in enumerate(draft.scenes, start=1)
        if (text := getattr(scene, name))
    )
