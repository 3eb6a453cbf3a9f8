"""When a vendor is asked again, for any history."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from generations import polling
from generations.history import Expected

SECONDS = st.floats(min_value=0.1, max_value=3600)


@st.composite
def histories(draw: st.DrawFn) -> Expected:
    earliest, typical, late = sorted(draw(st.tuples(SECONDS, SECONDS, SECONDS)))
    return Expected(earliest=earliest, typical=typical, late=late)


def polls(expected: Expected, until: float) -> list[float]:
    """The seconds after submission at which it is asked, by `until`."""
    at, times = 0.0, []
    while at < until:
        at += polling.next_poll(elapsed=at, expected=expected, safety=None).total_seconds()
        times.append(at)
    return times


@given(histories(), st.floats(min_value=0, max_value=1e6))
def test_a_wait_is_between_two_seconds_and_a_minute(expected: Expected, elapsed: float) -> None:
    wait = polling.next_poll(elapsed=elapsed, expected=expected, safety=None)
    assert timedelta(seconds=2) <= wait <= timedelta(minutes=1)


@given(histories())
def test_it_is_hardly_asked_before_it_can_be_done(expected: Expected) -> None:
    early = [at for at in polls(expected, expected.late) if at < expected.earliest - 2]
    # Only where that is over a minute away.
    assert len(early) <= expected.earliest / 60


@given(histories(), st.floats(min_value=0, max_value=1))
def test_an_end_at_the_usual_time_is_found_within_a_tenth_of_it_or_two_seconds(
    expected: Expected, share: float
) -> None:
    end = expected.earliest + share * (expected.late - expected.earliest)
    found = next(at for at in polls(expected, end + 120) if at >= end)
    assert found - end <= max(2.0, min(15.0, expected.typical / 20)) + 0.001


@given(histories())
def test_a_render_that_never_ends_costs_few_polls(expected: Expected) -> None:
    """A day of waiting: closely while it is usual, then ever more slowly, to one a minute."""
    usual = (expected.late - expected.earliest) / max(2.0, min(15.0, expected.typical / 20))
    assert len(polls(expected, 86_400)) <= 1440 + usual + 60


@given(histories(), SECONDS, st.floats(min_value=0, max_value=1e6))
def test_where_the_vendor_calls_us_a_poll_is_only_for_safety(
    expected: Expected, safety: float, elapsed: float
) -> None:
    wait = polling.next_poll(elapsed=elapsed, expected=expected, safety=safety)
    assert abs(wait.total_seconds() - safety) < 1e-5


@given(st.integers(min_value=0, max_value=1000))
def test_failures_in_a_row_are_answered_with_patience(failures: int) -> None:
    wait = polling.after_failure(failures)
    assert timedelta(seconds=5) <= wait <= timedelta(minutes=1)
    assert polling.after_failure(failures + 1) >= wait
    assert polling.after_failure(failures, timedelta(seconds=7)) == timedelta(seconds=7)
    assert polling.after_failure(failures, timedelta(0)) >= timedelta(seconds=1)


@given(
    histories(), st.none() | st.integers(min_value=0, max_value=100), st.floats(min_value=0, max_value=1e5)
)
def test_progress_is_never_done_before_the_video_is_ours(
    expected: Expected, vendor: int | None, elapsed: float
) -> None:
    assert 50 <= polling.percent(vendor=vendor, elapsed=elapsed, expected=expected) <= 95
