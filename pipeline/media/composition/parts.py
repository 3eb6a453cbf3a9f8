"""What a film is made from, each part named by the digest of all that it is made from: what is there is not made again.

A clip has the frames between its joins (body), those that it shares with its neighbours (head and tail), and its own
sound. A join is made from a tail and the next clip's head, the mix from all sounds. Nothing here looks at a file.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import imageio_ffmpeg

from . import fonts, looks
from .cues import Cue, cues_of
from .lettering import document
from .mixing import RATE, Mix, OwnSound, mix_of
from .timeline import Clip, Format, Timeline

# To be raised by whoever changes how parts are made in a way that their recipes don't show.
RECIPES = 1
# Frames between pictures that a player can jump to.
KEY_FRAMES = 60
# So that a frame is a whole number of ticks at any usual rate.
TICKS = 512

PictureKind = Literal["body", "head", "tail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePart:
    """Frames of one clip, from its frame `begin` on, with the words over them: an ASS document, empty for none."""

    name: str
    kind: PictureKind
    begin: int
    frames: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipParts:
    """All of one clip; `picture` is the filters that all its pictures have passed."""

    clip: Clip
    picture: str
    head: PicturePart | None
    body: PicturePart | None
    tail: PicturePart | None
    own_sound: str | None

    @property
    def pictures(self) -> tuple[PicturePart, ...]:
        return tuple(part for part in (self.body, self.head, self.tail) if part is not None)

    @property
    def names(self) -> tuple[str, ...]:
        own = (self.own_sound,) if self.own_sound is not None else ()
        return tuple(part.name for part in self.pictures) + own


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The frames in which a clip takes over from the one before it."""

    name: str
    tail: str
    head: str
    crossed: str
    frames: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmParts:
    """The whole film: `sequence` is its picture, in order, with how many frames each has."""

    clips: tuple[ClipParts, ...]
    joins: tuple[Join, ...]
    mix: Mix
    mix_name: str
    sequence: tuple[tuple[str, int], ...]

    @property
    def names(self) -> tuple[str, ...]:
        clips = (name for clip in self.clips for name in clip.names)
        return tuple(dict.fromkeys([*clips, *(join.name for join in self.joins), self.mix_name]))


def clip_parts(timeline: Timeline, clip_id: str) -> tuple[str, ...]:
    """The names of what `conform` makes of this clip. Raises KeyError if there is none of that id, ValueError for
    overlaps that have no room.
    """
    return parts_of_clip(timeline, clip_id).names


def film_parts(timeline: Timeline) -> tuple[str, ...]:
    """The names of all that composing needs or makes: clips', joins', mix. Raises ValueError as `parts_of` does."""
    return parts_of(timeline).names


def parts_of_clip(timeline: Timeline, clip_id: str) -> ClipParts:
    for index, clip in enumerate(timeline.clips):
        if clip.id == clip_id:
            return _clip(timeline, index, burned(timeline))
    raise KeyError(clip_id)


def parts_of(timeline: Timeline) -> FilmParts:
    """Raises ValueError for a timeline without clips, and for overlaps that have no room or belong to no transition."""
    if not timeline.clips:
        raise ValueError("a film has at least one clip")
    cues = burned(timeline)
    clips = tuple(_clip(timeline, index, cues) for index in range(len(timeline.clips)))
    joins: list[Join] = []
    sequence: list[tuple[str, int]] = []
    for index, parts in enumerate(clips):
        if parts.head is not None:
            before = clips[index - 1].tail
            assert before is not None
            join = _join(timeline, index, before, parts.head, cues)
            joins.append(join)
            sequence.append((join.name, join.frames))
        if parts.body is not None:
            sequence.append((parts.body.name, parts.body.frames))
    mix = _mix(timeline, clips)
    return FilmParts(
        clips=clips,
        joins=tuple(joins),
        mix=mix,
        mix_name=_name("m4a", mix.recipe),
        sequence=tuple(sequence),
    )


def burned(timeline: Timeline) -> tuple[Cue, ...]:
    """The captions that are written on the picture."""
    return cues_of(timeline) if timeline.burn_captions else ()


def final(fmt: Format) -> list[str]:
    """The encoder's options for what becomes the film as it is: the same for all, so that it is one stream.

    Closed groups of pictures, and headers that depend on the format alone.
    """
    return [
        "-c:v", "libx264", "-preset", fmt.preset, "-crf", str(fmt.crf), "-profile:v", "high", "-pix_fmt", "yuv420p",
        "-g", str(KEY_FRAMES), "-flags", "+cgop", "-fps_mode", "passthrough", "-an", "-sn", "-dn",
        "-map_metadata", "-1", "-video_track_timescale", str(TICKS * fmt.frames_per_second),
    ]  # fmt: skip


