"""How the camera moves, of small pictures a moment apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .shots import Picture

# So far apart that a small thing with much detail has few of them.
MOST_CORNERS, QUALITY, APART_PIXELS = 120, 0.005, 8
FEWEST_CORNERS = 8
WINDOW_PIXELS, PYRAMID = (15, 15), 3
# Corners this far from where the movement takes them move on their own.
ASTRAY_PIXELS = 0.6
# A movement that fewer of the corners follow is not the camera's.
AGREEMENT = 0.5
# Nor is one whose corners lie within less of the picture: somebody walks by, before a wall.
COVERED = 0.25
# Less is what hands and codecs do: in short sides of the picture, or doublings by e, per second.
SLOWEST = 0.03
# A zoom moves the picture's edges, which are half a side from its middle.
ZOOM_EDGE = 0.5
# Where corners say nothing, pictures that change by more than this do.
UNKNOWN_MOTION = 0.3
# One way is the camera's only where it is this much more than the others, and in so many of the steps.
CLEAR, CONSTANT = 1.5, 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Of the picture, per second: to the right and down in short sides of it, and larger (as a logarithm)."""

    right: float
    down: float
    larger: float


def movement(before: Picture, after: Picture, seconds: float) -> Movement | None:
    """What most of the picture does between two grey pictures; None where there is no telling."""
    corners = cv2.goodFeaturesToTrack(before, MOST_CORNERS, QUALITY, APART_PIXELS)
    # None, whatever its stub says.
    if corners is None or len(corners) < FEWEST_CORNERS:  # type: ignore[redundant-expr]
        return None
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, np.empty_like(corners), winSize=WINDOW_PIXELS, maxLevel=PYRAMID
    )
    kept = status.ravel() == 1
    if np.count_nonzero(kept) < FEWEST_CORNERS:
        return None
    matrix, follow = cv2.estimateAffinePartial2D(
        corners[kept], found[kept], method=cv2.RANSAC, ransacReprojThreshold=ASTRAY_PIXELS
    )
    if matrix is None or follow.mean() < AGREEMENT:
        return None
    height, width = before.shape[:2]
    # All but a few that follow by chance.
    low, high = np.percentile(corners[kept][follow.ravel() == 1].reshape(-1, 2), (5, 95), axis=0)
    if np.prod(high - low) < COVERED * height * width:
        return None
    middle = np.array([width / 2, height / 2])
    right, down = (matrix[:, :2] @ middle + matrix[:, 2] - middle) / min(width, height) / seconds
    return Movement(
        right=float(right),
        down=float(down),
        larger=math.log(math.hypot(matrix[0, 0], matrix[1, 0])) / seconds,
    )


def kind(steps: Sequence[Movement | None], motion: float) -> str:
    """The camera's movement in a shot, of its steps and how much the picture changes (see `measurement.Shot`)."""
    known = [step for step in steps if step is not None]
    if len(known) * 2 < max(1, len(steps)):
        return "moving" if motion > UNKNOWN_MOTION else "static"
    ways = {
        ("pan_left", "pan_right"): [step.right for step in known],
        ("tilt_up", "tilt_down"): [step.down for step in known],
        ("zoom_in", "zoom_out"): [step.larger * ZOOM_EDGE for step in known],
    }
    medians = {names: float(np.median(values)) for names, values in ways.items()}
    first, second, _ = sorted(medians, key=lambda names: -abs(medians[names]))
    speed = medians[first]
    if abs(speed) < SLOWEST:
        typical = np.median([math.hypot(step.right, step.down) for step in known])
        return "moving" if typical > 2 * SLOWEST else "static"
    along = np.mean([value * speed > 0 for value in ways[first]])
    if abs(speed) < CLEAR * abs(medians[second]) or along < CONSTANT:
        return "moving"
    return first[0] if speed > 0 else first[1]
