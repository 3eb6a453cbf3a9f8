"""One clip, made ready for the film the moment it arrives: decoded once, in one process, into all of its parts."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import fonts
from .errors import CompositionFailed
from .ffmpeg import CORES, Watch, of_strangers, run
from .lettering import LEAD_SECONDS
from .parts import ClipParts, PicturePart, between, final, own_sound, parts_of_clip
from .timeline import Timeline

# How a source's colours are, where it says so and they are others than the film's.
_MATRIX = re.compile(r"Video:.*?[(,] ?(smpte170m|bt470bg|bt2020nc)[/,)]")
_SOUND = re.compile(r"^\s+Stream #0:\d+.*: Audio:", re.MULTILINE)
_PICTURE = re.compile(r"^\s+Stream #0:\d+.*: Video:", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What of a source decides how it is read."""

    has_sound: bool
    matrix: str | None


def conform(
    timeline: Timeline,
    clip_id: str,
    source: Path,
    parts: Path,
    folder: Path,
    *,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> tuple[str, ...]:
    """Make the parts of one clip that are not in `parts` yet; the names of all of them.

    `folder` is for what is written on the way, and lies on the same file system; `progress` is told shares from 0 to 1.
    Raises KeyError for a clip that is not in the timeline, CompositionFailed, naming it, for a source of which no
    picture can be made, and Cancelled.
    """
    wanted = parts_of_clip(timeline, clip_id)
    watch = Watch(progress, cancelled)
    pictures = [part for part in wanted.pictures if not (parts / part.name).exists()]
    own = wanted.own_sound if wanted.own_sound and not (parts / wanted.own_sound).exists() else None
    if pictures or own:
        what = f"clip {clip_id}"
        read = inspect(source, folder, what, watch)
        _make(timeline, wanted, pictures, own, read, source, folder, what, watch)
        for name in [*(part.name for part in pictures), *([own] if own else [])]:
            (folder / name).replace(parts / name)
    progress(1.0)
    return wanted.names


def inspect(source: Path, folder: Path, what: str, watch: Watch) -> Source:
    """What FFmpeg says of a source. Raises CompositionFailed where there is no picture, and Cancelled."""
    ended = run(["-v", "info", *of_strangers(source)], folder, what=what, watch=watch, may_fail=True)
    if not _PICTURE.search(ended.words):
        raise CompositionFailed(f"{what}: no picture in {source.name}: {ended.words[-600:]}")
    matrix = _MATRIX.search(ended.words)
    return Source(has_sound=bool(_SOUND.search(ended.words)), matrix=matrix[1] if matrix else None)


def worded(part_words: str, name: str, folder: Path, frames_per_second: int) -> str:
    """The filters that write a part's words on it, if there are any, after a file for them is in the folder."""
    if not part_words:
        return "null"
    file = Path(name).with_suffix(".ass").name
    (folder / file).write_text(part_words, encoding="utf-8")
    # The document's clock begins earlier than the part.
    lead = LEAD_SECONDS * frames_per_second
    return f"setpts=N+{lead},subtitles={file}:wrap_unicode=1,setpts=N"


def _make(
    timeline: Timeline,
    wanted: ClipParts,
    pictures: list[PicturePart],
    own: str | None,
    read: Source,
    source: Path,
    folder: Path,
    what: str,
    watch: Watch,
) -> None:
    """All that is missing, in one process, into the folder. Raises CompositionFailed and Cancelled."""
    fmt, clip = timeline.format, wanted.clip
    graph: list[str] = []
    outputs: list[str] = []
    if pictures:
        matrix = f"scale=in_color_matrix={read.matrix}:out_color_matrix=bt709," if read.matrix else ""
        names = [f"[{part.kind}]" for part in pictures]
        graph.append(f"[0:V:0]{matrix}{wanted.picture},split={len(names)}{''.join(names)}")
        for part in pictures:
            words = worded(part.words, part.name, folder, fmt.frames_per_second)
            end = part.begin + part.frames
            graph.append(
                f"[{part.kind}]trim=start_frame={part.begin}:end_frame={end},setpts=N,{words}[{part.kind}-made]"
            )
            # One thread is enough for a few frames, and more have pictures of their own.
            how = (
                [*final(fmt), "-threads", str(CORES + 1)]
                if part.kind == "body"
                else [*between(), "-threads", "1"]
            )
            outputs += ["-map", f"[{part.kind}-made]", *how, part.name]
    if own:
        sound = "[0:a:0]" if read.has_sound else "anullsrc=r=48000:cl=stereo,"
        graph.append(f"{sound}{own_sound(timeline, clip)}[own]")
        outputs += ["-map", "[own]", "-map_metadata", "-1", "-c:a", "flac", own]
    begin = ["-ss", f"{clip.start_seconds:.6f}"] if clip.start_seconds else []
    ended = run(
        ["-v", "error", *begin, *of_strangers(source), "-filter_complex", ";".join(graph), *outputs],
        folder,
        what=what,
        watch=watch,
        frames=pictures[0].frames if pictures else 0,
        seconds=clip.frames / fmt.frames_per_second,
        environment=fonts.environment(folder),
    )
    if pictures and ended.frames != pictures[0].frames:
        raise CompositionFailed(
            f"{what}: {ended.frames} frames instead of {pictures[0].frames}: {ended.words[-600:]}"
        )