def between() -> list[str]:
    """The encoder's options for what is encoded once more: near lossless, and fast."""
    return [
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough",
        "-an", "-sn", "-dn", "-map_metadata", "-1",
    ]  # fmt: skip


def own_sound(timeline: Timeline, clip: Clip) -> str:
    """From a source's sound to the clip's, exactly as long as its picture: filters, one after the other."""
    speed, tempos = clip.speed, []
    # One filter blends samples between half and twice the tempo only.
    while not 0.5 <= speed <= 2:
        factor = 2.0 if speed > 2 else 0.5
        tempos.append(f"atempo={factor:g}")
        speed /= factor
    if speed != 1:
        tempos.append(f"atempo={speed:g}")
    samples = round(clip.frames * RATE / timeline.format.frames_per_second)
    return ",".join([
        f"aresample={RATE}:async=1:first_pts=0",
        "aformat=sample_fmts=fltp:channel_layouts=stereo",
        *tempos,
        f"apad=whole_len={samples}",
        f"atrim=end_sample={samples}",
    ])  # fmt: skip


def _clip(timeline: Timeline, index: int, cues: Iterable[Cue]) -> ClipParts:
    clip, fmt = timeline.clips[index], timeline.format
    first = clip.overlap if index else 0
    following = timeline.clips[index + 1] if index + 1 < len(timeline.clips) else None
    last = following.overlap if following is not None else 0
    if min(first, last) < 0 or clip.frames < 1 or first + last > clip.frames:
        raise ValueError(f"clip {clip.id} has {clip.frames} frames, and shares {first} and {last} of them")
    if first and clip.transition not in looks.TRANSITIONS:
        raise ValueError(f"clip {clip.id} overlaps, but has no transition")
    picture = looks.picture(timeline, clip)
    start = timeline.starts()[index] / fmt.frames_per_second

    def part(kind: PictureKind, begin: int, frames: int) -> PicturePart | None:
        if not frames:
            return None
        # Both on the clip's clock, so that a film that is longer before it changes nothing.
        shown = [_moved(cue, -start) for cue in cues] if kind == "body" else []
        words = document(fmt, clip.texts, shown, begin=begin / fmt.frames_per_second, frames=frames)
        how = final(fmt) if kind == "body" else between()
        name = _name("mp4", clip.digest, f"{clip.start_seconds:.6f}", picture, begin, frames, words, *how)
        return PicturePart(name=name, kind=kind, begin=begin, frames=frames, words=words)

    own = None
    if clip.volume > 0:
        own = _name("flac", clip.digest, f"{clip.start_seconds:.6f}", own_sound(timeline, clip))
    return ClipParts(
        clip=clip,
        picture=picture,
        head=part("head", 0, first),
        body=part("body", first, clip.frames - first - last),
        tail=part("tail", clip.frames - last, last),
        own_sound=own,
    )


def _join(timeline: Timeline, index: int, tail: PicturePart, head: PicturePart, cues: Iterable[Cue]) -> Join:
    fmt, frames = timeline.format, head.frames
    start = timeline.starts()[index] / fmt.frames_per_second
    words = document(fmt, (), [_moved(cue, -start) for cue in cues], begin=0, frames=frames)
    crossed = looks.crossed(timeline.clips[index].transition, frames, fmt.frames_per_second)
    return Join(
        name=_name("mp4", tail.name, head.name, crossed, words, *final(fmt)),
        tail=tail.name,
        head=head.name,
        crossed=crossed,
        frames=frames,
        words=words,
    )


def _mix(timeline: Timeline, clips: Sequence[ClipParts]) -> Mix:
    overlaps = [parts.clip.overlap for parts in clips[1:]]
    own = [
        OwnSound(
            part=parts.own_sound,
            volume=parts.clip.volume,
            start=start,
            frames=parts.clip.frames,
            overlap=before,
            next_overlap=after,
        )
        for parts, start, before, after in zip(
            clips, timeline.starts(), [0, *overlaps], [*overlaps, 0], strict=True
        )
        if parts.own_sound is not None
    ]
    return mix_of(timeline, own)


def _moved(cue: Cue, by: float) -> Cue:
    return Cue(text=cue.text, start_seconds=cue.start_seconds + by, end_seconds=cue.end_seconds + by)


def _name(kind: str, *made_from: object) -> str:
    document = repr((_program(), *made_from)).encode()
    return f"{hashlib.sha256(document).hexdigest()}.{kind}"


@cache
def _program() -> str:
    return f"{RECIPES} imageio-ffmpeg {imageio_ffmpeg.__version__} {fonts.versions()}"
