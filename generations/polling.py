"""When to ask a vendor again: a pure function of what is known."""

from datetime import timedelta

from generations.history import Expected

CLOSEST = 2.0
FARTHEST = 60.0
AFTER_FAILURE = 5.0
# A vendor that says "slow down" and "at once" in one breath is not asked at once.
SOONEST = timedelta(seconds=1)


def next_poll(*, elapsed: float, expected: Expected, safety: float | None) -> timedelta:
    """Seconds until the next poll of a render that was submitted `elapsed` seconds ago.

    `safety` is the interval where the vendor is expected to call us (None: it isn't). Else: nothing before the
    render can be done, then closely until it is usually done, then ever more slowly.
    """
    if safety is not None:
        return timedelta(seconds=safety)
    if elapsed < expected.earliest:
        return timedelta(seconds=min(FARTHEST, max(CLOSEST, expected.earliest - elapsed)))
    if elapsed <= expected.late:
        return timedelta(seconds=min(15.0, max(CLOSEST, expected.typical / 20)))
    return timedelta(seconds=min(FARTHEST, max(CLOSEST, (elapsed - expected.late) / 4)))


def after_failure(failures: int, retry_after: timedelta | None = None) -> timedelta:
    """How long to wait after `failures` failed calls in a row: doubling from 5 s to a minute, or as the vendor says
    and not at once."""
    wait = timedelta(seconds=min(FARTHEST, AFTER_FAILURE * 2 ** max(0, failures - 1)))
    return wait if retry_after is None else max(retry_after, SOONEST)


def percent(*, vendor: int | None, elapsed: float, expected: Expected) -> int:
    """What the owner sees while it runs, 50 to 95: the vendor's percent, or the time passed against the usual."""
    guess = vendor if vendor is not None else round(100 * elapsed / max(expected.typical, 0.1))
    return min(95, max(50, 50 + guess * 45 // 100))
