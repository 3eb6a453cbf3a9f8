"""What a render's composition is made from: its timeline, and the keys of the files in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from generations.models import Generation
from pipeline import versions
from pipeline.media.composition.timeline import TimedWord, Timeline
from pipeline.models import FilmSound, Render, RenderSegment, SoundState
from pipeline.plans.film import AudioStrategy, Film
from pipeline.renders.timelines import OWN_TRACK, Heard, timeline_of
from providers.catalogue.sound import SoundKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A timeline, and where its sources are in our store: clips by segment, sounds by id."""

    film: Film
    timeline: Timeline
    clips: Mapping[str, str]
    sounds: Mapping[str, str]


def material_of(render: Render, segments: Sequence[RenderSegment] | None = None) -> Material:
    """The render's material as far as it is there; for all its segments, or for these. A few statements."""
    film = versions.film_of(render.version)
    rows = list(render.segments.order_by("position")) if segments is None else segments
    clips = Generation.objects.select_related("output").in_bulk([row.generation_id for row in rows])
    outputs = {
        row.name: clip.output
        for row in rows
        if (clip := clips.get(row.generation_id)) is not None and clip.output is not None
    }
    sounds = [
        one
        for one in render.sounds.filter(state=SoundState.COMPLETED).select_related("asset").order_by("id")
        if one.asset is not None
    ]
    own = render.audio if film.audio.strategy == AudioStrategy.CUSTOM else None
    keys = {str(one.id): one.asset.key for one in sounds if one.asset is not None}
    if own is not None:
        keys[OWN_TRACK] = own.key
    return Material(
        film=film,
        timeline=timeline_of(
            film,
            {name: output.sha256 for name, output in outputs.items()},
            [heard(one) for one in sounds],
            own_track=own.sha256 if own is not None else "",
            short_side=settings.FILM_SHORT_SIDE,
            preset=settings.FILM_PRESET,
        ),
        clips={name: output.key for name, output in outputs.items()},
        sounds=keys,
    )


def heard(one: FilmSound) -> Heard:
    """A sound that was made, in the timeline's terms."""
    assert one.asset is not None, "it was made"
    return Heard(
        id=str(one.id),
        digest=one.asset.sha256,
        kind=SoundKind(one.kind),
        segment=one.segment,
        text=one.text,
        seconds=one.made_seconds or one.seconds,
        words=tuple(TimedWord(**word) for word in one.words),
    )


def voices_have_ended(render_id: UUID) -> bool:
    """Whether every spoken line is there, or won't be: captions come from them."""
    return not FilmSound.objects.filter(
        render_id=render_id,
        kind=SoundKind.VOICE,
        state__in=[SoundState.PENDING, SoundState.PROCESSING],
    ).exists()
