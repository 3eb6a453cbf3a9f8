"""The child that looks through a clip or film, pictures and sound in one pass. It judges nothing, it reports figures."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from . import confinement
from .confinement import Refused
from .levels import Levels, span

# Pictures are compared with this short side: grain is still seen, single pixels are not.
SHORT_SIDE = 96
PICTURE_LONG_SIDE, PICTURE_QUALITY = 768, 90
# Levels of brightness are of 255, of the range that the video uses.
# Black is dark all over: a night has lights, or shapes that are darker than others.
BLACK_MEAN, BLACK_LEVEL, BRIGHT_SHARE = 8.0, 20.0, 0.0005
# What stands still is alike on the whole, and hardly anywhere in it is anything different: not even lips. This is
# for pictures of this deviation; in a dark or a pale one all differences are smaller, down to this share.
STILL_MEAN, STILL_LEVEL, MOVED_SHARE = 0.5, 4.0, 0.0008
STILL_DEVIATION, PALEST_SHARE = 40.0, 0.25
# Shorter stretches are no stretches: a blink, or pictures that are shown twice.
SHORTEST_BLACK_SECONDS, SHORTEST_FROZEN_SECONDS = 0.1, 0.5
MOST_STRETCHES = 1000
# Samples so near to full scale, so many in a row, are cut off.
FULL_SCALE, CUT_OFF_SAMPLES = 0.99, 3
SAME_GAP, ODD_GAPS = 0.25, 0.01


@dataclass(slots=True, kw_only=True)
class Run:
    """Pictures of one kind, one after the other; `frame` is the one to show."""

    start_seconds: float
    frame: Any


class Stretches:
    """Runs of pictures that are long enough to count, and the frame of the longest."""

    def __init__(self, shortest_seconds: float) -> None:
        self._shortest = shortest_seconds
        self._run: Run | None = None
        self._longest = 0.0
        self.frame: Any = None
        self.spans: list[dict[str, float]] = []

    def begin(self, seconds: float, frame: Any) -> None:
        if self._run is None:
            self._run = Run(start_seconds=seconds, frame=frame)

    def end(self, seconds: float) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        length = seconds - run.start_seconds
        if length >= self._shortest - 1e-6 and len(self.spans) < MOST_STRETCHES:
            self.spans.append(span(run.start_seconds, seconds))
            if length > self._longest:
                self._longest, self.frame = length, run.frame


class Pictures:
    """What is seen, of the frames as they come."""

    def __init__(self, limits: dict[str, Any]) -> None:
        self._most_pixels = limits["most_pixels"]
        self._grey = VideoReformatter()
        self._black = Stretches(SHORTEST_BLACK_SECONDS)
        self._frozen = Stretches(SHORTEST_FROZEN_SECONDS)
        self._reference: NDArray[np.float32] | None = None
        self._before: NDArray[np.float32] | None = None
        self._brightness: list[float] = []
        self._motion: list[float] = []
        self._times: list[float] = []
        self._last_duration = 0.0
        self._size = (0, 0)
        self._sizes: set[tuple[int, int]] = set()
        self._corrupt: list[float] = []
        self._shown: dict[str, Any] = {}

    def add(self, frame: Any, seconds: float, duration: float) -> None:
        """The next frame. Raises Refused for one that is too large."""
        if frame.width * frame.height > self._most_pixels:
            raise Refused("too_large")
        if self._times and seconds <= self._times[-1]:
            return
        if not self._times:
            turned = frame.rotation % 180 != 0
            self._size = (frame.height, frame.width) if turned else (frame.width, frame.height)
            self._shown["first"] = frame
        self._sizes.add((frame.width, frame.height))
        self._times.append(seconds)
        self._last_duration = duration
        if frame.is_corrupt:
            self._corrupt.append(seconds)
            self._shown.setdefault("damaged", frame)
        self._look(frame, seconds)

    @property
    def seen(self) -> int:
        return len(self._times)

    def _look(self, frame: Any, seconds: float) -> None:
        now = self._luma(frame)
        mean = float(now.mean())
        self._brightness.append(mean)
        if mean < BLACK_MEAN and np.count_nonzero(now > BLACK_LEVEL) <= BRIGHT_SHARE * now.size:
            self._black.begin(seconds, frame)
        else:
            self._black.end(seconds)
        if self._before is not None and self._before.shape == now.shape:
            self._motion.append(float(np.abs(now - self._before).mean()))
        self._before = now
        # Against the first of the run, so that what moves slowly gets away from it.
        if self._reference is None or not _is_still(self._reference, now):
            self._frozen.end(seconds)
            self._frozen.begin(seconds, frame)
            self._reference = now

    def _luma(self, frame: Any) -> NDArray[np.float32]:
        """A small grey picture, from 0 (black) to 255."""
        factor = SHORT_SIDE / min(frame.width, frame.height)
        width, height = (max(2, round(side * factor)) for side in (frame.width, frame.height))
        if frame.format.name in ("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12"):
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            grey = cv2.resize(
                rows[: frame.height, : frame.width], (width, height), interpolation=cv2.INTER_AREA
            )
        else:
            scaled = self._grey.reformat(
                frame, width, height, "gray8", interpolation=Interpolation.AREA, threads=1
            )
            grey = scaled.to_ndarray()
            return np.asarray(grey, np.float32)
        luma = np.asarray(grey, np.float32)
        # In the range that nearly all video has, black is 16 and white 235; those of others say so.
        return luma if int(frame.color_range) == FULL_RANGE else np.clip((luma - 16) * (255 / 219), 0, 255)

    def found(self, folder: Path) -> dict[str, Any]:
        """After the last frame; pictures of what may be wrong are written into the folder. Raises Refused."""
        if not self._times:
            raise Refused("no_length")
        gaps = np.diff(self._times)
        gap = float(np.median(gaps)) if len(gaps) else 0.0
        end = self._times[-1] + (self._last_duration or gap)
        # In milliseconds it would be none.
        if end < 0.001:
            raise Refused("no_length")
        self._black.end(end)
        self._frozen.end(end)
        odd = np.count_nonzero(np.abs(gaps - gap) > max(SAME_GAP * gap, 0.0015))
        seen = self._times[-1] - self._times[0]
        shown = {**self._shown, "black": self._black.frame, "frozen": self._frozen.frame}
        for name, frame in shown.items():
            if frame is not None:
                (folder / f"{name}.jpg").write_bytes(_jpeg(frame))
        width, height = self._size
        return {
            "width": width,
            "height": height,
            "constant_size": len(self._sizes) == 1,
            "frames": len(self._times),
            "frames_per_second": round(len(gaps) / seen if len(gaps) else 1 / end, 3),
            "constant_rate": bool(odd <= ODD_GAPS * len(gaps)),
            "start_seconds": round(self._times[0], 3),
            "seconds": round(end, 3),
            "corrupt_frames": len(self._corrupt),
            "damaged_at_seconds": round(self._corrupt[0], 3) if self._corrupt else None,
            "brightness": round(float(np.mean(self._brightness)) / 255, 4),
            "motion": round(float(np.mean(self._motion)) / 255, 5) if self._motion else 0.0,
            "black": self._black.spans,
            "frozen": self._frozen.spans,
            "pictures": sorted(name for name, frame in shown.items() if frame is not None),
        }


# libavutil's AVCOL_RANGE_JPEG.
FULL_RANGE = 2


def _is_still(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    if one.shape != other.shape:
        return False
    scale = min(1.0, max(PALEST_SHARE, float(one.std()) / STILL_DEVIATION))
    difference = np.abs(one - other)
    moved = np.count_nonzero(difference > STILL_LEVEL * scale)
    return bool(difference.mean() < STILL_MEAN * scale and moved <= MOVED_SHARE * difference.size)


def _jpeg(frame: Any) -> bytes:
    """The picture as it is seen: turned, and nothing drawn on it."""
    factor = min(1.0, PICTURE_LONG_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * factor)) for side in (frame.width, frame.height))
    scaled = frame.reformat(width, height, "bgr24", interpolation=Interpolation.AREA)
    turned = np.ascontiguousarray(np.rot90(scaled.to_ndarray(), frame.rotation % 360 // 90 % 4))
    return cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, PICTURE_QUALITY])[1].tobytes()


class Heard:
    """What is heard, of the frames as they come."""

    def __init__(self, stream: Any) -> None:
        self._context = stream.codec_context
        self._levels = Levels(stream)
        self._samples, self._cut_off = 0, 0
        self._start: float | None = None
        self._end = 0.0

    def add(self, frame: Any, seconds: float) -> None:
        if self._start is None:
            self._start = seconds
        self._end = max(self._end, seconds + frame.samples / frame.sample_rate)
        self._levels.add(frame)
        samples = frame.to_ndarray()
        loud = np.abs(samples) >= FULL_SCALE * _full(samples)
        self._samples += loud.size
        # Planar sound has a row for each channel; of packed sound a channel is every so-manieth.
        if not frame.format.is_planar:
            loud = loud.reshape(-1, len(frame.layout.channels)).T
        for channel in loud:
            self._cut_off += _in_rows(channel)

    def found(self, broken_packets: int, seconds: float) -> dict[str, Any]:
        """After the last frame, of a video of this length."""
        self._levels.end(max(seconds, self._end))
        return {
            "codec": self._context.codec.canonical_name,
            "channels": self._context.channels,
            "sample_rate": self._context.sample_rate,
            "start_seconds": round(self._start or 0.0, 3),
            "seconds": round(self._end, 3),
            "broken_packets": broken_packets,
            "cut_off_share": round(self._cut_off / max(1, self._samples), 5),
            **self._levels.found(),
            "silences": self._levels.silences,
        }


def _full(samples: NDArray[Any]) -> float:
    return 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)


def _in_rows(loud: NDArray[np.bool_]) -> int:
    """How many of them stand in rows of at least `CUT_OFF_SAMPLES`."""
    if not loud.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.view(np.int8), [0]))))
    rows = edges[1::2] - edges[::2]
    return int(rows[rows >= CUT_OFF_SAMPLES].sum())


def main(parent: str, arguments: str) -> None:
    given = json.loads(arguments)
    cv2.setNumThreads(1)
    confinement.confine(int(parent), given)
    confinement.answer(lambda: found(Path(given["path"]), Path(given["folder"]), given))


def found(path: Path, folder: Path, limits: dict[str, Any]) -> dict[str, Any]:
    """All figures of the file. Raises Refused."""
    with confinement.opened(path, limits) as container:
        cover = av.stream.Disposition.attached_pic
        video = next((one for one in container.streams.video if not one.disposition & cover), None)
        if video is None or (context := video.codec_context) is None:
            raise Refused("no_video_stream")
        if context.width * context.height > limits["most_pixels"]:
            raise Refused("too_large")
        # First, because only the first to start may have threads.
        if not confinement.start(context, limits, threads=2):
            raise Refused("no_video_stream")
        audio = next(iter(container.streams.audio), None)
        if audio is not None and (
            audio.codec_context is None or not confinement.start(audio.codec_context, limits, threads=1)
        ):
            raise Refused("sound")
        pictures, heard = Pictures(limits), Heard(audio) if audio is not None else None
        reading = Reading(container, limits)
        reading.of(
            {
                video.index: lambda frame, at: pictures.add(
                    frame, at, float((frame.duration or 0) * video.time_base)
                ),
                **({audio.index: heard.add} if audio is not None and heard is not None else {}),
            }
        )
        if not pictures.seen and (video.frames or video.duration):
            # It says that there are pictures, and not one could be decoded.
            raise Refused("damaged")
        seen = pictures.found(folder)
        return {
            "container": "matroska" if "matroska" in container.format.name else "mp4",
            "video_codec": context.codec.canonical_name,
            "declared_seconds": reading.declared(video),
            "broken_packets": reading.broken[video.index],
            **seen,
            "sound": heard.found(reading.broken[audio.index], seen["seconds"]) if heard and audio else None,
        }


class Reading:
    """One pass over the packets of some streams, telling the parent how far it is."""

    def __init__(self, container: Any, limits: dict[str, Any]) -> None:
        self._container, self._limits = container, limits
        # Where its first stream begins, as players have it.
        self._zero = (container.start_time or 0) / av.time_base
        # Packets that can't be decoded, of each stream.
        self.broken: dict[int, int] = {}

    def declared(self, stream: Any) -> float | None:
        """How long the stream is by the file's own word, in seconds; None where it says nothing."""
        if stream.duration:
            return round(float(stream.duration * stream.time_base), 3)
        return round(self._container.duration / av.time_base, 3) if self._container.duration else None

    def of(self, takers: dict[int, Callable[[Any, float], None]]) -> None:
        """Hand each decoded frame to its stream's taker with its time. Raises Refused."""
        streams = [self._container.streams[index] for index in takers]
        self.broken = dict.fromkeys(takers, 0)
        length, told = self._container.duration / av.time_base if self._container.duration else 0.0, 0.0
        for packet in self._packets(streams):
            index = packet.stream.index
            if packet.is_corrupt:
                self.broken[index] += 1
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except av.FFmpegError:
                self.broken[index] += 1
                continue
            for frame in frames:
                if frame.pts is None:
                    continue
                at = float(frame.pts * packet.stream.time_base) - self._zero
                if at > self._limits["longest_seconds"]:
                    raise Refused("too_long")
                takers[index](frame, at)
                if length > 0 and (now := time.monotonic()) - told > confinement.TOLD_SECONDS:
                    told = now
                    confinement.say(share=max(0.0, min(1.0, at / length)))

    def _packets(self, streams: list[Any]) -> Any:
        packets = self._container.demux(streams)
        while True:
            try:
                yield next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                raise Refused("damaged") from None
