"""How large a result is, and how long, by its source and the wish; and the bodies that are shown to clients."""

import json
import re
from typing import Any

import pytest
from django.conf import settings

from pipeline.video_edits.timelines import format_for
from pipeline.video_edits.wishes import Source, Wish, check, frames_of, read


def source(width: int, height: int, seconds: float = 10) -> Source:
    return Source(digest="d", seconds=seconds, width=width, height=height, has_sound=True)


@pytest.mark.parametrize(
    ("size", "wish", "result"),
    [
        ((1920, 1080), {}, (1920, 1080)),
        ((3840, 2160), {}, (1920, 1080)),
        ((640, 360), {}, (640, 360)),
        # Models make 832 x 480 for 16:9: it is the nearest.
        ((832, 480), {}, (854, 480)),
        ((479, 853), {}, (480, 854)),
        ((640, 360), {"ratio": "9:16"}, (360, 640)),
        ((640, 360), {"ratio": "4:5"}, (360, 450)),
        ((3840, 2160), {"ratio": "1:1"}, (1080, 1080)),
        # A crop keeps its shape.
        ((640, 360), {"crop": {"x": 0, "y": 0, "width": 501, "height": 99}}, (500, 100)),
        ((3840, 2160), {"crop": {"x": 0, "y": 0, "width": 3240, "height": 2160}}, (1620, 1080)),
    ],
)
def test_a_result_is_never_larger_than_its_source_or_a_film(
    size: tuple[int, int], wish: dict[str, Any], result: tuple[int, int]
) -> None:
    made = format_for(read(Wish, wish), source(*size), short_side=1080, preset="medium")
    assert (made.width, made.height) == result


@pytest.mark.parametrize(
    ("wish", "frames"),
    [
        ({}, 300),
        ({"speed": 0.25}, 1200),
        ({"speed": 4}, 75),
        ({"trim": {"start_seconds": 1.01}}, 270),
        ({"trim": {"start_seconds": 2, "end_seconds": 5.5}, "speed": 2}, 52),
    ],
)
def test_a_result_is_as_long_as_its_piece_at_its_speed_to_the_frame(
    wish: dict[str, Any], frames: int
) -> None:
    assert frames_of(read(Wish, wish), source(64, 64)) == frames


def test_every_body_that_is_shown_to_clients_can_be_done() -> None:
    page = (settings.BASE_DIR / "docs" / "edits.md").read_text()
    bodies = [json.loads(body) for body in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    for body in bodies:
        check(read(Wish, body), source(640, 480))
    shown = {name for body in bodies for name in body}
    assert shown == set(Wish.model_fields)
