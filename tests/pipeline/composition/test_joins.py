"""Every frame in its place: where clips are cut together, and where one takes over from another."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media.composition.looks import TRANSITIONS
from pipeline.media.composition.parts import parts_of
from pipeline.media.composition.timeline import Clip, Format
from pipeline.media.composition.vocabulary import TransitionKind

from .films import SIZE, Pictures, Workshop, lights, luma, numbers, source, timeline_of

OVERLAP = 10
NEAR = 2.5
KINDS = list(TRANSITIONS)


def test_frames_at_a_cut_follow_one_another_and_none_is_black_or_twice(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    timeline = timeline_of(
        Clip(id="one", digest="dark", frames=30),
        Clip(id="two", digest="light", frames=17),
        Clip(id="three", digest="dark", frames=1),
        Clip(id="four", digest="light", frames=12),
    )
    film = workshop.film(timeline, sources)
    wanted = numbers(20, 30) + numbers(120, 17) + numbers(20, 1) + numbers(120, 12)
    assert film.frames == len(wanted)
    assert lights(luma(film.film)) == pytest.approx(wanted, abs=1)


def test_a_transition_shares_frames_of_both_and_loses_none(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    timeline = timeline_of(
        Clip(id="one", digest="dark", frames=30),
        Clip(id="two", digest="light", frames=30, transition=TransitionKind.FADE, overlap=OVERLAP),
    )
    film = workshop.film(timeline, sources)
    dark, light = numbers(20, 30), numbers(120, 30)
    crossed: list[float] = [
        dark[20 + number] * (1 - number / OVERLAP) + light[number] * number / OVERLAP
        for number in range(OVERLAP)
    ]
    assert film.frames == timeline.frames == 50
    assert lights(luma(film.film)) == pytest.approx([*dark[:20], *crossed, *light[10:]], abs=NEAR)


def test_clips_that_are_nothing_but_joins_need_no_body(workshop: Workshop, sources: dict[str, Path]) -> None:
    timeline = timeline_of(
        Clip(id="one", digest="dark", frames=20),
        Clip(id="two", digest="light", frames=20, transition=TransitionKind.FADE, overlap=10),
        Clip(id="three", digest="dark", frames=10, transition=TransitionKind.FADE, overlap=10),
    )
    film = workshop.film(timeline, sources)
    shown = lights(luma(film.film))
    assert len(shown) == timeline.frames == 30
    assert shown[10] == pytest.approx(50, abs=NEAR)
    assert shown[20] == pytest.approx(150, abs=NEAR)


@pytest.fixture(scope="module")
def gallery(shared_workshop: Callable[[str], Workshop], sources: dict[str, Path]) -> Pictures:
    """A film with every kind of transition, from dark to light and from light to dark in turn."""
    clips = [Clip(id="first", digest="dark", frames=30)]
    for number, kind in enumerate(KINDS):
        digest = "dark" if number % 2 else "light"
        clips.append(Clip(id=kind, digest=digest, frames=30, transition=kind, overlap=OVERLAP))
    workshop = shared_workshop("gallery")
    timeline = timeline_of(*clips, fmt=Format(width=SIZE[0], height=SIZE[1], preset="ultrafast", crf=4))
    film = workshop.film(timeline, sources)
    pictures = luma(film.film)
    assert len(pictures) == timeline.frames
    return pictures


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_begins_with_the_clip_before_and_gives_way_to_the_next(
    gallery: Pictures, kind: TransitionKind
) -> None:
    number = KINDS.index(kind)
    before, after = (numbers(120, 30), numbers(20, 30)) if number % 2 else (numbers(20, 30), numbers(120, 30))
    begin = 20 * (number + 1)
    join = gallery[begin : begin + OVERLAP]
    assert np.abs(gallery[begin - 1].astype(int) - before[19]).max() <= 6
    assert lights(join[:1]) == pytest.approx([before[20]], abs=NEAR)
    assert np.abs(gallery[begin + OVERLAP].astype(int) - after[10]).max() <= 6
    # Past its middle, when a zoom that comes before the change is over, it is neither of them alone.
    middle = join[7].astype(int)
    is_before, is_after = np.abs(middle - before[27]) <= 4, np.abs(middle - after[7]) <= 4
    assert not is_before.all()
    assert not is_after.all()


@pytest.mark.parametrize(
    ("kind", "early", "late"),
    [
        # x and y in shares of the picture: where the next clip is seen at 30 %, and where not at 70 %.
        (TransitionKind.WIPE, (0.95, 0.5), (0.05, 0.5)),
        (TransitionKind.WIPE_RIGHT, (0.05, 0.5), (0.95, 0.5)),
        (TransitionKind.WIPE_UP, (0.5, 0.95), (0.5, 0.05)),
        (TransitionKind.WIPE_DOWN, (0.5, 0.05), (0.5, 0.95)),
        (TransitionKind.SLIDE, (0.95, 0.5), (0.05, 0.5)),
        (TransitionKind.SLIDE_RIGHT, (0.05, 0.5), (0.95, 0.5)),
        (TransitionKind.SLIDE_UP, (0.5, 0.95), (0.5, 0.05)),
        (TransitionKind.SLIDE_DOWN, (0.5, 0.05), (0.5, 0.95)),
    ],
)
def test_a_transition_with_a_direction_goes_that_way(
    gallery: Pictures, kind: TransitionKind, early: tuple[float, float], late: tuple[float, float]
) -> None:
    number = KINDS.index(kind)
    before, after = (numbers(120, 30), numbers(20, 30)) if number % 2 else (numbers(20, 30), numbers(120, 30))
    begin = 20 * (number + 1)

    def seen(frame: int, place: tuple[float, float]) -> int:
        return int(gallery[begin + frame][int(place[1] * SIZE[1]), int(place[0] * SIZE[0])])

    assert seen(3, early) == pytest.approx(after[3], abs=4)
    assert seen(3, late) == pytest.approx(before[23], abs=4)
    assert seen(7, late) == pytest.approx(before[27], abs=4)


def test_a_circle_opens_from_the_middle(gallery: Pictures) -> None:
    number = KINDS.index(TransitionKind.CIRCLE)
    assert number % 2 == 0
    join = gallery[20 * (number + 1) :].astype(int)
    assert join[7][SIZE[1] // 2, SIZE[0] // 2] == pytest.approx(numbers(120, 30)[7], abs=4)
    assert join[4][2, 2] == pytest.approx(numbers(20, 30)[24], abs=4)


@pytest.mark.parametrize(
    ("kind", "light"), [(TransitionKind.FADE_BLACK, 16), (TransitionKind.FADE_WHITE, 235)]
)
def test_a_fade_through_black_or_white_is_there_in_its_middle(
    gallery: Pictures, kind: TransitionKind, light: int
) -> None:
    begin = 20 * (KINDS.index(kind) + 1)
    assert min(abs(value - light) for value in lights(gallery[begin : begin + OVERLAP])) < 25


def test_sources_that_differ_become_one_stream_that_any_decoder_takes(
    workshop: Workshop, tmp_path: Path
) -> None:
    """What an encoder writes into its header comes from the format alone, whatever a source says of its colours."""
    plain = source(tmp_path / "plain.mp4", [60] * 20)
    other = source(
        tmp_path / "other.mp4",
        [180] * 20,
        size=(200, 120),
        options={"colorspace": 5, "color_primaries": 5, "color_trc": 6, "color_range": 2},
    )
    timeline = timeline_of(
        Clip(id="one", digest="plain", frames=20),
        Clip(id="two", digest="other", frames=20, transition=TransitionKind.FADE, overlap=5),
        fmt=Format(width=SIZE[0], height=SIZE[1], preset="medium"),
    )
    film = workshop.film(timeline, {"plain": plain, "other": other})
    headers = set()
    for name, _ in parts_of(timeline).sequence:
        with av.open(workshop.parts / name) as container:
            headers.add(container.streams.video[0].codec_context.extradata)
    assert len(headers) == 1
    with av.open(film.film) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        facts = (
            context.profile,
            context.pix_fmt,
            context.color_primaries,
            context.color_trc,
            context.colorspace,
        )
        assert facts == ("High", "yuv420p", 1, 1, 1)
        times = [round(frame.time * 30, 6) for frame in container.decode(stream)]
    assert times == list(range(timeline.frames))
    # Full range 180 is 171 in a film's range; its grey stays grey.
    assert lights(luma(film.film))[-1] == pytest.approx(16 + 180 * 219 / 255, abs=NEAR)
