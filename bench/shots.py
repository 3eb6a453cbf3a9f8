"""Hard cuts found in 20 films made of nothing, whose cuts are known: hard cuts only, fades, flashes and fast motion.

A cut is found where a shot begins within two frames of it. What is found inside a fade counts neither way. The
thresholds of `pipeline.media.shots` were chosen on the films of the seeds 100 to 119, which are not these.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from config.stack.sample import RATE, Film, Stretch, Style, make
from pipeline.media.measurement import measure

from .measure import Measure

# `SHOTS_SEED=100` measures the films that the thresholds were chosen on.
FIRST_SEED = int(os.environ.get("SHOTS_SEED", "0"))
FILMS = 20
SIZE = (360, 640)
NEAR_SECONDS = 2.5 / RATE
LEAST = 0.95


def run() -> list[Measure]:
    total: Counter[str] = Counter()
    styles: tuple[Style, ...] = get_args(Style)
    by_style: dict[Style, Counter[str]] = {style: Counter() for style in styles}
    for number in range(FILMS):
        style = styles[number % len(styles)]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            film = make(folder / "film.mp4", seed=FIRST_SEED + number, style=style, size=SIZE, sound=False)
            counted = count(film, folder)
        print(
            f"  {FIRST_SEED + number:>3} {style:<8} {counted['right']} of {len(film.hard_cuts)} cuts, "
            f"{counted['wrong']} wrong, {len(film.flashes)} flashes, "
            f"{counted['faded']} of {len(film.fades)} fades",
            flush=True,
        )
        total += counted
        by_style[style] += counted
    rows = [
        Measure(name="precision", value=precision(total), unit="", bar=LEAST),
        Measure(name="recall", value=recall(total), unit="", bar=LEAST),
        Measure(name="cuts", value=total["right"] + total["missed"], unit=""),
        Measure(name="flashes", value=total["flashes"], unit=""),
        Measure(name="fades found", value=total["faded"] / max(1, total["fades"]), unit=""),
    ]
    for style, counted in by_style.items():
        rows.append(Measure(name=f"{style}: precision", value=precision(counted), unit=""))
        rows.append(Measure(name=f"{style}: recall", value=recall(counted), unit=""))
    return rows


def count(film: Film, folder: Path) -> Counter[str]:
    """The shots of a film beside what is true of it."""
    found = [shot.start_seconds for shot in measure(film.path, folder).shots[1:]]
    left = list(found)
    for cut in film.hard_cuts:
        near = [one for one in left if abs(one - cut) <= NEAR_SECONDS]
        if near:
            left.remove(min(near, key=lambda one: abs(one - cut)))
    right = len(found) - len(left)
    return Counter(
        right=right,
        missed=len(film.hard_cuts) - right,
        wrong=sum(not _inside(one, film.fades) for one in left),
        flashes=len(film.flashes),
        fades=len(film.fades),
        faded=sum(any(_inside(one, [fade]) for one in left) for fade in film.fades),
    )


def precision(counted: Counter[str]) -> float:
    return counted["right"] / max(1, counted["right"] + counted["wrong"])


def recall(counted: Counter[str]) -> float:
    return counted["right"] / max(1, counted["right"] + counted["missed"])


def _inside(seconds: float, fades: Sequence[Stretch]) -> bool:
    return any(
        fade.start_seconds - NEAR_SECONDS <= seconds <= fade.end_seconds + NEAR_SECONDS for fade in fades
    )
