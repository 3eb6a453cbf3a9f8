"""What the camera does in a shot: of pictures cut out of a larger one, as a camera would see it."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from pipeline.media import camera
from tests.pipeline.media.films import RATE, Picture, landscape, window

MIDDLE = 240.0
STEP = 3


def kind(pictures: list[Picture]) -> str:
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures[::STEP]]
    steps = [
        camera.movement(np.asarray(one), np.asarray(other), STEP / RATE) for one, other in pairwise(grey)
    ]
    return camera.kind(steps, 0.1)


@pytest.mark.parametrize("speed", [16, 60, 150])
@pytest.mark.parametrize(
    ("name", "right", "down"),
    [("pan_right", 1, 0), ("pan_left", -1, 0), ("tilt_down", 0, 1), ("tilt_up", 0, -1)],
)
def test_the_camera_turns_to_where_new_things_come_from(
    name: str, right: int, down: int, speed: float
) -> None:
    seen = window(
        landscape(1),
        45,
        lambda seconds: (MIDDLE + right * speed * seconds, MIDDLE + down * speed * seconds, 160),
        size=(96, 96),
    )
    assert kind(seen) == name


@pytest.mark.parametrize(("name", "rate"), [("zoom_in", 0.85), ("zoom_out", 1.15), ("zoom_in", 0.6)])
def test_a_zoom_in_shows_less_of_the_scene(name: str, rate: float) -> None:
    seen = window(landscape(1), 45, lambda seconds: (MIDDLE, MIDDLE, 200 * rate**seconds), size=(96, 96))
    assert kind(seen) == name


def test_a_still_camera_is_static() -> None:
    assert kind(window(landscape(1), 45, lambda seconds: (MIDDLE, MIDDLE, 160), size=(96, 96))) == "static"


def test_a_camera_is_static_while_somebody_walks_by() -> None:
    seen = window(landscape(1), 45, lambda seconds: (MIDDLE, MIDDLE, 160), size=(96, 96))
    walker = landscape(2, width=24, height=60)
    moved = [picture.copy() for picture in seen]
    for number, picture in enumerate(moved):
        picture[30:90, number : number + 24] = walker
    assert kind(moved) == "static"


def test_hands_that_tremble_do_not_pan() -> None:
    at: Callable[[float], tuple[float, float, float]] = lambda seconds: (  # noqa: E731
        MIDDLE + 1.5 * np.sin(20 * seconds),
        MIDDLE + 1.5 * np.cos(17 * seconds),
        160,
    )
    assert kind(window(landscape(1), 60, at, size=(96, 96))) in {"static", "moving"}


def test_a_camera_that_goes_round_is_moving() -> None:
    seen = window(
        landscape(1),
        90,
        lambda seconds: (MIDDLE + 60 * np.sin(3 * seconds), MIDDLE + 60 * np.cos(3 * seconds), 160),
        size=(96, 96),
    )
    assert kind(seen) == "moving"


def test_nothing_to_see_is_static() -> None:
    assert kind([np.full((96, 96, 3), 90, np.uint8)] * 30) == "static"
