"""From a plan and what was made for it to the composer's timeline. No database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.media.composition.timeline import (
    Caption,
    Clip,
    Sound,
    Text,
    TimedWord,
    Timeline,
    format_of,
)
from pipeline.media.composition.vocabulary import SoundRole
from pipeline.plans.film import Film, Overlay
from providers.catalogue.sound import SoundKind

# Under a voice that ducks it further, and alone.
EFFECT_GAIN_DB = -6.0
MUSIC_GAIN_DB = -8.0
OWN_TRACK = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A sound that is there; `digest`: of its file; `words` and `seconds` from its own beginning."""

    id: str
    digest: str
    kind: SoundKind
    segment: str
    text: str
    seconds: float
    words: tuple[TimedWord, ...] = ()


def frames_of(film: Film, frames_per_second: int) -> tuple[tuple[int, int], ...]:
    """Of each segment: how many frames of the film show it, and how many it shares with the one before.

    Starts are rounded, lengths follow from them: the whole is as long as the plan says, to the frame.
    """
    overlaps = [
        0 if index == 0 else round(one.transition.seconds * frames_per_second)
        for index, one in enumerate(film.segments)
    ]
    starts = [round(start * frames_per_second) for start in film.starts()]
    ends = [start + overlap for start, overlap in zip(starts[1:], overlaps[1:], strict=True)]
    ends.append(round(film.seconds * frames_per_second))
    return tuple(
        (max(1, end - start), overlap) for start, end, overlap in zip(starts, ends, overlaps, strict=True)
    )


def timeline_of(
    film: Film,
    clips: Mapping[str, str],
    heard: Sequence[Heard],
    *,
    own_track: str = "",
    short_side: int,
    preset: str,
) -> Timeline:
    """The film's timeline. `clips`: the digest of each segment's file; `own_track`: of the owner's own sound."""
    shape = format_of(film.ratio, short_side=short_side, preset=preset)
    pictures = []
    for one, (frames, overlap) in zip(film.segments, frames_of(film, shape.frames_per_second), strict=True):
        pictures.append(
            Clip(
                id=one.id,
                digest=clips.get(one.id, ""),
                frames=frames,
                speed=one.speed,
                effects=one.effects,
                texts=texts_of(one.overlays),
                transition=one.transition.kind,
                overlap=overlap,
            )
        )
    starts = dict(zip((one.id for one in film.segments), film.starts(), strict=True))
    lengths = {one.id: one.seconds for one in film.segments}
    own = (
        [Sound(id=OWN_TRACK, digest=own_track, role=SoundRole.OWN, seconds=film.seconds)] if own_track else []
    )
    return Timeline(
        format=shape,
        clips=tuple(pictures),
        sounds=(*own, *placed(heard, starts, lengths, film.seconds)),
        captions=captions_of(heard, starts),
        burn_captions=film.post.captions,
        grade=film.post.grade,
        fit=film.post.fit,
    )


def texts_of(overlays: Sequence[Overlay]) -> tuple[Text, ...]:
    """Words over a clip's picture, in the composer's terms."""
    return tuple(
        Text(
            text=over.text,
            position=over.position,
            animation=over.animation,
            start_seconds=over.start_seconds,
            end_seconds=over.end_seconds,
        )
        for over in overlays
    )


def placed(
    heard: Sequence[Heard], starts: Mapping[str, float], lengths: Mapping[str, float], seconds: float
) -> tuple[Sound, ...]:
    """These sounds in a film of so many seconds: music all through it, others where their segments start."""
    sounds: list[Sound] = []
    for one in heard:
        if one.kind == SoundKind.MUSIC:
            sounds.append(
                Sound(
                    id=one.id,
                    digest=one.digest,
                    role=SoundRole.MUSIC,
                    seconds=seconds,
                    loop=True,
                    gain_db=MUSIC_GAIN_DB,
                )
            )
        elif one.kind == SoundKind.EFFECT:
            sounds.append(
                Sound(
                    id=one.id,
                    digest=one.digest,
                    role=SoundRole.EFFECT,
                    start_seconds=starts[one.segment],
                    seconds=lengths[one.segment],
                    gain_db=EFFECT_GAIN_DB,
                )
            )
        else:
            # A voice is never cut: that it is too long is told, not hidden.
            sounds.append(
                Sound(
                    id=one.id,
                    digest=one.digest,
                    role=SoundRole.VOICE,
                    start_seconds=starts[one.segment],
                )
            )
    return tuple(sounds)


def captions_of(heard: Sequence[Heard], starts: Mapping[str, float]) -> tuple[Caption, ...]:
    """What the voices say, in its order."""
    captions = []
    for one in heard:
        if one.kind != SoundKind.VOICE:
            continue
        start = starts[one.segment]
        captions.append(
            Caption(
                text=one.text,
                start_seconds=start,
                end_seconds=start + one.seconds,
                words=tuple(
                    TimedWord(
                        text=word.text,
                        start_seconds=start + word.start_seconds,
                        end_seconds=start + word.end_seconds,
                    )
                    for word in one.words
                ),
            )
        )
    return tuple(sorted(captions, key=lambda caption: caption.start_seconds))
