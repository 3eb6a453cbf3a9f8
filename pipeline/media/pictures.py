"""The child that measures the pictures: one pass over the decoded frames, at their own times."""

import json
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from . import camera, colours, confinement
from .confinement import Refused
from .shots import Change, Picture, Shots

# The short side of the pictures that everything but key frames is measured on.
SHORT_SIDE = 96
KEY_FRAME_LONG_SIDE = 768
KEY_FRAME_QUALITY = 85
# How often a picture is kept that may become a key frame, and how soon after what may be a cut, but not more often.
KEPT_SECONDS, KEPT_AFTER_CUT_SECONDS, KEPT_APART_SECONDS = 0.5, 0.1, 0.2
# Key frames this near to a cut may show both shots.
AWAY_SECONDS = 0.05
# The weight of being in the middle of the shot, beside being sharp; what is nearly all one grey is worth nothing.
MIDDLE_WEIGHT, EMPTY_WEIGHT, EMPTY_CONTRAST = 0.3, 2.0, 0.06
# Pictures this far apart are compared for the motion and the camera.
STEP_SECONDS = 0.1
# The mean difference of two pictures with nothing in common, in deviations of their pixels (of normal ones).
UNLIKE = 2 / math.sqrt(math.pi)
# Of grey levels: noise in a picture of one grey is no motion.
SMALLEST_DEVIATION = 8.0
# A rate is constant where all but so many gaps are as near to their median: timestamps are rounded.
SAME_GAP, ODD_GAPS = 0.25, 0.01
PALETTE_PICTURES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A picture that may become its shot's key frame, as a file in the folder."""

    name: str
    seconds: float
    sharpness: float
    contrast: float
    few: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Figures of a picture, and what happened since the one `STEP_SECONDS` before."""

    since: float
    seconds: float
    brightness: float
    contrast: float
    saturation: float
    motion: float
    movement: camera.Movement | None


def main(parent: str, arguments: str) -> None:
    given = json.loads(arguments)
    cv2.setNumThreads(1)
    confinement.confine(int(parent), given)
    confinement.answer(lambda: found(Path(given["path"]), Path(given["folder"]), given))


def found(path: Path, folder: Path, limits: dict[str, Any]) -> dict[str, Any]:
    """What is seen; key frames are written into the folder. Raises Refused."""
    with confinement.opened(path, limits) as container:
        # A cover in a song is no video.
        cover = av.stream.Disposition.attached_pic
        streams = [one for one in container.streams.video if not one.disposition & cover]
        if not streams or (context := streams[0].codec_context) is None:
            raise Refused("no_video_stream")
        stream = streams[0]
        if context.width * context.height > limits["most_pixels"]:
            raise Refused("too_large")
        if not confinement.start(context, limits, threads=2):
            raise Refused("no_video_stream")
        reader = Reader(folder)
        for frame in confinement.frames(container, stream, limits):
            if frame is None:
                break
            if frame.width * frame.height > limits["most_pixels"]:
                raise Refused("too_large")
            reader.add(frame, float(frame.pts * stream.time_base))
        if not reader.times:
            raise Refused("damaged" if stream.frames or stream.duration else "no_length")
        last = float((reader.last_duration or 0) * stream.time_base)
        return {
            "container": "matroska" if "matroska" in container.format.name else "mp4",
            "video_codec": context.codec.canonical_name,
            **reader.found(last),
        }


class Reader:
    """All that is measured of the frames, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._small, self._large = VideoReformatter(), VideoReformatter()
        self._shots = Shots()
        self._kept: list[Kept] = []
        self._keep_at = 0.0
        self._steps: list[Step] = []
        self._before: tuple[float, Picture] | None = None
        self.times: list[float] = []
        self.last_duration: int | None = None
        self._size = (0, 0)
        self._turn = 0

    def add(self, frame: Any, seconds: float) -> None:
        """The next frame; one that is not later than the last is not seen."""
        if self.times and seconds <= self.times[-1]:
            return
        if not self.times:
            self._turn = frame.rotation % 360 // 90 % 4
            self._size = (frame.width, frame.height)
        self.times.append(seconds)
        self.last_duration = frame.duration
        small = self._picture(self._small, frame, SHORT_SIDE / min(frame.width, frame.height))
        if self._shots.add(seconds, small):
            self._keep_at = min(self._keep_at, seconds + KEPT_AFTER_CUT_SECONDS)
        if self._before is None or seconds - self._before[0] >= STEP_SECONDS * 0.95:
            self._step(seconds, small)
        if seconds >= self._keep_at and not (
            self._kept and seconds - self._kept[-1].seconds < KEPT_APART_SECONDS
        ):
            self._keep(frame, seconds, small)
            self._keep_at = seconds + KEPT_SECONDS

    def _picture(self, reformatter: VideoReformatter, frame: Any, factor: float) -> Picture:
        """Scaled and turned as it is seen."""
        width, height = (max(2, round(side * factor)) for side in (frame.width, frame.height))
        # One thread: the decoder's two have the cores.
        scaled = reformatter.reformat(
            frame, width, height, "bgr24", interpolation=Interpolation.AREA, threads=1
        )
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), self._turn))

    def _step(self, seconds: float, small: Picture) -> None:
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
        motion, movement, since = 0.0, None, seconds
        if self._before is not None:
            since, before = self._before
            difference = float(cv2.absdiff(grey, before).mean())
            motion = min(1.0, difference / UNLIKE / max(SMALLEST_DEVIATION, deviation))
            movement = camera.movement(before, grey, seconds - since)
        self._before = (seconds, grey)
        self._steps.append(
            Step(
                since=since,
                seconds=seconds,
                brightness=mean / 255,
                # The largest deviation is that of half black, half white.
                contrast=min(1.0, deviation / 127.5),
                saturation=float(cv2.cvtColor(small, cv2.COLOR_BGR2HSV)[..., 1].mean()) / 255,
                motion=motion,
                movement=movement,
            )
        )

    def _keep(self, frame: Any, seconds: float, small: Picture) -> None:
        factor = min(1.0, KEY_FRAME_LONG_SIDE / max(frame.width, frame.height))
        picture = self._picture(self._large, frame, factor)
        name = f"kept-{len(self._kept):05}.jpg"
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, KEY_FRAME_QUALITY])[1]
        (self._folder / name).write_bytes(encoded.tobytes())
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        self._kept.append(
            Kept(
                name=name,
                seconds=seconds,
                sharpness=float(cv2.Laplacian(grey, cv2.CV_16S).std()),
                contrast=float(grey.std()) / 127.5,
                few=colours.few(small),
            )
        )

    def found(self, last_duration: float) -> dict[str, Any]:
        """After the last frame, which is seen for this long where the file says so. Raises Refused."""
        gaps = np.diff(self.times)
        gap = float(np.median(gaps)) if len(gaps) else 0.0
        duration = self.times[-1] + (last_duration or gap)
        # In milliseconds it would be none.
        if duration < 0.001:
            raise Refused("no_length")
        odd = np.count_nonzero(np.abs(gaps - gap) > max(SAME_GAP * gap, 0.0015))
        seen = self.times[-1] - self.times[0]
        width, height = self._size if self._turn % 2 == 0 else self._size[::-1]
        changes = [Change(seconds=0.0, cut="start"), *self._shots.end()]
        ends = [*(change.seconds for change in changes[1:]), duration]
        shots = [
            self._shot(number, change, end)
            for number, (change, end) in enumerate(zip(changes, ends, strict=True), 1)
        ]
        for kept in self._kept:
            (self._folder / kept.name).unlink(missing_ok=True)
        return {
            "width": width,
            "height": height,
            # FFmpeg's angle is counterclockwise.
            "rotation": -90 * self._turn % 360,
            "frames_per_second": round(len(gaps) / seen if len(gaps) else 1 / duration, 3),
            "variable_frame_rate": bool(odd > ODD_GAPS * len(gaps)),
            "duration_seconds": round(duration, 3),
            "shots": shots,
        }

    def _shot(self, number: int, change: Change, end: float) -> dict[str, Any]:
        begin = change.seconds
        steps = [step for step in self._steps if begin <= step.seconds < end]
        # A step from one shot into the next says nothing of either.
        inner = [step for step in steps if begin <= step.since < step.seconds]
        # A shot shorter than a step has none of its own.
        seen = steps or [min(self._steps, key=lambda step: abs(step.seconds - begin))]
        motion = float(np.mean([step.motion for step in inner])) if inner else 0.0
        kept = [one for one in self._kept if begin <= one.seconds < end]
        best = self._best(kept, begin, end)
        name = f"shot-{number:04}.jpg"
        (self._folder / name).write_bytes((self._folder / best.name).read_bytes())
        every = max(1, math.ceil(len(kept) / PALETTE_PICTURES))
        return {
            "start_seconds": round(begin, 3),
            "end_seconds": round(end, 3),
            "key_frame": name,
            "key_frame_seconds": round(best.seconds, 3),
            "brightness": round(float(np.mean([step.brightness for step in seen])), 4),
            "contrast": round(float(np.mean([step.contrast for step in seen])), 4),
            "saturation": round(float(np.mean([step.saturation for step in seen])), 4),
            "motion": round(motion, 4),
            "colours": colours.palette([one.few for one in kept[::every] or [best]]),
            "camera": camera.kind([step.movement for step in inner], motion),
            "cut": change.cut,
        }

    def _best(self, kept: Sequence[Kept], begin: float, end: float) -> Kept:
        """The sharpest, not empty, near the middle; the nearest where the shot has none of its own."""
        middle = (begin + end) / 2
        inside = [one for one in kept if begin + AWAY_SECONDS <= one.seconds <= end - AWAY_SECONDS] or kept
        if not inside:
            place = bisect_left([one.seconds for one in self._kept], middle)
            return self._kept[min(place, len(self._kept) - 1)]
        sharpest = max(one.sharpness for one in inside) or 1.0

        def worth(one: Kept) -> float:
            aside = abs(one.seconds - middle) / (end - begin)
            empty = EMPTY_WEIGHT if one.contrast < EMPTY_CONTRAST else 0.0
            return one.sharpness / sharpest - MIDDLE_WEIGHT * aside - empty

        return max(inside, key=worth)
