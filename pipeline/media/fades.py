"""Where one shot is faded into the next: of pictures as few large pixels, ten a second.

In a cross-fade each picture is a mixture of one before and one after it, which have nothing in common; and the share
of the latter only grows. A film that grows lighter is no fade, because it remains the same picture; nor is a pan,
whose pictures are no mixtures.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.float32]

STEP_SECONDS = 0.1
# A fade is looked for in so many steps; it takes at most these, and at least a few of them.
STEPS = 11
# Of a film with few pictures a second, they are too far apart to tell.
LONGEST_SECONDS = 1.5 * STEPS * STEP_SECONDS
# The mean difference of the pictures at both ends, from 0 to 1, and how alike they may be (as a correlation).
LARGE, ALIKE = 0.08, 0.6
PLAIN = 0.002
# How far from a mixture the pictures between may be, of the difference of both ends.
ASTRAY = 0.2
# The share of the latter may fall back by so much, and grow by so much in a step: more is a cut.
BACK, AHEAD = 0.05, 0.5
# The brightness of a picture that is nearly black, and of one that is not.
BLACK, SEEN = 0.04, 0.1


class Fades:
    """The middles of the fades, in seconds; memory is a window's."""

    def __init__(self) -> None:
        self._window: deque[tuple[float, Places]] = deque(maxlen=STEPS)
        self.seconds: list[float] = []

    def add(self, seconds: float, places: Places) -> None:
        """The next picture; those that come sooner than a step after the last are not looked at."""
        if self._window and seconds - self._window[-1][0] < STEP_SECONDS * 0.9:
            return
        self._window.append((seconds, places))
        begin = self._window[0][0]
        if len(self._window) < STEPS or seconds - begin > LONGEST_SECONDS:
            return
        if self.seconds and begin < self.seconds[-1]:
            return
        looks = np.stack([look for _, look in self._window])
        place = _through_black(looks)
        if place is None:
            place = _crossed(looks)
        if place is not None:
            self.seconds.append(self._window[place][0])


def _crossed(looks: Places) -> int | None:
    """The first step with more of the latter picture than of the former, where it is a cross-fade."""
    first, last = looks[0], looks[-1]
    change = last - first
    if np.abs(change).mean() < LARGE:
        return None
    if _are_alike(first, last):
        return None
    shares = (looks - first) @ change / (change @ change)
    astray = np.abs(looks - first - shares[:, None] * change).mean(axis=1) / np.abs(change).mean()
    steps = np.diff(shares)
    if astray.max() > ASTRAY or steps.min() < -BACK or steps.max() > AHEAD:
        return None
    place = int(np.argmax(shares > 0.5))
    # In the middle of the window, so that each fade is seen once, and whole.
    return place if abs(place - STEPS // 2) <= 1 else None


def _through_black(looks: Places) -> int | None:
    """The step after the last black one in the middle, where other pictures are after it than before."""
    middle, means = STEPS // 2, looks.mean(axis=1)
    before, after = np.argmax(means[:middle]), middle + np.argmax(means[middle:])
    ends = means[middle] < BLACK <= means[middle + 1]
    if ends and min(means[before], means[after]) > SEEN and not _are_alike(looks[before], looks[after]):
        return middle + 1
    return None


def _are_alike(one: Places, other: Places) -> bool:
    # Without any contrast they are like nothing.
    return min(one.std(), other.std()) > PLAIN and float(np.corrcoef(one, other)[0, 1]) > ALIKE
