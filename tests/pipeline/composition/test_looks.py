"""Fits, grades and effects, by the values of pixels."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.media.composition.timeline import Clip, Timeline
from pipeline.media.composition.vocabulary import EffectKind, Fit, Grade

from .films import SIZE, Workshop, planes, source, timeline_of

Planes = NDArray[np.uint8]


def made(workshop: Workshop, timeline: Timeline, path: Path) -> tuple[Planes, Planes, Planes]:
    """Luma, blue and red of each frame of the film's only clip."""
    body, *_ = workshop.conform(timeline, timeline.clips[0].id, path)
    every, (width, height) = planes(workshop.parts / body), SIZE
    chroma = every[:, height:].reshape(len(every), 2, -1)
    shape = (len(every), height // 2, width // 2)
    return every[:, :height], chroma[:, 0].reshape(shape), chroma[:, 1].reshape(shape)


def clip_of(*effects: EffectKind, frames: int = 4) -> Clip:
    return Clip(id="one", digest="source", frames=frames, effects=effects)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Black, white, black from left to right, and as wide as a film is high."""
    picture = np.full((SIZE[0], SIZE[1]), 30, np.uint8)
    picture[:, 60:100] = 200
    return source(tmp_path / "wide.mp4", [picture] * 4, size=(SIZE[1], SIZE[0]))


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    """Light squares of 20 pixels in a dark picture."""
    picture = np.full((SIZE[1], SIZE[0]), 60, np.uint8)
    for top in range(0, SIZE[1], 40):
        for left in range(5, SIZE[0] - 20, 40):
            picture[top : top + 20, left : left + 20] = 180
    return source(tmp_path / "checks.mp4", [picture] * 30)


def test_a_picture_that_is_too_wide_is_cropped_at_its_sides(workshop: Workshop, wide: Path) -> None:
    luma, *_ = made(workshop, timeline_of(clip_of(), fit=Fit.CROP), wide)
    # What was 160 wide and 90 high is 284 wide and 160 high, and its middle 90 are seen: white from 10 to 80.
    assert luma[0, :, 20:70].min() >= 195
    assert luma[0, :, :6].max() <= 36
    assert luma[0, :, 84:].max() <= 36


def test_a_picture_that_is_too_wide_is_letterboxed_above_and_below(workshop: Workshop, wide: Path) -> None:
    luma, *_ = made(workshop, timeline_of(clip_of(), fit=Fit.LETTERBOX), wide)
    # It is 50 high, in the middle of 160.
    assert luma[0, :52].max() <= 18
    assert luma[0, 108:].max() <= 18
    assert luma[0, 60:100, 38:52].min() >= 195
    assert 25 <= luma[0, 60:100, 2:28].min() <= luma[0, 60:100, 2:28].max() <= 36


def test_pixels_that_are_not_square_are_seen_as_they_are_meant(workshop: Workshop, tmp_path: Path) -> None:
    """Half as many columns, each twice as wide, are a picture that fills the film."""
    picture = np.full((SIZE[1], 46), 150, np.uint8)
    path = tmp_path / "narrow.mp4"
    source(path, [picture] * 4, size=(46, SIZE[1]), options={"sample_aspect_ratio": 2})
    luma, *_ = made(workshop, timeline_of(clip_of(), fit=Fit.LETTERBOX), path)
    assert luma[0, 4:-4].min() >= 145


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        # Red by BT.601 is another triple by BT.709; without a tag nothing is known, and nothing changed.
        ({"colorspace": 6, "color_primaries": 6, "color_trc": 6}, (63, 102, 240)),
        ({"colorspace": 1, "color_primaries": 1, "color_trc": 1}, (81, 90, 240)),
        ({}, (81, 90, 240)),
    ],
    ids=["601", "709", "none"],
)
def test_colours_are_those_of_the_source_however_it_writes_them(
    workshop: Workshop, tmp_path: Path, tags: dict[str, int], expected: tuple[int, int, int]
) -> None:
    path = source(tmp_path / "red.mp4", [81] * 4, colour=(90, 240), options=tags)
    made_of = made(workshop, timeline_of(clip_of()), path)
    assert [float(plane[1].mean()) for plane in made_of] == pytest.approx(expected, abs=2)


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey from dark to light, from the left to the right."""
    picture = np.tile(np.linspace(20, 230, SIZE[0]).astype(np.uint8), (SIZE[1], 1))
    return source(tmp_path_factory.mktemp("ramp") / "ramp.mp4", [picture] * 4)


@pytest.mark.parametrize("grade", list(Grade))
def test_a_grade_turns_grey_into_the_colours_of_its_name(
    workshop: Workshop, ramp: Path, grade: Grade
) -> None:
    luma, blue, red = made(workshop, timeline_of(clip_of(), grade=grade), ramp)
    dark, light = slice(2, 10), slice(34, 43)

    def tint(plane: Planes, where: slice) -> float:
        return float(plane[1, :, where].mean()) - 128

    warmth = [tint(red, where) - tint(blue, where) for where in (dark, light)]
    contrast = float(luma[1, :, 80:].mean() - luma[1, :, :10].mean())
    plain = float(np.linspace(20, 230, SIZE[0])[80:].mean() - np.linspace(20, 230, SIZE[0])[:10].mean())
    if grade is Grade.WARM:
        assert warmth[1] > 8
    elif grade is Grade.COOL:
        assert warmth[1] < -8
    elif grade is Grade.CINEMATIC:
        # Teal in the shadows, orange in the lights, and more contrast.
        assert warmth[0] < -5 < 5 < warmth[1]
        assert contrast > 1.04 * plain
    else:
        assert warmth == pytest.approx([0, 0], abs=1.5)
        expected = {Grade.VIVID: 1.06, Grade.MUTED: 0.88, Grade.MONOCHROME: 1.03, Grade.NONE: 1.0}[grade]
        assert contrast == pytest.approx(expected * plain, rel=0.05)


@pytest.mark.parametrize(
    ("grade", "factor"), [(Grade.NONE, 1.0), (Grade.VIVID, 1.4), (Grade.MUTED, 0.55), (Grade.MONOCHROME, 0.0)]
)
def test_a_grade_changes_how_strong_colours_are(
    workshop: Workshop, tmp_path: Path, grade: Grade, factor: float
) -> None:
    path = source(tmp_path / "red.mp4", [100] * 4, colour=(110, 160))
    _, blue, red = made(workshop, timeline_of(clip_of(), grade=grade), path)
    assert float(red[1].mean()) - 128 == pytest.approx(32 * factor, abs=2)
    assert float(blue[1].mean()) - 128 == pytest.approx(-18 * factor, abs=2)
    if grade is Grade.MONOCHROME:
        # Not nearly grey: grey.
        assert {*np.unique(blue), *np.unique(red)} == {128}


@pytest.mark.parametrize(("effect", "wider_at"), [(EffectKind.ZOOM_IN, -1), (EffectKind.ZOOM_OUT, 0)])
def test_a_zoom_makes_things_wider_towards_the_end_or_the_beginning(
    workshop: Workshop, checks: Path, effect: EffectKind, wider_at: int
) -> None:
    luma, *_ = made(workshop, timeline_of(clip_of(effect, frames=30)), checks)

    def width(frame: int) -> float:
        # Of the light square below the middle: its light by that of a column of it.
        column = luma[frame, 65:115, 50].astype(float)
        return float(((column - 60) / 120).clip(0, 1).sum())

    widths = [width(0), width(-1)]
    assert widths[wider_at] == pytest.approx(20 * 1.18, abs=1)
    assert widths[-1 - wider_at] == pytest.approx(20, abs=1)
    # Steadily, with no jump from one frame to the next.
    every = [width(frame) for frame in range(30)]
    assert np.abs(np.diff(every)).max() < 0.6


def test_a_blur_takes_the_edges_away(workshop: Workshop, checks: Path) -> None:
    sharp, *_ = made(workshop, timeline_of(clip_of()), checks)
    soft, *_ = made(workshop, timeline_of(clip_of(EffectKind.BLUR)), checks)

    def steepest(picture: Planes) -> int:
        return int(np.abs(np.diff(picture.astype(int), axis=1)).max())

    assert steepest(soft[1]) < 0.7 * steepest(sharp[1])


def test_a_vignette_darkens_the_corners_alone(workshop: Workshop, sources: dict[str, Path]) -> None:
    luma, *_ = made(workshop, timeline_of(clip_of(EffectKind.VIGNETTE)), sources["even"])
    assert luma[1, 75:85, 40:50].mean() == pytest.approx(100, abs=4)
    assert luma[1, :6, :6].mean() < 75


def test_grain_is_another_in_each_frame_and_changes_no_light(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    luma, *_ = made(workshop, timeline_of(clip_of(EffectKind.GRAIN)), sources["even"])
    assert luma.mean() == pytest.approx(100, abs=1.5)
    assert luma[1].std() > 2
    assert np.abs(luma[1].astype(int) - luma[2]).mean() > 2
