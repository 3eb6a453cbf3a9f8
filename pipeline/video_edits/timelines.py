"""From a wish and its source to the sounds that it needs and the composer's timeline. No database."""

from collections.abc import Sequence

from pipeline.media.composition.timeline import SIZES, Box, Caption, Clip, Format, Timeline, format_of
from pipeline.renders.timelines import Heard, captions_of, placed, texts_of
from pipeline.sounds import SoundWish
from pipeline.video_edits.wishes import Source, Wish, frames_of, seconds_of, taken
from providers.catalogue.sound import SoundKind

# The one clip's id.
SOURCE = "source"


def sounds_of(wish: Wish, source: Source) -> tuple[SoundWish, ...]:
    """The sounds that have to be made: spoken lines v1, v2, …, effects e1, e2, …, the music."""
    seconds = seconds_of(wish, source)
    wishes = [
        SoundWish(
            kind=SoundKind.VOICE,
            segment=f"v{number}",
            text=line.text,
            voice=line.voice,
            seconds=seconds - line.start_seconds,
            field=f"voice.{number - 1}",
        )
        for number, line in enumerate(wish.voice, 1)
    ]
    wishes += [
        SoundWish(
            kind=SoundKind.EFFECT,
            segment=f"e{number}",
            text=line.text,
            seconds=line.seconds,
            field=f"sound_effects.{number - 1}",
        )
        for number, line in enumerate(wish.sound_effects, 1)
    ]
    if wish.music:
        wishes.append(
            SoundWish(kind=SoundKind.MUSIC, segment="", text=wish.music, seconds=seconds, field="music")
        )
    return tuple(wishes)


def format_for(wish: Wish, source: Source, *, short_side: int, preset: str) -> Format:
    """The result's picture: never larger than the source's, nor than films are.

    A crop keeps its own shape; else it is that of the ratio that is asked for, or of the one nearest to the source.
    """
    if wish.crop is None:
        ratio = wish.ratio or nearest_ratio(source)
        return format_of(
            ratio, short_side=min(short_side, _short(source.width, source.height)), preset=preset
        )
    scale = min(1.0, short_side / min(wish.crop.width, wish.crop.height))
    return Format(width=_even(wish.crop.width * scale), height=_even(wish.crop.height * scale), preset=preset)


def nearest_ratio(source: Source) -> str:
    """Of the ratios that films have."""
    shape = source.width / source.height

    def distance(ratio: str) -> float:
        width, height = SIZES[ratio]
        return max(shape * height / width, width / height / shape)

    return min(SIZES, key=distance)


def timeline_of(
    wish: Wish, source: Source, heard: Sequence[Heard], *, short_side: int, preset: str
) -> Timeline:
    """The result's timeline: the source as its one clip, and the sounds that are there."""
    starts = {f"v{number}": line.start_seconds for number, line in enumerate(wish.voice, 1)}
    starts |= {f"e{number}": line.start_seconds for number, line in enumerate(wish.sound_effects, 1)}
    lengths = {f"e{number}": line.seconds for number, line in enumerate(wish.sound_effects, 1)}
    return Timeline(
        format=format_for(wish, source, short_side=short_side, preset=preset),
        clips=(
            Clip(
                id=SOURCE,
                digest=source.digest,
                frames=frames_of(wish, source),
                start_seconds=taken(wish, source)[0],
                speed=wish.speed,
                effects=wish.effects,
                texts=texts_of(wish.texts),
                volume=wish.own_sound if source.has_sound else 0.0,
                crop=Box(**wish.crop.model_dump()) if wish.crop is not None else None,
            ),
        ),
        sounds=placed(heard, starts, lengths, seconds_of(wish, source)),
        captions=_captions(wish, heard, starts),
        burn_captions=wish.captions is not None,
        grade=wish.grade,
        fit=wish.fit,
    )


def _captions(wish: Wish, heard: Sequence[Heard], starts: dict[str, float]) -> tuple[Caption, ...]:
    """The lines that were given, else what the voice says: a file of it is there in any case."""
    if wish.caption_lines:
        return tuple(
            Caption(text=line.text, start_seconds=line.start_seconds, end_seconds=line.end_seconds)
            for line in wish.caption_lines
        )
    return captions_of(heard, starts)


def _short(width: int, height: int) -> int:
    return _even(min(width, height))


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)
