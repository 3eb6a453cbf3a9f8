"""The gate for what models deliver and for what we compose: decoded once, in a child that can do nothing else."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from .judgement import Expected, Figures, Problem, problems
from .measurement import Cancelled, Limits, Unmeasurable, gathered

__all__ = [
    "Cancelled", "Expected", "Figures", "Limits", "Problem", "Unmeasurable", "Verdict", "examine", "from_json", "to_json",
]  # fmt: skip

# The child; it may take as long as decoding a film of ten minutes does.
CHILD = {"examination": 1.0}
LIMITS = Limits(cpu_seconds=600, wall_seconds=600)
# What the child's pictures show, and which problem each of them is shown for.
PICTURES = ("first", "black", "frozen", "damaged")
SHOWN_FOR = {"black": "black", "frozen": "frozen", "damaged": "damaged"}
REASONS = {
    "not_a_video": "It is not a video.",
    "no_video_stream": "It has no picture that can be decoded.",
    "damaged": "It is damaged: it can't be decoded to its end.",
    "too_long": "It is longer than any video that is made here.",
    "too_large": "Its picture is larger than any that is made here.",
    "sound": "Its sound can't be decoded.",
    "no_length": "It has no length.",
}

_FIGURES = TypeAdapter(Figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the file is what was ordered. `figures`: None where it can't be decoded at all.

    `picture` is a JPEG of the worst place, or of its beginning, as it is seen, its long side 768 pixels at most.
    """

    problems: tuple[Problem, ...]
    figures: Figures | None
    picture: Path | None

    @property
    def ok(self) -> bool:
        return not self.problems


def to_json(figures: Figures) -> dict[str, Any]:
    """For a JSON column; `from_json` makes equal figures of it."""
    return asdict(figures)


def from_json(document: object) -> Figures:
    """What `to_json` made. Raises ValueError for anything else."""
    return _FIGURES.validate_python(document)


def examine(
    path: Path,
    expected: Expected,
    folder: Path,
    *,
    progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
    limits: Limits = LIMITS,
) -> Verdict:
    """Look through a local file, and judge it; the picture is written into the folder, which exists.

    What is wrong with the file is a problem of the verdict, however it was made. `progress` is told shares from 0 to
    1, at least once a second; `cancelled` is asked several times a second, and ends the work at once. Raises
    Cancelled; Unmeasurable with `took_too_long`, which may be this machine's fault; OSError where the file can't be
    read or the folder not be written.
    """
    # So that a file that is not there is no damaged one.
    path.stat()
    arguments = {"path": str(path.absolute()), "folder": str(folder.absolute())}
    try:
        try:
            found = gathered(CHILD, arguments, progress, cancelled, limits)["examination"]
            shown = [name for name in found.pop("pictures") if name in PICTURES]
            figures = from_json(found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unmeasurable("damaged", REASONS["damaged"]) from error
    except Unmeasurable as error:
        _remove(folder)
        if error.code == "took_too_long":
            raise
        problem = Problem(code=error.code, reason=REASONS.get(error.code, REASONS["damaged"]))
        return Verdict(problems=(problem,), figures=None, picture=None)
    except BaseException:
        _remove(folder)
        raise
    progress(1.0)
    wrong = problems(figures, expected)
    return Verdict(problems=wrong, figures=figures, picture=_kept(folder, shown, wrong))


def _kept(folder: Path, shown: list[str], wrong: tuple[Problem, ...]) -> Path | None:
    """The picture of the worst problem that has one; the others are removed."""
    wanted = [SHOWN_FOR[problem.code] for problem in wrong if problem.code in SHOWN_FOR]
    best = next((name for name in (*wanted, "first") if name in shown), None)
    _remove(folder, besides=best)
    return folder / f"{best}.jpg" if best is not None and (folder / f"{best}.jpg").is_file() else None


def _remove(folder: Path, besides: str | None = None) -> None:
    for name in PICTURES:
        if name != besides:
            (folder / f"{name}.jpg").unlink(missing_ok=True)
