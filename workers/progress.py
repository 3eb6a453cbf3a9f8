"""How far a long call is, told from within it, and whether its owner still wants it.

A stage with `reports = True` may say `report(percent)` and ask `cancelled()` at any time of its call; the engine
writes the first to the job's row and reads the second from it every second.
"""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Reporter:
    """What one call says of itself (`percent`), and what it is told (`cancelled`)."""

    percent: int | None = None
    cancelled: bool = False


class _Current(threading.local):
    reporter: Reporter | None = None


_current = _Current()


def follow(reporter: Reporter | None) -> None:
    """Have this thread's call speak to `reporter`; None: to nobody."""
    _current.reporter = reporter


def report(percent: float) -> None:
    """How much of the job is done, 0 to 100."""
    if _current.reporter is not None:
        _current.reporter.percent = max(0, min(99, int(percent)))


def cancelled() -> bool:
    """Whether the owner asked to stop: the call may then end at once, with an answer that says so."""
    return _current.reporter is not None and _current.reporter.cancelled
