"""Where shots begin: of pictures given one by one, and of whole films."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from config.stack.sample import Style, make
from pipeline.media.measurement import measure
from pipeline.media.shots import Change, Picture, Shots
from tests.pipeline.media.films import RATE, landscape, still, window

SIZE = 96


def changes(pictures: list[Picture], *, rate: float = RATE) -> list[Change]:
    shots = Shots()
    for number, picture in enumerate(pictures):
        shots.add(number / rate, cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
    return shots.end()


def hard_cuts(pictures: list[Picture]) -> list[int]:
    return [round(change.seconds * RATE) for change in changes(pictures) if change.cut == "hard"]


def mixed(one: Picture, other: Picture, share: float) -> Picture:
    return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0))


def test_a_cut_is_found_at_its_first_picture() -> None:
    pictures = [*still(landscape(1), 40), *still(landscape(2), 33), *still(landscape(3), 50)]
    assert hard_cuts(pictures) == [40, 73]


def test_a_cut_between_pictures_of_the_same_colours_is_found() -> None:
    assert hard_cuts([*still(landscape(1, hue=20), 40), *still(landscape(2, hue=20), 40)]) == [40]


def test_a_cut_between_dark_pictures_is_found() -> None:
    one, two = (np.asarray(landscape(seed) // 6) for seed in (1, 2))
    assert hard_cuts([*still(one, 40), *still(two, 40)]) == [40]


@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_a_flash_is_not_a_cut(length: int) -> None:
    picture = landscape(1)
    white = mixed(picture, np.full_like(picture, 255), 0.8)
    assert hard_cuts([*still(picture, 40), *still(white, length), *still(picture, 40)]) == []


def test_a_flash_while_the_camera_moves_is_not_a_cut() -> None:
    pictures = window(landscape(1), 80, lambda seconds: (150 + 200 * seconds, 200, 200))
    for number in (40, 41, 42):
        pictures[number] = mixed(pictures[number], np.full_like(pictures[number], 255), 0.8)
    assert hard_cuts(pictures) == []


def test_a_cut_soon_after_a_flash_is_found() -> None:
    picture = landscape(1)
    white = np.full_like(picture, 250)
    pictures = [*still(picture, 30), *still(white, 2), *still(picture, 13), *still(landscape(2), 40)]
    assert hard_cuts(pictures) == [45]


def test_fast_motion_is_not_a_cut() -> None:
    # More than a picture's width in a third of a second, and back.
    pictures = window(landscape(1), 120, lambda seconds: (240 + 200 * np.sin(6 * seconds), 240, 160))
    assert hard_cuts(pictures) == []


def test_a_cut_out_of_fast_motion_is_found() -> None:
    pictures = window(landscape(1), 60, lambda seconds: (100 + 500 * seconds, 240, 160))
    pictures += window(landscape(2), 60, lambda seconds: (100 + 500 * seconds, 240, 160))
    assert hard_cuts(pictures) == [60]


def test_a_cut_in_a_film_with_two_pictures_a_second_is_found() -> None:
    pictures = [*still(landscape(1), 6), *still(landscape(2), 5), *still(landscape(3), 7)]
    assert [change.seconds for change in changes(pictures, rate=2)] == [3, 5.5]


def test_noise_is_not_a_cut() -> None:
    chance = np.random.default_rng(1)
    noise = [chance.integers(0, 255, (SIZE, SIZE, 3), np.uint8) for _ in range(90)]
    assert changes(noise) == []


def test_a_fade_is_no_hard_cut() -> None:
    one, two = landscape(1), landscape(2)
    fade = [mixed(one, two, share) for share in np.linspace(0, 1, 20)]
    assert hard_cuts([*still(one, 40), *fade, *still(two, 40)]) == []


def test_a_cross_fade_begins_a_shot_in_its_middle() -> None:
    one, two = landscape(1), landscape(2)
    fade = [mixed(one, two, share) for share in np.linspace(0, 1, 20)]
    (found,) = changes([*still(one, 40), *fade, *still(two, 40)])
    assert found.cut == "fade"
    assert found.seconds == pytest.approx(50 / RATE, abs=0.15)


def test_a_fade_through_black_begins_a_shot_after_it() -> None:
    one, two = landscape(1), landscape(2)
    black = np.zeros_like(one)
    out = [mixed(one, black, share) for share in np.linspace(0, 1, 12)]
    back = [mixed(black, two, share) for share in np.linspace(0, 1, 12)]
    (found,) = changes([*still(one, 40), *out, *still(black, 4), *back, *still(two, 40)])
    assert found.cut == "fade"
    assert 52 / RATE <= found.seconds <= 68 / RATE


def test_a_film_that_grows_lighter_is_one_shot() -> None:
    picture = landscape(1)
    grows = [np.asarray(picture * share, np.uint8) for share in np.linspace(0.3, 1, 25)]
    assert changes([*still(grows[0], 30), *grows, *still(picture, 30)]) == []


def test_a_pan_into_another_place_is_one_shot() -> None:
    wide = np.hstack([landscape(1), landscape(2)])
    assert changes(window(wide, 120, lambda seconds: (120 + 170 * seconds, 240, 160))) == []


def test_memory_is_that_of_a_window() -> None:
    shots, picture = Shots(), landscape(1, width=SIZE, height=SIZE)
    for number in range(2000):
        shots.add(number / RATE, picture)
    assert len(shots._window) < RATE


@pytest.mark.parametrize("style", ["hard", "flashes", "fast", "mixed"])
def test_the_cuts_of_a_film_are_its_shots(tmp_path: Path, style: Style) -> None:
    film = make(tmp_path / "film.mp4", seed=4, style=style, size=(180, 320), scenes=5, seconds=10)
    shots = measure(film.path, tmp_path).shots
    for cut in film.hard_cuts:
        assert min(abs(shot.start_seconds - cut) for shot in shots) < 1.5 / RATE
    fades = [shot for shot in shots[1:] if min(abs(shot.start_seconds - cut) for cut in film.hard_cuts) > 0.1]
    for shot in fades:
        assert any(one.start_seconds - 0.1 < shot.start_seconds < one.end_seconds + 0.1 for one in film.fades)
    assert shots[0].cut == "start"
    assert all(one.end_seconds == other.start_seconds for one, other in pairwise(shots))
    assert shots[-1].end_seconds == pytest.approx(film.seconds, abs=0.05)
