"""The finished film: joins, sound, and everything joined by copying what is encoded already."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from . import fonts, mixing
from .clips import worded
from .cues import cues_of, srt, webvtt
from .errors import CompositionFailed, PartMissing
from .ffmpeg import CORES, Watch, run
from .parts import FilmParts, Join, final, parts_of
from .timeline import Timeline

FILM, POSTER, VTT, SRT = "film.mp4", "poster.jpg", "captions.vtt", "captions.srt"
SEQUENCE = "sequence.txt"
# How long the mix and the joining take, in frames that could be encoded meanwhile, of one frame each of the film.
MIX_SHARE, FILM_SHARE = 0.02, 0.01
POSTER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The film's files in the folder, how long it is, and the seconds that each step took: joins, mix, film."""

    film: Path
    poster: Path
    vtt: Path | None
    srt: Path | None
    frames: int
    seconds: float
    timings: Mapping[str, float]


def compose(
    timeline: Timeline,
    sounds: Mapping[str, Path],
    parts: Path,
    folder: Path,
    *,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> Composed:
    """Make the film of the parts in `parts`, and first what is missing there of joins and mix.

    `sounds` are files by the ids of the timeline's sounds. `folder` lies on the same file system as `parts`; `progress`
    is told shares from 0 to 1. Raises PartMissing for clips that are not conformed, ValueError for a timeline that
    can't be, KeyError for a sound that is not given, CompositionFailed and Cancelled.
    """
    wanted = parts_of(timeline)
    joins = [join for join in wanted.joins if not (parts / join.name).exists()]
    is_mixed = (parts / wanted.mix_name).exists()
    _complete(wanted, joins, parts, is_mixed=is_mixed)
    if not is_mixed and (unknown := {sound.id for sound in wanted.mix.sounds} - sounds.keys()):
        raise KeyError(f"sounds without a file: {', '.join(sorted(unknown))}")
    weights = [
        *(float(join.frames) for join in joins),
        0.0 if is_mixed else MIX_SHARE * timeline.frames,
        FILM_SHARE * timeline.frames,
    ]
    ends = [sum(weights[: number + 1]) / sum(weights) for number in range(len(weights))]
    whole = Watch(progress, cancelled)
    watches = [whole.part(begin, end) for begin, end in zip([0.0, *ends], ends, strict=False)]
    times = [time.monotonic()]
    for join, watch in zip(joins, watches, strict=False):
        make_join(timeline, join, parts, folder, watch)
    times.append(time.monotonic())
    if not is_mixed:
        mixing.make(wanted.mix, sounds, parts, folder, wanted.mix_name, watches[-2])
        (folder / wanted.mix_name).replace(parts / wanted.mix_name)
    times.append(time.monotonic())
    joined(timeline, wanted, parts, folder, watches[-1])
    vtt, srt = _captions(timeline, folder)
    times.append(time.monotonic())
    progress(1.0)
    return Composed(
        film=folder / FILM,
        poster=folder / POSTER,
        vtt=vtt,
        srt=srt,
        frames=timeline.frames,
        seconds=timeline.seconds,
        timings=dict(
            zip(
                ("joins", "mix", "film"),
                (end - begin for begin, end in pairwise(times)),
                strict=True,
            )
        ),
    )


def make_join(timeline: Timeline, join: Join, parts: Path, folder: Path, watch: Watch) -> None:
    """Encode one join into `parts`. Raises CompositionFailed and Cancelled."""
    fmt = timeline.format
    words = worded(join.words, join.name, folder, fmt.frames_per_second)
    even = f"settb=1/{fmt.frames_per_second},setpts=N,fps={fmt.frames_per_second}"
    graph = (
        f"[0:v]{even}[before];[1:v]{even}[after];[before][after]{join.crossed},"
        f"trim=end_frame={join.frames},setpts=N,{words}[made]"
    )
    what = f"join {join.name}"
    ended = run(
        ["-v", "error", "-threads", "1", "-i", f"file:{(parts / join.tail).absolute()}",
         "-threads", "1", "-i", f"file:{(parts / join.head).absolute()}",
         "-filter_complex", graph, "-map", "[made]", *final(fmt), "-threads", str(CORES + 1), join.name],
        folder, what=what, watch=watch, frames=join.frames, environment=fonts.environment(folder),
    )  # fmt: skip
    if ended.frames != join.frames:
        raise CompositionFailed(
            f"{what}: {ended.frames} frames instead of {join.frames}: {ended.words[-600:]}"
        )
    (folder / join.name).replace(parts / join.name)


def joined(timeline: Timeline, wanted: FilmParts, parts: Path, folder: Path, watch: Watch) -> None:
    """Copy picture and sound into one file, and take a picture of it. Raises CompositionFailed and Cancelled."""
    rate = timeline.format.frames_per_second
    lines, at = ["ffconcat version 1.0"], 0
    for name, frames in wanted.sequence:
        # In whole microseconds, each rounded from the film's beginning, so that no error grows.
        begin, end = (round(frame * 1_000_000 / rate) for frame in (at, at + frames))
        lines += [f"file {_quoted(parts / name)}", f"duration {(end - begin) / 1_000_000:.6f}"]
        at += frames
    (folder / SEQUENCE).write_text("\n".join(lines) + "\n")
    # The first picture that is all of one clip.
    name, frames = next(
        ((part.body.name, part.body.frames) for part in wanted.clips if part.body is not None),
        wanted.sequence[0],
    )
    second = min(POSTER_SECONDS, (frames // 2) / rate)
    ended = run(
        ["-v", "error", "-protocol_whitelist", "file", "-safe", "0", "-f", "concat", "-i", SEQUENCE,
         "-i", f"file:{(parts / wanted.mix_name).absolute()}",
         "-ss", f"{second:.6f}", "-i", f"file:{(parts / name).absolute()}",
         "-map", "0:v", "-map", "1:a", "-c", "copy", "-map_metadata", "-1", "-movflags", "+faststart", FILM,
         "-map", "2:v", "-frames:v", "1", "-q:v", "3", "-update", "1", POSTER],
        folder, what="the film", watch=watch, frames=timeline.frames,
    )  # fmt: skip
    if ended.frames != timeline.frames:
        raise CompositionFailed(
            f"the film: {ended.frames} frames instead of {timeline.frames}: {ended.words[-600:]}"
        )


def _quoted(path: Path) -> str:
    """As a word of FFmpeg's lists of files."""
    return "'" + f"file:{path.absolute()}".replace("'", "'\\''") + "'"


def _complete(wanted: FilmParts, joins: list[Join], parts: Path, *, is_mixed: bool) -> None:
    """Raises PartMissing with the clips of which something is needed that is not there."""
    needed = {name for name, _ in wanted.sequence} | {
        name for join in joins for name in (join.tail, join.head)
    }
    if not is_mixed:
        needed |= {one.part for one in wanted.mix.own}
    missing = tuple(
        part.clip.id
        for part in wanted.clips
        if any(name in needed and not (parts / name).exists() for name in part.names)
    )
    if missing:
        raise PartMissing(missing)


def _captions(timeline: Timeline, folder: Path) -> tuple[Path | None, Path | None]:
    cues = cues_of(timeline)
    if not cues:
        return None, None
    (folder / VTT).write_text(webvtt(cues), encoding="utf-8")
    (folder / SRT).write_text(srt(cues), encoding="utf-8")
    return folder / VTT, folder / SRT
