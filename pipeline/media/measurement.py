"""What a video is, measured from its own pictures and samples in two child processes that can do nothing else."""

import math
import re
import selectors
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from .children import Child

Camera = Literal["static", "pan_left", "pan_right", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "moving"]
Cut = Literal["start", "hard", "fade"]
Trend = Literal["faster", "slower", "steady"]

# How often a caller's `cancelled` is asked, and its `progress` told.
ASKED_SECONDS = 0.1
TOLD_SECONDS = 0.5
ENDING_SECONDS = 5.0
# The children, each a module here, and their shares of the work.
SHARES = {"pictures": 0.9, "sound": 0.1}
# The names that they give to files.
FILE = re.compile(r"[a-z]+(-\d+)?\.(jpg|flac)")
# A pace that changes by less from the first half to the second is steady.
STEADY = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the video's time, from its beginning."""

    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """One of a shot's colours, as `#a0b0c0`, and its share of the picture, from 0 to 1."""

    hex: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What is seen between two cuts; all figures from 0 to 1.

    The key frame is a JPEG file of this name in the measurement's folder, turned as it is seen, its long side
    768 pixels at most. Contrast 1 is half black, half white; motion 1 is a picture that has nothing in common with
    the one a tenth of a second before. `cut` is how the shot begins.
    """

    start_seconds: float
    end_seconds: float
    key_frame: str
    key_frame_seconds: float
    brightness: float
    contrast: float
    saturation: float
    motion: float
    # The largest share first, five at most.
    colours: tuple[Colour, ...]
    camera: Camera
    cut: Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How fast it is cut: over all, and in each quarter of the length."""

    cuts_per_minute: float
    median_shot_seconds: float
    quarters: tuple[float, float, float, float]
    trend: Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The first sound track. Loudness is EBU R 128's, over all of it; None where there is digital silence."""

    codec: str
    channels: int
    sample_rate: int
    loudness_lufs: float | None
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    silences: tuple[Span, ...]
    speech: tuple[Span, ...]
    # Of the video's length, from 0 to 1.
    speech_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A whole video. Width and height are as it is seen; rotation is how far a player turns it clockwise, in degrees.

    `speech_file`, where somebody speaks, is the name of a FLAC file in the folder with all of the sound, mono at
    16 kHz, for a transcription service: its times are the video's.
    """

    container: str
    video_codec: str
    width: int
    height: int
    rotation: int
    frames_per_second: float
    variable_frame_rate: bool
    duration_seconds: float
    bytes: int
    shots: tuple[Shot, ...]
    pacing: Pacing
    sound: Sound | None
    speech_file: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a video may be, and what each of the two children may use."""

    longest_seconds: float = 600
    most_pixels: int = 4096 * 2304
    memory_bytes: int = 1_500 << 20
    cpu_seconds: int = 1200
    wall_seconds: float = 1200
    # Of any one file that a child writes.
    file_bytes: int = 64 << 20


