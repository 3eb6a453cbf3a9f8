"""Small sources whose pictures and sounds are known by value, and films read back the same way."""

import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.media.composition.clips import conform
from pipeline.media.composition.film import Composed, compose
from pipeline.media.composition.timeline import Clip, Format, Timeline

Pictures = NDArray[np.uint8]
Samples = NDArray[np.float32]
SIZE = (90, 160)
RATE = 48_000
# Encoded as films are, with pictures that refer to later ones.
SMALL = Format(width=SIZE[0], height=SIZE[1], preset="veryfast", crf=8)


class Workshop:
    """Where a film is made: sources by digest, and its parts."""

    def __init__(self, folder: Path) -> None:
        self.parts, self.scratch = folder / "parts", folder / "scratch"
        for one in (self.parts, self.scratch):
            one.mkdir(exist_ok=True)

    def conform(self, timeline: Timeline, clip_id: str, source: Path) -> tuple[str, ...]:
        return conform(
            timeline,
            clip_id,
            source,
            self.parts,
            self.scratch,
            progress=lambda share: None,
            cancelled=lambda: False,
        )

    def compose(self, timeline: Timeline, sounds: dict[str, Path] | None = None) -> Composed:
        return compose(
            timeline,
            sounds or {},
            self.parts,
            self.scratch,
            progress=lambda share: None,
            cancelled=lambda: False,
        )

    def film(
        self, timeline: Timeline, sources: dict[str, Path], sounds: dict[str, Path] | None = None
    ) -> Composed:
        """All of it; sources are by the digests of the clips."""
        for clip in timeline.clips:
            self.conform(timeline, clip.id, sources[clip.digest])
        return self.compose(timeline, sounds)

    def body(self, timeline: Timeline, clip: Clip, source: Path) -> Pictures:
        """The frames of a film of this one clip."""
        body, *_ = self.conform(timeline, clip.id, source)
        return luma(self.parts / body)


def timeline_of(*clips: Clip, fmt: Format = SMALL, **more: Any) -> Timeline:
    return Timeline(format=fmt, clips=clips, **more)


def numbers(first: int, frames: int, step: int = 3) -> list[int]:
    """The light of each frame, by which it is known."""
    return [first + step * number for number in range(frames)]


def source(
    path: Path,
    lights: Sequence[int | NDArray[np.uint8]],
    *,
    rate: Fraction = Fraction(30),
    times: Sequence[Fraction] | None = None,
    size: tuple[int, int] = SIZE,
    sound: Samples | None = None,
    colour: tuple[int, int] = (128, 128),
    options: dict[str, int] | None = None,
) -> Path:
    """A video whose frames are even and this light, or these pictures; at `times` where the rate varies."""
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "4"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for key, value in (options or {}).items():
            setattr(video, key, value)
        clock = Fraction(1, 90_000)
        video.time_base = video.codec_context.time_base = clock
        audio: Any = container.add_stream("aac", rate=RATE, layout="stereo") if sound is not None else None
        for number, light in enumerate(lights):
            frame = av.VideoFrame.from_ndarray(_planes(light, size, colour), format="yuv420p")
            time = times[number] if times is not None else number / rate
            frame.pts, frame.time_base = int(time / clock), clock
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            for begin in range(0, len(sound), 1024):
                block = np.repeat(sound[None, begin : begin + 1024], 2, axis=0)
                heard = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(block), format="fltp", layout="stereo"
                )
                heard.sample_rate, heard.pts, heard.time_base = RATE, begin, Fraction(1, RATE)
                container.mux(audio.encode(heard))
            container.mux(audio.encode(None))
    return path


def _planes(light: int | Pictures, size: tuple[int, int], colour: tuple[int, int]) -> Pictures:
    width, height = size
    made = np.empty(width * height * 3 // 2, np.uint8)
    made[: width * height] = np.broadcast_to(light, (height, width)).ravel()
    quarter = width * height // 4
    made[width * height : width * height + quarter] = colour[0]
    made[width * height + quarter :] = colour[1]
    return made.reshape(height * 3 // 2, width)


def wav(path: Path, sound: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def planes(path: Path) -> NDArray[np.uint8]:
    """All frames as they are stored: luma above the two planes of chroma."""
    with av.open(path) as container:
        return np.stack([frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)])


def luma(path: Path) -> Pictures:
    every = planes(path)
    return every[:, : every.shape[1] * 2 // 3]


def lights(pictures: Pictures) -> list[float]:
    """How light each frame is on average."""
    return [float(value) for value in pictures.mean(axis=(1, 2))]


def heard(path: Path) -> Samples:
    """The sound as a player plays it: no longer than the track, nothing before time 0; the channels are one."""
    with av.open(path) as container:
        track: Any = container.streams.audio[0]
        length = round(float(track.duration * track.time_base) * RATE)
        blocks, begin = [], None
        for frame in container.decode(track):
            begin = frame.pts if begin is None else begin
            blocks.append(frame.to_ndarray().mean(axis=0))
        assert begin is not None
        samples = np.concatenate(blocks)
        skipped = round(float(begin * track.time_base) * RATE)
        whole: Samples = samples[-skipped:] if skipped < 0 else np.pad(samples, (skipped, 0))
        return whole[:length]


def tone(seconds: float, hertz: float = 440, level: float = 0.3) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def clicks(seconds: float, at: Sequence[float]) -> Samples:
    """Silence, with a short burst at each of these times."""
    made = np.zeros(round(seconds * RATE), np.float32)
    for second in at:
        begin = round(second * RATE)
        made[begin : begin + 96] = 0.8 * np.sign(np.sin(np.arange(96) * 2 * np.pi / 16 + 0.1))
    return made


def onsets(samples: Samples, apart: float = 0.3) -> list[float]:
    """When bursts begin, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max())
    gaps = np.flatnonzero(np.diff(loud) > apart * RATE)
    return [float(loud[index] / RATE) for index in (0, *(gaps + 1))]


def level(samples: Samples) -> float:
    """In dB below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2)) + 1e-9))
