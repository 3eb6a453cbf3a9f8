"""Plans made by rules: for random samples, and for words."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.media.measurement import Colour, Measurement, Shot, Sound, Span, pacing
from pipeline.plans.assembly import assemble
from pipeline.plans.film import LONGEST_FILM, LONGEST_SEGMENT, Continuity, Film, Preference
from pipeline.plans.offers import Offers, priced
from pipeline.plans.planner import Brief, from_sample, from_words, grouped, shared_out
from pipeline.plans.validation import Inputs, problems
from pipeline.understanding import rules

from .cast import EXACT, NOTHING, offer, offers

COARSE = offers(offer("eights", durations=(8,)), offer("fives", durations=(5, 10), credits=90))
MIXED = offers(*(EXACT[name] for name in EXACT), offer("words", durations=(4, 6, 12), credits=30))


def measured(lengths: list[float], *, speech: float = 0.0, sound: bool = True, **looks: Any) -> Measurement:
    """A sample of shots of these seconds."""
    shots, at = [], 0.0
    for number, length in enumerate(lengths):
        shots.append(
            Shot(
                start_seconds=round(at, 3),
                end_seconds=round(at + length, 3),
                key_frame=f"shot-{number}.jpg",
                key_frame_seconds=round(at, 3),
                brightness=looks.get("brightness", 0.5),
                contrast=0.2,
                saturation=looks.get("saturation", 0.3),
                motion=looks.get("motion", 0.05),
                colours=(Colour(hex="#a05030", share=0.7),),
                camera="static",
                cut="start" if number == 0 else "fade" if number % 4 == 3 else "hard",
            )
        )
        at += length
    heard = Sound(
        codec="aac",
        channels=2,
        sample_rate=48_000,
        loudness_lufs=-16.0,
        loudness_range_lu=4.0,
        true_peak_dbtp=-1.0,
        silences=(),
        speech=(Span(start_seconds=0.0, end_seconds=speech),) if speech else (),
        speech_share=min(1.0, speech / at),
    )
    return Measurement(
        container="mp4",
        video_codec="h264",
        width=1080,
        height=1920,
        rotation=0,
        frames_per_second=30.0,
        variable_frame_rate=False,
        duration_seconds=round(at, 3),
        bytes=1000,
        shots=tuple(shots),
        pacing=pacing([shot.start_seconds for shot in shots], at),
        sound=heard if sound else None,
        speech_file=None,
    )


def planned(brief: Brief, sample: Measurement | None, offered: Offers, inputs: Inputs = NOTHING) -> Film:
    draft = (
        from_words(brief, offered, inputs)
        if sample is None
        else from_sample(brief, sample, rules.report(sample), offered, inputs)
    )
    return assemble(
        draft,
        ratio=brief.ratio,
        resolution=brief.resolution,
        preference=brief.preference,
        offers=offered,
        inputs=inputs,
    )


def is_sound(film: Film, offered: Offers, inputs: Inputs) -> None:
    """What every plan keeps."""
    assert problems(film, offered, inputs) == ()
    assert film.seconds <= LONGEST_FILM + 1e-6
    for one in film.segments:
        assert one.seconds <= LONGEST_SEGMENT
        assert one.clip_seconds in offered[one.model].model.durations
        assert one.clip_seconds >= one.seconds - 1e-6
        assert one.reason
    price = priced(film, offered)
    assert price.credits == sum(part.credits for part in price.parts)
    assert {part.label for part in price.parts} == {*(one.id for one in film.segments), "audio", "post"}


shots = st.lists(st.floats(0.04, 90).map(lambda value: round(value, 3)), min_size=1, max_size=80)


@settings(max_examples=500, deadline=None)
@given(
    lengths=shots,
    speech=st.sampled_from([0.0, 5.0, 30.0]),
    sound=st.booleans(),
    saturation=st.floats(0, 1),
    motion=st.floats(0, 0.5),
    text=st.text(max_size=400),
    seconds=st.none() | st.floats(1, 60),
    offered=st.sampled_from([EXACT, COARSE, MIXED]),
    preference=st.sampled_from(list(Preference)),
    inputs=st.builds(Inputs, character=st.booleans(), audio=st.booleans()),
)
def test_every_plan_from_a_sample_can_be_rendered(
    lengths: list[float],
    speech: float,
    sound: bool,
    saturation: float,
    motion: float,
    text: str,
    seconds: float | None,
    offered: Offers,
    preference: Preference,
    inputs: Inputs,
) -> None:
    sample = measured(lengths, speech=speech, sound=sound, saturation=saturation, motion=motion)
    brief = Brief(title="Film", text=text, seconds=seconds, preference=preference)
    is_sound(planned(brief, sample, offered, inputs), offered, inputs)


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(max_size=3000),
    seconds=st.none() | st.floats(1, 60),
    offered=st.sampled_from([EXACT, COARSE, MIXED]),
    inputs=st.builds(Inputs, character=st.booleans(), audio=st.booleans()),
)
def test_every_plan_from_words_can_be_rendered(
    text: str, seconds: float | None, offered: Offers, inputs: Inputs
) -> None:
    brief = Brief(title="Film", text=text, seconds=seconds)
    is_sound(planned(brief, None, offered, inputs), offered, inputs)


def test_lengths_fall_on_the_samples_cuts() -> None:
    film = planned(Brief(title="Film"), measured([3, 4, 5, 6]), EXACT)
    assert [one.seconds for one in film.segments] == [3, 4, 5, 6.5]
    assert film.seconds == 18
    assert film.segments[3].transition.kind == "fade"


def test_shots_are_joined_where_that_wastes_fewer_paid_seconds() -> None:
    assert grouped([2.5, 2.5, 5.0], (5, 10)) == [[0, 1], [2]]
    assert grouped([5.0, 5.0], (5, 10)) == [[0], [1]]


def test_a_long_shot_goes_on_where_it_was_left() -> None:
    film = planned(Brief(title="Film"), measured([30]), EXACT)
    assert [one.continuity for one in film.segments] == [
        Continuity.CUT,
        *[Continuity.PREVIOUS_FRAME] * (len(film.segments) - 1),
    ]


def test_of_a_long_sample_the_first_and_the_last_shot_are_kept() -> None:
    film = planned(Brief(title="Film"), measured([10, 11, 12, 13, 14, 9]), EXACT)
    assert film.seconds <= 60
    assert film.segments[0].seconds == 10
    assert film.segments[-1].seconds == 9


@pytest.mark.parametrize(
    ("wanted", "weights", "lengths", "paid"),
    [
        (20.0, [10, 10], (5, 10), 20),
        (13.0, [5], (5,), 15),
        (30.0, [3, 9, 3], range(2, 16), 30),
        (7.0, [1], (10,), 10),
    ],
)
def test_the_fewest_paid_seconds_are_wasted(
    wanted: float, weights: list[int], lengths: tuple[int, ...], paid: int
) -> None:
    seconds = shared_out(wanted, weights, tuple(lengths))
    assert sum(seconds) == pytest.approx(wanted)
    bought = [next(length for length in lengths if length >= one - 1e-6) for one in seconds]
    assert sum(bought) == paid


def test_words_say_how_long_the_film_is() -> None:
    assert planned(Brief(title="Film", text="A 12 second film. A boat. A bird."), None, EXACT).seconds == 12
    assert planned(Brief(title="Film", text="A one minute film about boats."), None, EXACT).seconds == 60
    assert planned(Brief(title="Film", text="Boats."), None, EXACT).seconds == 30


def test_a_longer_sentence_gets_more_time() -> None:
    text = "A boat. Gulls circle over the old harbour while the fishermen mend their nets and sing. Night."
    film = planned(Brief(title="Film", text=text, seconds=30), None, EXACT)
    assert max(film.segments, key=lambda one: one.seconds).id == "s2"


def test_a_model_that_is_ill_is_never_chosen() -> None:
    offered = offers(offer("ill", credits=1, healthy=False, durations=range(2, 16)), EXACT["vendor/exact"])
    film = planned(Brief(title="Film"), measured([4, 5, 6]), offered)
    assert {name for one in film.segments for name in (one.model, *one.alternatives)} == {"vendor/exact"}


def test_where_no_model_makes_the_ratio_that_is_said() -> None:
    with pytest.raises(ValueError, match="makes 21:9"):
        planned(Brief(title="Film", ratio="21:9"), None, EXACT)