class Unmeasurable(Exception):
    """It can't be measured: `code` says why to programs, the text to the owner, with what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Cancelled(Exception):
    """The caller wanted no more of it."""


TEXTS = {
    "not_a_video": "It is not an MP4, MOV or WebM video. Convert it to MP4 and upload it again.",
    "no_video_stream": "It has no picture that can be decoded. Upload a video with H.264, HEVC, VP9 or AV1 pictures.",
    "damaged": "It is damaged or cut off. Export it again and upload the new file.",
    "too_long": "It is longer than {minutes:g} minutes. Upload a shorter part of it.",
    "too_large": "Its picture is larger than we take. Export it at 4K or less and upload it again.",
    "took_too_long": "It takes too long to measure. Upload a shorter or smaller version of it.",
    "sound": "Its sound is in a format that we can't read. Convert it to AAC and upload it again.",
    "no_length": "It has no length: upload a video that plays.",
}

_MEASUREMENT = TypeAdapter(Measurement)


def to_json(measurement: Measurement) -> dict[str, Any]:
    """For a JSON column; `from_json` makes an equal measurement of it."""
    return asdict(measurement)


def from_json(document: object) -> Measurement:
    """What `to_json` made. Raises ValueError for anything else."""
    return _MEASUREMENT.validate_python(document)


def measure(
    path: Path,
    folder: Path,
    *,
    progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
    limits: Limits = Limits(),
) -> Measurement:
    """Measure a local file; key frames and the speech file are written into the folder, which exists.

    `progress` is told shares from 0 to 1, at least once a second; `cancelled` is asked several times a second, and
    ends the work at once. Raises Unmeasurable or Cancelled; OSError where the file can't be read
    or the folder not be written.
    """
    size = path.stat().st_size
    arguments = {"path": str(path.absolute()), "folder": str(folder.absolute())}
    found = gathered(SHARES, arguments, progress, cancelled, limits)
    pictures, sound = found["pictures"], found["sound"]
    try:
        duration = pictures["duration_seconds"]
        speech_file = None
        if sound is not None:
            speech_file = sound.pop("speech_file")
            spoken = sum(span["end_seconds"] - span["start_seconds"] for span in sound["speech"])
            sound["speech_share"] = min(1.0, round(spoken / duration, 4))
        starts = [shot["start_seconds"] for shot in pictures["shots"]]
        measurement = from_json(
            {
                **pictures,
                "bytes": size,
                "pacing": asdict(pacing(starts, duration)),
                "sound": sound,
                "speech_file": speech_file,
            }
        )
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise Unmeasurable("damaged", TEXTS["damaged"]) from error
    names = [shot.key_frame for shot in measurement.shots]
    names += [measurement.speech_file] if measurement.speech_file else []
    if not all(FILE.fullmatch(name) and (folder / name).is_file() for name in names):
        raise Unmeasurable("damaged", TEXTS["damaged"])
    progress(1.0)
    return measurement


def pacing(starts: Sequence[float], duration_seconds: float) -> Pacing:
    """The pace of shots that begin at these seconds, the first at 0."""
    cuts = starts[1:]
    ends = [*cuts, duration_seconds]
    quarter = duration_seconds / 4
    counts = [0, 0, 0, 0]
    for cut in cuts:
        counts[min(3, int(cut / quarter))] += 1
    first, second = counts[0] + counts[1], counts[2] + counts[3]
    trend: Trend = "steady"
    # One cut more or less is no trend.
    if abs(second - first) > 1 and max(first, second) > STEADY * min(first, second):
        trend = "faster" if second > first else "slower"
    one, two, three, four = (round(count * 60 / quarter, 3) for count in counts)
    return Pacing(
        cuts_per_minute=round(len(cuts) * 60 / duration_seconds, 3),
        median_shot_seconds=round(statistics.median(b - a for a, b in zip(starts, ends, strict=True)), 3),
        quarters=(one, two, three, four),
        trend=trend,
    )


def gathered(
    children: Mapping[str, float],
    arguments: Mapping[str, Any],
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
    limits: Limits,
) -> dict[str, Any]:
    """What the children found: modules here, with their shares of the work.

    Raises Unmeasurable, Cancelled, or OSError; no child is left.
    """
    arguments = {**arguments, **asdict(limits)}
    deadline = time.monotonic() + limits.wall_seconds
    shares = dict.fromkeys(children, 0.0)
    found: dict[str, Any] = {}
    told, told_at = -1.0, -math.inf
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for name in children:
            child = Child(f"{__package__}.{name}", arguments)
            stack.callback(child.kill)
            selector.register(child.output, selectors.EVENT_READ, (name, child))
        while selector.get_map():
            if cancelled():
                raise Cancelled
            if time.monotonic() > deadline:
                raise Unmeasurable("took_too_long", TEXTS["took_too_long"])
            for key, _ in selector.select(ASKED_SECONDS):
                name, child = key.data
                try:
                    lines = child.lines()
                    if lines is not None:
                        for line in lines:
                            _take(line, name, shares, found, limits)
                        continue
                except (ValueError, TypeError, KeyError) as error:
                    raise Unmeasurable("damaged", TEXTS["damaged"]) from error
                selector.unregister(child.output)
                _end(child, name, found)
            share = min(0.999, sum(children[name] * share for name, share in shares.items()))
            now = time.monotonic()
            if share > told + 0.01 or now - told_at > TOLD_SECONDS:
                told, told_at = max(told, share), now
                progress(told)
    return found


def _take(line: Any, name: str, shares: dict[str, float], found: dict[str, Any], limits: Limits) -> None:
    if "failed" in line:
        raise OSError(line["failed"])
    if "refused" in line:
        code = str(line["refused"])
        text = TEXTS[line.get("text", code)]
        raise Unmeasurable(code, text.format(minutes=limits.longest_seconds / 60))
    if "found" in line:
        found[name] = line["found"]
    else:
        shares[name] = max(shares[name], min(1.0, float(line["share"])))


def _end(child: Child, name: str, found: dict[str, Any]) -> None:
    """The output of a child is at its end; so must be the child, with what it found. Raises Unmeasurable."""
    try:
        code = child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        code = -signal.SIGXCPU
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise Unmeasurable("took_too_long", TEXTS["took_too_long"])
    if code or name not in found:
        raise Unmeasurable("damaged", TEXTS["damaged"])
