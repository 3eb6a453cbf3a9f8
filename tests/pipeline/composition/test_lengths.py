"""As many frames as the timeline says, whatever the rate, the speed and the length of a source."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.media.composition.timeline import Clip

from .films import Workshop, lights, numbers, source, timeline_of

FRAMES = 40


@pytest.mark.parametrize("speed", [1.0, 0.75, 2.0])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60)], ids=str)
def test_a_source_of_any_rate_and_speed_shows_each_moment_at_its_time(
    workshop: Workshop, tmp_path: Path, rate: Fraction, speed: float
) -> None:
    wanted = 30
    # A light for each frame, two steps apart at most.
    made = [20 + round(number * 200 / 130) for number in range(130)]
    path = source(tmp_path / "source.mp4", made, rate=rate)
    clip = Clip(id="one", digest="source", frames=wanted, speed=speed)
    shown = lights(workshop.body(timeline_of(clip), clip, path))
    assert len(shown) == wanted
    for number, light in enumerate(shown):
        at = number / 30 * speed * float(rate)
        # The frame that is nearest to this moment, or one of its neighbours.
        expected = made[max(0, round(at) - 1) : round(at) + 2]
        assert min(expected) - 1.5 <= light <= max(expected) + 1.5


def test_a_source_of_varying_rate_shows_each_moment_at_its_time(workshop: Workshop, tmp_path: Path) -> None:
    made = numbers(20, 20, step=8)
    # Twice as long from the tenth on.
    times = [
        Fraction(number, 30) if number < 10 else Fraction(10 + 2 * (number - 10), 30) for number in range(20)
    ]
    path = source(tmp_path / "source.mp4", made, times=times)
    clip = Clip(id="one", digest="source", frames=28)
    shown = lights(workshop.body(timeline_of(clip), clip, path))
    expected = made[:10] + [light for light in made[10:19] for _ in range(2)]
    assert shown == pytest.approx(expected, abs=1.5)


def test_what_a_source_lacks_at_its_end_is_its_last_picture(workshop: Workshop, tmp_path: Path) -> None:
    path = source(tmp_path / "source.mp4", numbers(20, 10))
    clip = Clip(id="one", digest="source", frames=FRAMES)
    shown = lights(workshop.body(timeline_of(clip), clip, path))
    assert shown == pytest.approx(numbers(20, 10) + [47] * 30, abs=1)


def test_a_clip_begins_where_its_source_is_entered(workshop: Workshop, sources: dict[str, Path]) -> None:
    clip = Clip(id="one", digest="dark", frames=12, start_seconds=0.5)
    shown = lights(workshop.body(timeline_of(clip), clip, sources["dark"]))
    assert shown == pytest.approx(numbers(20, 30)[15:27], abs=1)


def test_parts_of_a_clip_made_at_different_times_are_of_one_piece(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    """A tail made alone shows what follows the body."""
    alone = timeline_of(Clip(id="one", digest="dark", frames=30, speed=0.8))
    whole = lights(workshop.body(alone, alone.clips[0], sources["dark"]))
    assert len(np.unique(np.round(whole))) == pytest.approx(24, abs=1)
    assert whole == sorted(whole)
