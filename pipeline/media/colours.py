"""The colours of a shot."""

from collections.abc import Sequence

import cv2
import numpy as np

from .shots import Picture

MOST = 5
# Of a picture's pixels for this, and how they are grouped.
SIDE = 16
ROUNDS = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
# Colours that are nearer than this in L*a*b* are seen as one; those with less of the picture are not seen.
NEAR = 14.0
SMALLEST_SHARE = 0.02


def few(picture: Picture) -> Picture:
    """The pixels of a picture that are kept for `palette`."""
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def palette(pictures: Sequence[Picture]) -> list[dict[str, str | float]]:
    """The main colours of all of them, the largest share first."""
    pixels = np.concatenate([picture.reshape(-1, 1, 3) for picture in pictures]).astype(np.float32) / 255
    lab = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB).reshape(-1, 3)
    # The same file has the same colours each time.
    cv2.setRNGSeed(1)
    groups = min(MOST + 3, len(np.unique(lab, axis=0)))
    _, labels, centres = cv2.kmeans(
        lab, groups, np.empty((len(lab), 1), np.int32), ROUNDS, 2, cv2.KMEANS_PP_CENTERS
    )
    shares = np.bincount(labels.ravel(), minlength=groups) / len(lab)
    merged: list[tuple[float, np.ndarray]] = []
    for number in np.argsort(-shares):
        share, centre = float(shares[number]), centres[number]
        for place, (others, other) in enumerate(merged):
            if np.linalg.norm(centre - other) < NEAR:
                merged[place] = (others + share, (other * others + centre * share) / (others + share))
                break
        else:
            merged.append((share, centre))
    merged.sort(key=lambda one: -one[0])
    return [
        {"hex": _hex(centre), "share": round(share, 4)}
        for share, centre in merged[:MOST]
        if share >= SMALLEST_SHARE
    ]


def _hex(lab: np.ndarray) -> str:
    blue, green, red = cv2.cvtColor(lab.astype(np.float32).reshape(1, 1, 3), cv2.COLOR_LAB2BGR).ravel()
    return "#" + "".join(f"{round(float(min(1, max(0, value))) * 255):02x}" for value in (red, green, blue))
