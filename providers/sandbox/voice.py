"""Speaks: a voice of formants whose syllables follow the text. Nobody understands it, and its words are where it says.

A vowel is the harmonics of a pitch, each as loud as the resonances (formants) of that vowel make it; what stands
before it is a breath of noise. Texts are spoken at the pace of a narrator, whatever their words are.
"""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from .samples import Samples, clock, generator, levelled, shaped_noise, with_edges

RATE = 24_000
WORDS_PER_SECOND = 2.9
# In the length of one syllable.
A_GAP, A_COMMA, A_STOP = 0.35, 1.0, 2.0
HIGHEST_HARMONIC = 4_000.0
# The first three formants of each vowel, in Hz.
FORMANTS = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}
LOUDNESS = (1.0, 0.5, 0.25)
BANDWIDTHS = (90.0, 110.0, 170.0)
HISSED = frozenset("csfxz")
_LOW = re.compile(r"\b(deep|low|male|man|father|grandfather|bass|narrator)\b", re.IGNORECASE)
_HIGH = re.compile(r"\b(high|bright|female|woman|girl|child|mother|young)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A word as it was sent and when it is heard, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    text: str
    syllables: tuple[str, ...]
    """Each a vowel, after the consonant before it if there is one. None: the word is silent."""
    units: float
    """Its length, in that of a syllable."""
    pause: float


def speak(text: str, voice: str = "") -> tuple[Samples, list[SpokenWord]]:
    """The sound, at RATE, and its words. The voice's name chooses the pitch."""
    words = [_word(token) for token in text.split()]
    total = sum(map(_natural_words, words)) / WORDS_PER_SECOND
    a_unit = total / (sum(one.units + one.pause for one in words) - words[-1].pause)
    chance = generator("voice", voice, text)
    times = clock(total, RATE)
    # A sentence falls, and a voice is never quite steady.
    pitch = _pitch(voice) * (1.06 - 0.12 * times / total + 0.015 * np.sin(2 * np.pi * 4.3 * times))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.zeros(len(times))
    spoken: list[SpokenWord] = []
    at = 0.0
    for one in words:
        end = min(at + one.units * a_unit, total)
        spoken.append(SpokenWord(text=one.text, start=round(at, 3), end=round(end, 3)))
        for number, syllable in enumerate(one.syllables):
            length = (end - at) / len(one.syllables)
            first = round((at + number * length) * RATE)
            last = min(round((at + (number + 1) * length) * RATE), len(sound))
            sound[first:last] = _syllable(syllable, phase[first:last], pitch[first:last], chance)
        at = end + one.pause * a_unit
    return levelled(sound), spoken


def _word(token: str) -> _Word:
    # Accents off: é sounds like e here.
    plain = unicodedata.normalize("NFKD", token.casefold())
    letters = [letter for letter in plain if letter.isalnum()]
    syllables: list[str] = []
    before = ""
    in_vowel = False
    for letter in letters:
        if letter in "aeiouy" or not letter.isascii() or letter.isdigit():
            if not in_vowel or not letter.isascii() or letter.isdigit():
                syllables.append(before + _vowel(letter))
            in_vowel, before = letter.isascii(), ""
        else:
            in_vowel, before = False, letter
    if letters and not syllables:
        syllables = [letters[0] + "e"]
    last = token.rstrip("\"'”’»)]")[-1:]
    pause = A_STOP if last in ".!?…。！？" else A_COMMA if last in ",;:—–-、，；：" else A_GAP
    return _Word(
        text=token,
        syllables=tuple(syllables),
        units=0.5 + len(syllables) if syllables else A_GAP,
        pause=pause,
    )


def _vowel(letter: str) -> str:
    if letter in FORMANTS:
        return letter
    return "i" if letter == "y" else "aeiou"[ord(letter) % 5]


def _natural_words(word: _Word) -> float:
    """A word, or what takes as long: two characters of a script without spaces."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in word.text if letter.isalnum())
    return max(1.0, wide / 2)


def _pitch(voice: str) -> float:
    """Hz."""
    low, high = (
        (85.0, 115.0) if _LOW.search(voice) else (180.0, 230.0) if _HIGH.search(voice) else (105.0, 200.0)
    )
    return float(generator("pitch", voice.casefold()).uniform(low, high))


def _syllable(syllable: str, phase: Samples, pitch: Samples, chance: np.random.Generator) -> Samples:
    count = len(phase)
    if count < 2:
        return np.zeros(count)
    consonant, vowel = syllable[:-1], syllable[-1]
    mean = float(np.mean(pitch))
    sound = np.zeros(count)
    for number in range(1, int(HIGHEST_HARMONIC / mean) + 1):
        loud = sum(
            gain / (1 + ((number * mean - formant) / width) ** 2)
            for gain, formant, width in zip(LOUDNESS, FORMANTS[vowel], BANDWIDTHS, strict=True)
        )
        sound += (loud + 0.02 / number) * np.sin(number * phase)
    sound = with_edges(sound, RATE, begin=0.015, end=0.025)
    if consonant:
        breath = min(count, round((0.07 if consonant in HISSED else 0.03) * RATE))
        low, high = (3_000.0, 8_000.0) if consonant in HISSED else (800.0, 3_500.0)
        noise = with_edges(shaped_noise(chance, breath, RATE, low=low, high=high), RATE, begin=0.004)
        sound[:breath] += 0.6 * noise
    return sound
