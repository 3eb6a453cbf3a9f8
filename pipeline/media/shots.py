"""Where shots begin, of small pictures as they come.

Two detectors of PySceneDetect propose, each with a low threshold, because each misses cuts that the other finds. A
proposal is a hard cut where the change is large, sudden (as nothing else near it is) and lasting (a flash is not).
What is compared are the distributions of the colours, which motion hardly changes, and only where these are alike,
the places of the colours. Fades are found apart from them, by `fades`. `bench/shots.py` measures it all.
"""

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detectors import ContentDetector, HistogramDetector

from .fades import Fades

# Blue, green and red, height by width; or grey.
Picture: TypeAlias = MatLike
Numbers: TypeAlias = NDArray[np.float32]

CONTENT_THRESHOLD = 12.0
HISTOGRAM_THRESHOLD = 0.08
# How far a proposal looks back and ahead: longer than a flash, shorter than a shot.
NEAR_SECONDS = 0.3
# A proposal's change counts from here on: of the distribution of the colours, or else of their places.
LARGE_COLOURS, LARGE_PLACES = 0.03, 0.06
# It is sudden where it is so many times what is third near it: a flash's two changes are no motion.
SUDDEN, RANK = 3.0, 3
# It is lasting where no picture after it is nearer to the one before than this share of it, and the other way round.
LASTING = 0.5
SHORTEST_SHOT_SECONDS = 0.2
# What is taken for a fade so near to a hard cut is the cut.
CUT_SECONDS = 0.5
LEVELS = 64
PLACES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One shot ends and another begins, at its first picture; `cut` as in `measurement.Shot`."""

    seconds: float
    cut: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is compared of a picture, all from 0 to 1."""

    seconds: float
    proposed: bool
    # Per channel, how much of the picture is no brighter than each level.
    colours: Numbers
    # The picture as few large pixels.
    places: Numbers


class Shots:
    """The changes from shot to shot; memory is a window's, however long the film."""

    def __init__(self) -> None:
        self._detectors = (
            ContentDetector(threshold=CONTENT_THRESHOLD, min_scene_len=0),
            HistogramDetector(threshold=HISTOGRAM_THRESHOLD, min_scene_len=0),
        )
        self._number = 0
        self._window: deque[Look] = deque()
        # Where in the window the next is that has not been decided.
        self._next = 0
        self._cuts: list[float] = []
        self._fades = Fades()

    def add(self, seconds: float, picture: Picture) -> bool:
        """The next picture; whether a shot may begin at it."""
        # The detectors only count; the times are ours.
        position = FrameTimecode(self._number, 30.0)
        proposed = [bool(detector.process_frame(position, picture)) for detector in self._detectors]
        self._number += 1
        look = Look(
            seconds=seconds, proposed=any(proposed), colours=_colours(picture), places=_places(picture)
        )
        self._window.append(look)
        self._fades.add(seconds, look.places)
        while self._window[self._next].seconds + NEAR_SECONDS < seconds:
            self._decide()
        return look.proposed

    def end(self) -> list[Change]:
        """After the last picture: the changes, in their order."""
        while self._next < len(self._window):
            self._decide()
        fades = [
            fade for fade in self._fades.seconds if all(abs(fade - cut) > CUT_SECONDS for cut in self._cuts)
        ]
        changes = [Change(seconds=cut, cut="hard") for cut in self._cuts]
        changes += [Change(seconds=fade, cut="fade") for fade in fades]
        return sorted(changes, key=lambda change: change.seconds)

    def _decide(self) -> None:
        look = self._window[self._next]
        since = look.seconds - (self._cuts[-1] if self._cuts else 0.0)
        if look.proposed and self._next and since >= SHORTEST_SHOT_SECONDS and self._is_cut():
            self._cuts.append(look.seconds)
        self._next += 1
        # The one before the next stays, however long ago it was.
        while self._next > 1 and self._window[0].seconds + 2 * NEAR_SECONDS < look.seconds:
            self._window.popleft()
            self._next -= 1

    def _is_cut(self) -> bool:
        now = self._window[self._next].seconds
        near = [
            (number, look)
            for number, look in enumerate(self._window)
            if number == self._next - 1 or abs(look.seconds - now) <= NEAR_SECONDS
        ]
        place = next(place for place, (number, _) in enumerate(near) if number == self._next)
        colours = np.stack([look.colours for _, look in near])
        if _distance(colours[place - 1], colours[place]) >= LARGE_COLOURS:
            return _sudden_and_lasting(colours, place)
        places = np.stack([look.places for _, look in near])
        large = _distance(places[place - 1], places[place]) >= LARGE_PLACES
        return large and _sudden_and_lasting(places, place)


def _sudden_and_lasting(looks: Numbers, place: int) -> bool:
    """Whether the change to the picture at this place is a cut's."""
    steps = np.abs(np.diff(looks, axis=0)).mean(axis=1)
    change = steps[place - 1]
    others = np.sort(np.delete(steps, place - 1))
    if len(others) >= RANK and change < SUDDEN * others[-RANK]:
        return False
    after = np.abs(looks[place:] - looks[place - 1]).mean(axis=1)
    before = np.abs(looks[:place] - looks[place]).mean(axis=1)
    return bool(min(after.min(), before.min()) >= LASTING * change)


def _distance(one: Numbers, other: Numbers) -> float:
    return float(np.abs(one - other).mean())


def _colours(picture: Picture) -> Numbers:
    counts = [cv2.calcHist([picture], [channel], None, [LEVELS], [0, 256]) for channel in range(3)]
    shares = np.concatenate([np.cumsum(count) for count in counts]) / (picture.size / 3)
    return np.asarray(shares, np.float32)


def _places(picture: Picture) -> Numbers:
    height, width = picture.shape[:2]
    factor = PLACES / min(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel() / np.float32(255)
