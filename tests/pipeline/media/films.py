"""Small films of pictures and samples made here, so that everything is known of them."""

import math
import subprocess
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import cv2
import numpy as np
from cv2.typing import MatLike
from imageio_ffmpeg import get_ffmpeg_exe
from numpy.typing import NDArray

Picture: TypeAlias = MatLike
Samples: TypeAlias = NDArray[np.float32]

RATE = 30
SOUND_RATE = 48_000
# Three formants of each vowel, in Hz.
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


def write(
    path: Path,
    pictures: Iterable[Picture],
    *,
    times: Sequence[float] = (),
    sound: Samples | None = None,
    codec: str = "libx264",
    sound_codec: str = "aac",
    options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures (BGR) at 30 a second, or at these times, with sound at 48 kHz (samples by channels)."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        video: Any = container.add_stream(codec, rate=RATE, options={"crf": "18", "preset": "ultrafast"})
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 90_000)
        audio: Any = container.add_stream(sound_codec, rate=SOUND_RATE) if sound is not None else None
        if audio is not None and sound is not None:
            audio.codec_context.layout = "stereo" if sound.shape[1] == 2 else "mono"
        for number, picture in enumerate(pictures):
            if not number:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), "bgr24")
            seconds = times[number] if times else number / RATE
            frame.pts, frame.time_base = round(seconds * 90_000), Fraction(1, 90_000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for begin in range(0, len(sound), 1024):
                part = np.ascontiguousarray(sound[begin : begin + 1024].T)
                heard = av.AudioFrame.from_ndarray(part, "fltp", audio.codec_context.layout.name)
                heard.sample_rate, heard.pts, heard.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
                container.mux(audio.encode(heard))
            container.mux(audio.encode(None))
    return path


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run([get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def landscape(seed: int, *, width: int = 480, height: int = 480, hue: int | None = None) -> Picture:
    """A picture with detail everywhere: rectangles of a few related colours over clouds."""
    chance = np.random.default_rng(seed)
    base = int(chance.integers(180)) if hue is None else hue
    hsv = np.zeros((height, width, 3), np.uint8)
    clouds = cv2.resize(
        chance.random((8, 8)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    hsv[..., 0], hsv[..., 1] = base, 120
    hsv[..., 2] = np.clip(60 + 140 * clouds, 0, 255)
    for _ in range(60):
        x, y = int(chance.integers(width)), int(chance.integers(height))
        colour = (
            (base + int(chance.integers(-12, 12))) % 180,
            int(chance.integers(60, 255)),
            int(chance.integers(30, 255)),
        )
        size = int(chance.integers(width // 24, width // 8))
        cv2.rectangle(hsv, (x, y), (x + size, y + size), colour, -1)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


def still(picture: Picture, frames: int) -> list[Picture]:
    return [picture] * frames


def window(
    picture: Picture,
    frames: int,
    at: Callable[[float], tuple[float, float, float]],
    *,
    size: tuple[int, int] = (160, 160),
) -> list[Picture]:
    """What a camera sees of a picture: `at` says, for each second, the middle (x, y) and how many pixels wide it is."""
    seen = []
    for number in range(frames):
        x, y, wide = at(number / RATE)
        scale = size[0] / wide
        matrix = np.array([[scale, 0, size[0] / 2 - x * scale], [0, scale, size[1] / 2 - y * scale]])
        seen.append(
            np.asarray(
                cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_WRAP)
            )
        )
    return seen


def silence(seconds: float, channels: int = 2) -> Samples:
    return np.zeros((round(seconds * SOUND_RATE), channels), np.float32)


def tone(seconds: float, *, peak: float = 0.1, hertz: float = 1000, channels: int = 2) -> Samples:
    when = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    wave = (peak * np.sin(2 * np.pi * hertz * when)).astype(np.float32)
    # AAC makes peaks of its own where a tone begins at once.
    ramp = np.minimum(1, np.arange(len(wave)) / (0.02 * SOUND_RATE)).astype(np.float32)
    wave *= ramp * ramp[::-1]
    return np.repeat(wave[:, None], channels, axis=1)


def noise(seconds: float, *, peak: float = 0.2, channels: int = 2) -> Samples:
    chance = np.random.default_rng(1)
    wave = chance.uniform(-peak, peak, round(seconds * SOUND_RATE)).astype(np.float32)
    return np.repeat(wave[:, None], channels, axis=1)


def voice(seconds: float, *, seed: int = 110, hertz: float = 110) -> Samples:
    """A voice of the source and filter kind: glottal pulses through three formants, vowel after vowel."""
    rate, syllable = 16_000, 0.22
    chance = np.random.default_rng(seed)
    count = int(seconds * rate)
    when = np.arange(count) / rate
    pitch = hertz * (1 + 0.12 * np.sin(2 * np.pi * 0.7 * when) + 0.03 * np.sin(2 * np.pi * 5 * when))
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0)
    wave = np.convolve(pulses, np.hanning(40) * np.linspace(1, -0.6, 40))[:count]
    wave += 0.02 * chance.standard_normal(count)
    place = when / syllable
    vowel = place.astype(int)
    glide = np.clip((place - vowel) * 2 - 0.5, 0, 1)
    formants = np.array(VOWELS)[chance.integers(len(VOWELS), size=vowel[-1] + 2)]
    for number, bandwidth in enumerate((80, 100, 140)):
        centre = formants[vowel, number] * (1 - glide) + formants[vowel + 1, number] * glide
        radius = math.exp(-math.pi * bandwidth / rate)
        back = 2 * radius * np.cos(2 * np.pi * centre / rate)
        gain = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(4 * np.pi * centre / rate) + radius**2)
        one = two = 0.0
        for index in range(count):
            one, two = gain[index] * wave[index] + back[index] * one - radius**2 * two, one
            wave[index] = one
    wave *= 0.25 + 0.75 * np.clip(1.6 * np.sin(np.pi * (place - vowel)), 0, 1)
    wave *= 0.5 / np.abs(wave).max()
    finer = np.interp(np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE, when, wave)
    return np.repeat(finer.astype(np.float32)[:, None], 2, axis=1)
