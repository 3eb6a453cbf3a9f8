"""Makes effects: noises and tones that the words choose, the same for the same words."""

import re
from collections.abc import Callable

import numpy as np

from .samples import Samples, clock, generator, levelled, shaped_noise, with_edges

RATE = 44_100
Noise = Callable[[np.random.Generator, float], Samples]


def make_noise(text: str, seconds: float) -> Samples:
    """So many seconds, at RATE."""
    chance = generator("noise", text)
    noise = next((made for pattern, made in _BY_WORD if pattern.search(text)), None)
    if noise is None:
        noise = _BY_WORD[int(chance.integers(len(_BY_WORD)))][1]
    return with_edges(levelled(noise(chance, seconds)), RATE)


def _wind(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * (0.3 * times + chance.uniform()))
    howl = np.sin(2 * np.pi * np.cumsum(380 + 90 * np.sin(2 * np.pi * 0.4 * times)) / RATE)
    air = shaped_noise(chance, len(times), RATE, low=120, high=700)
    return (air / np.std(air) + 0.15 * howl) * swell


def _waves(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    rise = np.sin(np.pi * ((0.14 * times + chance.uniform()) % 1.0)) ** 3
    return shaped_noise(chance, len(times), RATE, low=150, high=2_500) * (0.15 + rise)


def _rain(chance: np.random.Generator, seconds: float) -> Samples:
    count = round(seconds * RATE)
    drops = np.zeros(count)
    where = chance.integers(0, count, max(1, int(seconds * 120)))
    drops[where] = chance.uniform(2, 8, len(where))
    hiss = shaped_noise(chance, count, RATE, low=1_500, high=9_000)
    return hiss / np.std(hiss) + shaped_by(drops, 900.0)


def _thumps(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    every = float(chance.uniform(0.45, 0.7))
    since = times % every
    deep = float(chance.uniform(55, 90))
    body = np.sin(2 * np.pi * (deep * since + 12 * (1 - np.exp(-since * 40)) / 4)) * np.exp(-since * 14)
    click = shaped_noise(chance, len(times), RATE, low=200, high=2_000)
    made: Samples = body + 0.3 * click / np.std(click) * np.exp(-since * 60)
    return made


def _bell(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    since = times % 1.6
    root = float(chance.uniform(440, 900))
    partials = ((1.0, 1.0, 2.0), (2.0, 0.6, 3.0), (2.76, 0.5, 3.6), (5.4, 0.25, 6.0))
    rung = (
        gain * np.sin(2 * np.pi * root * ratio * since) * np.exp(-since * fade)
        for ratio, gain, fade in partials
    )
    return np.asarray(sum(rung, np.zeros(len(times))))


def _whoosh(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    part = times / max(seconds, 0.1)
    dark = shaped_noise(chance, len(times), RATE, low=150, high=600)
    bright = shaped_noise(chance, len(times), RATE, low=900, high=5_000)
    made: Samples = (dark / np.std(dark) * (1 - part) + bright / np.std(bright) * part) * np.sin(
        np.pi * part
    ) ** 2
    return made


def _hum(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    root = float(chance.uniform(60, 110))
    beat = 1 + 0.25 * np.sin(2 * np.pi * 11 * times)
    tones = (np.sin(2 * np.pi * root * number * times) / number for number in range(1, 9))
    return np.asarray(sum(tones, np.zeros(len(times)))) * beat


def _chirps(chance: np.random.Generator, seconds: float) -> Samples:
    times = clock(seconds, RATE)
    since = times % 0.4
    root = float(chance.uniform(2_200, 3_200))
    sung = np.sin(2 * np.pi * (root * since + 900 * since**2 + 2 * np.sin(2 * np.pi * 28 * since)))
    made: Samples = sung * np.exp(-(((since - 0.09) / 0.05) ** 2))
    return made


def _crackle(chance: np.random.Generator, seconds: float) -> Samples:
    count = round(seconds * RATE)
    sparks = np.zeros(count)
    where = chance.integers(0, count, max(1, int(seconds * 35)))
    sparks[where] = chance.standard_normal(len(where)) * 12
    glow = shaped_noise(chance, count, RATE, low=80, high=400)
    return shaped_by(sparks, 400.0) + glow / np.std(glow)


def shaped_by(impulses: Samples, fading: float) -> Samples:
    """Each impulse as a short ring that fades so fast (per second)."""
    ring = clock(0.02, RATE)
    return np.convolve(impulses, np.exp(-ring * fading) * np.sin(2 * np.pi * 2_500 * ring))[: len(impulses)]


def _words(*stems: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(stems)})", re.IGNORECASE)


_BY_WORD: tuple[tuple[re.Pattern[str], Noise], ...] = (
    (_words("wave", "sea", "ocean", "surf", "water", "river"), _waves),
    (_words("rain", "shower", "drizzle"), _rain),
    (_words("wind", "breeze", "storm", "air"), _wind),
    (_words("thump", "knock", "door", "step", "footstep", "drum", "boom", "explo", "heart", "hit"), _thumps),
    (_words("bell", "chime", "ring", "ding", "glass"), _bell),
    (_words("whoosh", "swoosh", "swish", "pass", "fly"), _whoosh),
    (_words("engine", "motor", "hum", "car", "train", "traffic", "machine"), _hum),
    (_words("bird", "chirp", "gull", "cricket", "insect"), _chirps),
    (_words("fire", "crackl", "burn", "camp"), _crackle),
)
