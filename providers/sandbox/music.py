"""Makes music: four bars of chords, a bass and plucked notes, over and over; key, pace and mood come from the words."""

import re

import numpy as np

from .samples import Samples, clock, generator, levelled, with_edges

RATE = 44_100
BEATS_PER_BAR = 4
FADE_SECONDS = 1.5
_MINOR = re.compile(r"\b(sad|dark|tense|melanchol|mysteri|lonely|night|dramatic|minor)", re.IGNORECASE)
_SLOW = re.compile(r"\b(calm|slow|soft|gentle|ambient|peaceful|dream)", re.IGNORECASE)
_QUICK = re.compile(r"\b(fast|quick|upbeat|energetic|happy|dance|drive|epic)", re.IGNORECASE)
# Roots over the key's, in semitones, and whether the chord is minor.
_MAJOR_WAYS = (
    ((0, False), (7, False), (9, True), (5, False)),
    ((0, False), (9, True), (5, False), (7, False)),
    ((0, False), (4, True), (5, False), (7, False)),
)
_MINOR_WAYS = (
    ((0, True), (8, False), (3, False), (10, False)),
    ((0, True), (5, True), (8, False), (7, False)),
)


def play(text: str, seconds: float) -> Samples:
    """So many seconds in two channels, at RATE."""
    chance = generator("music", text)
    ways = _MINOR_WAYS if _MINOR.search(text) else _MAJOR_WAYS
    way = ways[int(chance.integers(len(ways)))]
    low, high = (64, 78) if _SLOW.search(text) else (112, 128) if _QUICK.search(text) else (84, 104)
    a_beat = 60 / float(chance.integers(low, high))
    key = 48 + int(chance.integers(12))
    loop = np.concatenate([_bar(key + root, minor, a_beat, chance) for root, minor in way], axis=1)
    count = round(seconds * RATE)
    whole = np.tile(loop, -(-count // loop.shape[1]))[:, :count]
    return with_edges(levelled(whole), RATE, begin=0.05, end=min(FADE_SECONDS, seconds / 3))


def _bar(root: int, minor: bool, a_beat: float, chance: np.random.Generator) -> Samples:
    times = clock(BEATS_PER_BAR * a_beat, RATE)
    notes = (root, root + (3 if minor else 4), root + 7)
    swell = np.minimum(1, times / (a_beat / 2)) * np.minimum(1, (times[-1] - times) / (a_beat / 4))
    pad = sum(np.sin(2 * np.pi * _hertz(note) * bent * times) for note in notes for bent in (1, 1.004))
    bass = np.sin(2 * np.pi * _hertz(root - 12) * times) * np.exp(-(times % (2 * a_beat)) * 1.2)
    left, right = np.zeros(len(times)), np.zeros(len(times))
    for half in range(BEATS_PER_BAR * 2):
        note = notes[int(chance.integers(3))] + 12 * int(chance.integers(1, 3))
        begin = round(half * a_beat / 2 * RATE)
        since = times[: len(times) - begin]
        pluck = np.sin(2 * np.pi * _hertz(note) * since) + 0.4 * np.sin(4 * np.pi * _hertz(note) * since)
        pluck = pluck * np.exp(-since * 5) * np.minimum(1, since * 200)
        side = 0.7 if half % 2 else 0.3
        left[begin:] += pluck * side
        right[begin:] += pluck * (1 - side)
    under = 0.12 * pad * swell + 0.5 * bass * swell
    return np.stack([under + 0.45 * left, under + 0.45 * right])


def _hertz(note: int) -> float:
    return float(440 * 2 ** ((note - 69) / 12))
