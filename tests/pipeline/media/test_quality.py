"""The gate: each fault made on purpose and found, and each innocent look let through."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from pipeline.media.judgement import problems
from pipeline.media.quality import Cancelled, Expected, Problem, Verdict, examine, from_json, to_json
from tests.pipeline.media.films import (
    RATE,
    Picture,
    Samples,
    ffmpeg,
    landscape,
    noise,
    silence,
    still,
    tone,
    voice,
    window,
    write,
)

SIZE = (320, 180)
SECONDS = 3
# A tone of this peak on both channels has -14 LUFS.
FILM_PEAK = 0.2
CLIP = Expected(kind="clip", seconds=SECONDS, width=SIZE[0], height=SIZE[1])
FILM = Expected(
    kind="film",
    seconds=SECONDS,
    frames=SECONDS * RATE,
    width=SIZE[0],
    height=SIZE[1],
    frames_per_second=RATE,
    audio="required",
)
HEARD = replace(CLIP, audio="required")

LAND = landscape(1, width=960, height=640)


def moving(frames: int = SECONDS * RATE) -> list[Picture]:
    """A camera that goes over a landscape."""
    return window(LAND, frames, lambda now: (300 + 60 * now, 300, 320), size=SIZE)


def plain(level: int, frames: int) -> list[Picture]:
    return still(np.full((SIZE[1], SIZE[0], 3), level, np.uint8), frames)


def grainy(picture: Picture, frames: int, deviation: float) -> list[Picture]:
    chance = np.random.default_rng(1)
    return [
        np.clip(picture + chance.normal(0, deviation, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(frames)
    ]


def faded(pictures: Sequence[Picture], frames: int) -> list[Picture]:
    """The first of them come out of the black."""
    return [
        np.asarray(picture * min(1.0, number / frames), np.uint8) for number, picture in enumerate(pictures)
    ]


def verdict(
    folder: Path,
    pictures: Sequence[Picture],
    expected: Expected = CLIP,
    *,
    sound: Samples | None = None,
    times: Sequence[float] = (),
) -> Verdict:
    path = write(folder / "clip.mp4", pictures, sound=sound, times=times)
    return examine(path, expected, folder)


def codes(found: Verdict) -> list[str]:
    return [problem.code for problem in found.problems]


def only(found: Verdict) -> Problem:
    """The one thing that is wrong."""
    assert len(found.problems) == 1, found.problems
    assert found.problems[0].reason.endswith(".")
    return found.problems[0]


def shown(found: Verdict) -> Picture:
    assert found.picture is not None
    picture = cv2.imread(str(found.picture))
    assert picture is not None
    return picture


def judged(found: Verdict, expected: Expected) -> list[str]:
    """What would be wrong if something else had been ordered."""
    assert found.figures is not None
    return [problem.code for problem in problems(found.figures, expected)]


def test_a_good_clip_passes_with_its_figures(tmp_path: Path) -> None:
    told: list[float] = []
    path = write(tmp_path / "clip.mp4", moving(), sound=tone(SECONDS, peak=0.1))
    found = examine(path, HEARD, tmp_path, progress=told.append)
    assert found.problems == ()
    assert found.ok
    figures = found.figures
    assert figures is not None
    assert figures.sound is not None
    assert (figures.width, figures.height, figures.frames) == (*SIZE, SECONDS * RATE)
    assert figures.frames_per_second == RATE
    assert figures.constant_rate
    assert figures.seconds == pytest.approx(SECONDS, abs=0.01)
    assert figures.declared_seconds == pytest.approx(SECONDS, abs=0.03)
    assert figures.sound.seconds == pytest.approx(SECONDS, abs=0.05)
    assert figures.sound.loudness_lufs == pytest.approx(-20, abs=0.3)
    assert figures.sound.true_peak_dbtp == pytest.approx(-20, abs=0.5)
    assert (figures.black, figures.frozen, figures.corrupt_frames) == ((), (), 0)
    assert from_json(to_json(figures)) == figures
    assert told == sorted(told)
    assert told[-1] == 1.0


def looks() -> dict[str, list[Picture]]:
    count = SECONDS * RATE
    land = moving(1)[0]
    dark = (LAND * 0.12).astype(np.uint8)
    lights = np.full((SIZE[1], SIZE[0], 3), 3, np.uint8)
    for x in range(20, 300, 40):
        cv2.circle(lights, (x, 90 + x % 7), 2, (180, 220, 255), -1)
    talking = still(land, count)
    for number in range(0, count, 5):
        talking[number] = land.copy()
        cv2.ellipse(talking[number], (160, 110), (8, 4), 0, 0, 360, (30, 30, 90), -1)
    title = plain(0, count)
    for number, picture in enumerate(title := [one.copy() for one in title]):
        cv2.putText(picture, "THE END", (60 + number, 100), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    return {
        "it comes out of the black within 0.4 s": faded(moving(), 12),
        "its first 0.4 s are black": [*plain(0, 12), *moving(count - 12)],
        "it goes into the black within 0.4 s": faded(moving(), 12)[::-1],
        "it goes through the black in its middle": [*moving(42), *plain(0, 12), *moving(36)],
        "nothing moves but grain": grainy(land, count, 8),
        "a night": window(dark, count, lambda now: (160 + 5 * now, 90, 160), size=SIZE),
        "a black night with lights that flicker": [
            (lights * (0.7 + 0.3 * (number % 3 == 0))).astype(np.uint8) for number in range(count)
        ],
        "a camera that hardly moves": window(LAND, count, lambda now: (300 + 3 * now, 300, 320), size=SIZE),
        "nothing moves but lips": talking,
        "white words that go over black": title,
        "each picture is shown three times": [one for one in moving(count // 3) for _ in range(3)],
        "it stands still for a second": [*moving(60), *still(moving(60)[-1], 30)],
    }


LOOKS = looks()


@pytest.mark.parametrize("look", LOOKS)
def test_an_innocent_look_passes(tmp_path: Path, look: str) -> None:
    found = verdict(tmp_path, LOOKS[look])
    assert found.problems == ()


@pytest.mark.parametrize(
    ("pictures", "reason", "at"),
    [
        (lambda: [*plain(0, 30), *moving(60)], r"first 1\.0 s are black", 0.5),
        (lambda: [*moving(60), *plain(4, 30)], r"last 1\.0 s are black", 2.5),
        (lambda: plain(0, 90), "from beginning to end", 1.5),
        (lambda: grainy(plain(2, 1)[0], 90, 2), "from beginning to end", 1.5),
        (lambda: [*moving(30), *plain(0, 30), *moving(30)], r"black for 1\.0 of its 3\.0 s", 1.5),
    ],
)
def test_what_is_black_is_found_where_it_is(
    tmp_path: Path, pictures: Callable[[], list[Picture]], reason: str, at: float
) -> None:
    found = verdict(tmp_path, pictures())
    # The beginning, or the end, may be a large part of it, too.
    assert set(codes(found)) == {"black"}
    problem = found.problems[0]
    assert problem.at_seconds == pytest.approx(at, abs=0.1)
    assert re.search(reason, problem.reason), problem.reason
    assert shown(found).max() < 30


def test_a_clip_that_stands_still_for_more_than_half_is_found_and_shown(tmp_path: Path) -> None:
    pictures = moving(30)
    found = verdict(tmp_path, [*pictures, *still(pictures[-1], 60)])
    problem = only(found)
    assert problem.code == "frozen"
    assert problem.at_seconds == pytest.approx(2, abs=0.2)
    assert found.picture == tmp_path / "frozen.jpg"
    # As it is in the clip, but for what encoding does.
    assert cv2.absdiff(shown(found), pictures[-1]).mean() < 6
    assert [path.name for path in tmp_path.glob("*.jpg")] == ["frozen.jpg"]


def test_what_may_stand_still_is_let_through(tmp_path: Path) -> None:
    assert verdict(tmp_path, still(moving(1)[0], 90), replace(CLIP, moves=False)).ok


def test_a_clip_that_is_shorter_than_was_paid_for_is_found(tmp_path: Path) -> None:
    found = verdict(tmp_path, moving(), replace(CLIP, seconds=3.4))
    assert only(found).code == "too_short"
    assert judged(found, replace(CLIP, seconds=3.2)) == []
    assert judged(found, replace(CLIP, seconds=1.9)) == ["too_long"]


def test_sizes_near_to_the_ordered_one_pass_and_others_do_not(tmp_path: Path) -> None:
    by_ratio = replace(CLIP, width=None, height=None, ratio="9:16")
    found = verdict(tmp_path, moving(), by_ratio)
    assert only(found).reason == "It has 320 x 180 pixels, which is not 9:16."
    assert judged(found, replace(by_ratio, ratio="16:9")) == []
    assert judged(found, replace(CLIP, width=330, height=184)) == []
    assert judged(found, replace(CLIP, width=1280, height=720)) == ["size"]
    assert judged(found, replace(CLIP, width=180, height=200)) == ["ratio"]


def test_a_slide_show_is_no_clip(tmp_path: Path) -> None:
    times = [number / 5 for number in range(15)]
    assert only(verdict(tmp_path, moving(90)[::6], times=times)).code == "rate"


@pytest.mark.parametrize(
    ("sound", "code"),
    [
        (None, "no_sound"),
        (silence(SECONDS), "silent"),
        (np.clip(tone(SECONDS, peak=3), -1, 1), "clipping"),
        (tone(2), "apart"),
    ],
    ids=["none", "silence", "overdriven", "too short"],
)
def test_sound_that_is_wrong_is_found_where_sound_was_ordered(
    tmp_path: Path, sound: Samples | None, code: str
) -> None:
    found = verdict(tmp_path, moving(), HEARD, sound=sound)
    assert only(found).code == code
    assert judged(found, replace(CLIP, audio="none")) == []


def test_loud_sound_that_is_not_cut_off_passes(tmp_path: Path) -> None:
    sound = np.concatenate([voice(1.5) * 1.9, silence(0.7), tone(0.8, peak=0.3)])
    assert verdict(tmp_path, moving(), HEARD, sound=sound).ok


@pytest.mark.parametrize("flips", [1, 40])
def test_bits_that_were_flipped_on_the_way_are_found_though_players_hide_them(
    tmp_path: Path, flips: int
) -> None:
    path = write(tmp_path / "clip.mp4", moving())
    contents = bytearray(path.read_bytes())
    begin = contents.index(b"mdat") + 2000
    end = contents.rindex(b"moov") - 100
    chance = random.Random(4)
    for _ in range(flips):
        contents[chance.randrange(begin, end)] ^= 1 << chance.randrange(8)
    path.write_bytes(contents)
    found = examine(path, CLIP, tmp_path)
    problem = only(found)
    assert problem.code == "damaged"
    assert problem.at_seconds is not None
    assert found.picture == tmp_path / "damaged.jpg"
    assert found.figures is not None
    # The decoder shows nearly all of them.
    assert SECONDS * RATE - found.figures.frames <= flips / 8


def test_sound_that_was_damaged_on_the_way_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", moving(2), sound=noise(4))
    contents = bytearray(path.read_bytes())
    middle = (contents.index(b"mdat") + contents.rindex(b"moov")) // 2
    contents[middle : middle + 3000] = random.Random(1).randbytes(3000)
    path.write_bytes(contents)
    assert "damaged_sound" in codes(examine(path, HEARD, tmp_path))


def test_a_file_that_was_cut_off_on_its_way_is_found_by_its_own_word(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    ffmpeg("-i", write(tmp_path / "whole.mp4", moving()), "-c", "copy", "-movflags", "faststart", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    found = examine(path, replace(CLIP, seconds=1.8), tmp_path)
    assert "cut_off" in codes(found)
    assert found.figures is not None
    assert found.figures.declared_seconds == pytest.approx(SECONDS, abs=0.05)


def film(folder: Path, pictures: Sequence[Picture] | None = None, sound: Samples | None = None) -> Path:
    heard = tone(SECONDS, peak=FILM_PEAK) if sound is None else sound
    return write(folder / "film.mp4", moving() if pictures is None else pictures, sound=heard)


def test_a_film_is_exact(tmp_path: Path) -> None:
    found = examine(film(tmp_path), FILM, tmp_path)
    assert found.problems == ()
    assert judged(found, replace(FILM, frames=SECONDS * RATE - 1)) == ["frames"]
    assert judged(found, replace(FILM, width=322)) == ["size"]
    assert judged(found, replace(FILM, frames_per_second=29.97)) == ["rate"]
    assert judged(found, replace(FILM, silent=True)) == ["unwanted_sound"]
    assert judged(found, replace(FILM, audio="none")) == ["unwanted_sound"]


def test_a_film_that_lacks_a_picture_is_found(tmp_path: Path) -> None:
    assert only(examine(film(tmp_path, moving()[:-1]), FILM, tmp_path)).code == "frames"


@pytest.mark.parametrize("peak", [0.1, 0.4])
def test_a_film_of_another_loudness_is_found(tmp_path: Path, peak: float) -> None:
    path = film(tmp_path, sound=tone(SECONDS, peak=peak))
    assert only(examine(path, FILM, tmp_path)).code == "loudness"


def test_a_film_whose_peaks_are_too_high_is_found(tmp_path: Path) -> None:
    sound = tone(SECONDS, peak=FILM_PEAK * 0.95)
    # A knock, which says nothing of its loudness.
    sound[48_000:48_064] = 0.99 * np.hanning(64)[:, None]
    assert only(examine(film(tmp_path, sound=sound), FILM, tmp_path)).code == "peak"


def test_a_film_that_is_to_be_silent_has_a_silent_track(tmp_path: Path) -> None:
    found = examine(film(tmp_path, sound=silence(SECONDS)), FILM, tmp_path)
    assert only(found).code == "silent"
    assert judged(found, replace(FILM, silent=True)) == []


def test_a_picture_that_is_turned_is_judged_as_it_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", write(tmp_path / "clip.mp4", moving()), "-c", "copy", path)
    found = examine(path, replace(CLIP, width=SIZE[1], height=SIZE[0]), tmp_path)
    assert found.problems == ()
    assert shown(found).shape[:2] == SIZE


def test_black_is_black_in_every_range(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", [*plain(0, 60), *moving(30)])
    for pixels, scale in (("yuvj420p", "out_range=full"), ("yuv420p10le", "out_range=limited")):
        path = tmp_path / f"{pixels}.mp4"
        ffmpeg("-i", source, "-vf", f"scale={scale}", "-pix_fmt", pixels, "-c:v", "libx264", path)
        found = examine(path, CLIP, tmp_path)
        assert set(codes(found)) == {"black"}, pixels
        assert found.figures is not None
        assert found.figures.black[0].end_seconds == pytest.approx(2, abs=0.05)


def test_what_is_nearly_black_in_the_full_range_is_not_black(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", grainy(plain(22, 1)[0], 90, 3))
    path = tmp_path / "full.mp4"
    ffmpeg("-i", source, "-vf", "scale=out_range=full", "-pix_fmt", "yuvj420p", "-c:v", "libx264", path)
    assert examine(path, replace(CLIP, moves=False), tmp_path).problems == ()


def test_a_cancel_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", moving())
    with pytest.raises(Cancelled):
        examine(path, CLIP, tmp_path, cancelled=lambda: True)
    assert psutil.Process().children(recursive=True) == []
    assert list(tmp_path.glob("*.jpg")) == []


def test_a_file_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        examine(tmp_path / "nothing.mp4", CLIP, tmp_path)
