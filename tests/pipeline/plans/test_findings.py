"""Whether the words that were spoken fit into the film."""

from typing import Any

import pytest

from pipeline.plans.edits import Edits, apply
from pipeline.plans.film import Film
from pipeline.plans.findings import too_long

from .cast import EXACT, NOTHING, film, segment


def spoken_film(*, transition: float = 0.0, last: float = 5.0) -> Film:
    script = [{"segment": f"s{number}", "text": "word " * 10} for number in (1, 2, 3)]
    kind: dict[str, Any] = {"kind": "fade", "seconds": transition} if transition else {"kind": "cut"}
    segments = segment(1), segment(2), segment(3, transition=kind, seconds=last, clip_seconds=int(last))
    return film(*segments, audio={"strategy": "voice_over", "script": script})


def test_words_that_fit_are_no_finding() -> None:
    assert too_long(spoken_film(), {"s1": 4.0, "s2": 5.0, "s3": 5.04}) == ()
    assert too_long(spoken_film(), {}) == ()


def test_a_line_that_is_longer_than_its_segment_is_said_with_what_helps() -> None:
    (found,) = too_long(spoken_film(), {"s1": 4.0, "s2": 6.1, "s3": 3.0})
    assert (found.segment, found.spoken_seconds, found.room_seconds) == ("s2", 6.1, 5.0)
    assert found.reason == (
        "The voice of s2 lasts 6.1 s, the segment 5.0 s: shorten the words by about 2, or make it 6.1 s long."
    )


def test_what_the_finding_advises_helps() -> None:
    edits = Edits.model_validate([{"op": "retime", "segment": "s2", "seconds": 6.1}])
    longer = apply(spoken_film(), edits.root, EXACT, NOTHING)
    assert too_long(longer, {"s2": 6.1}) == ()


def test_a_line_ends_before_the_next_begins() -> None:
    one = spoken_film(transition=1.0)
    (found,) = too_long(one, {"s2": 4.5, "s3": 3.0})
    assert (found.segment, found.room_seconds) == ("s2", 4.0)
    assert "before the next begins there are 4.0 s" in found.reason
    assert found.reason.endswith("make it 5.5 s long.")
    # Where nobody speaks next, it may go on through the transition.
    assert too_long(one, {"s2": 4.5}) == ()


@pytest.mark.parametrize("seconds", [15.05, 16.0])
def test_no_segment_is_made_longer_than_it_may_be(seconds: float) -> None:
    found = too_long(spoken_film(last=14.0), {"s3": seconds})
    assert "long" not in found[0].reason.partition(":")[2]
