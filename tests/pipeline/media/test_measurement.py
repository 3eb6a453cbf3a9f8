"""What `measure` says of films of which everything is known."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.media.measurement import Cancelled, from_json, measure, pacing, to_json
from tests.pipeline.media.films import Picture, ffmpeg, landscape, still, tone, window, write


def plain(blue: int, green: int, red: int, *, width: int = 160, height: int = 160) -> Picture:
    return np.full((height, width, 3), (blue, green, red), np.uint8)


def three_scenes(path: Path, **options: Any) -> Path:
    scenes = [*still(landscape(1), 40), *still(landscape(2), 33), *still(landscape(3), 50)]
    return write(path, scenes, **options)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_scenes(tmp_path_factory.mktemp("film") / "film.mp4", sound=tone(4.1))


def test_a_film_is_measured_whole(tmp_path: Path, film: Path) -> None:
    found = measure(film, tmp_path)
    assert (found.container, found.video_codec, found.width, found.height) == ("mp4", "h264", 480, 480)
    assert (found.rotation, found.frames_per_second, found.variable_frame_rate) == (0, 30, False)
    assert found.duration_seconds == pytest.approx(4.1, abs=0.01)
    assert found.bytes == film.stat().st_size
    assert [shot.start_seconds for shot in found.shots] == pytest.approx([0, 40 / 30, 73 / 30], abs=0.002)
    assert [shot.cut for shot in found.shots] == ["start", "hard", "hard"]
    assert {shot.camera for shot in found.shots} == {"static"}
    assert max(shot.motion for shot in found.shots) < 0.05
    assert found.pacing.cuts_per_minute == pytest.approx(2 * 60 / 4.1, abs=0.01)
    assert found.sound is not None
    assert (found.sound.codec, found.sound.channels, found.sound.sample_rate) == ("aac", 2, 48_000)


def test_key_frames_are_of_their_own_shots_and_nothing_else_is_left(tmp_path: Path, film: Path) -> None:
    shots = measure(film, tmp_path).shots
    assert sorted(one.name for one in tmp_path.iterdir()) == [shot.key_frame for shot in shots]
    for number, shot in enumerate(shots, 1):
        assert shot.start_seconds <= shot.key_frame_seconds < shot.end_seconds
        with Image.open(tmp_path / shot.key_frame) as image:
            assert image.format == "JPEG"
            seen = np.asarray(image.convert("RGB"))[..., ::-1].astype(int)
        assert np.abs(seen - landscape(number)).mean() < 8


def test_key_frames_have_768_pixels_at_most(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=540, height=960), 10))
    with Image.open(tmp_path / measure(path, tmp_path).shots[0].key_frame) as image:
        assert image.size == (432, 768)


def test_a_key_frame_is_not_black_where_the_shot_begins_black(tmp_path: Path) -> None:
    picture = landscape(1, width=160, height=160)
    fade = [np.asarray(picture * share, np.uint8) for share in np.linspace(0, 1, 30)]
    path = write(tmp_path / "film.mp4", [*still(plain(0, 0, 0), 40), *fade, *still(picture, 30)])
    for shot in measure(path, tmp_path).shots[-1:]:
        with Image.open(tmp_path / shot.key_frame) as image:
            assert np.asarray(image).mean() > 40


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_film_is_measured_as_it_is_seen(tmp_path: Path, turn: int) -> None:
    # Brighter below, in the file.
    pictures = still(np.vstack([plain(20, 20, 20, height=80), plain(220, 220, 220, height=40)]), 30)
    upright = write(tmp_path / "upright.mp4", pictures)
    path = tmp_path / "turned.mp4"
    # FFmpeg's angle is counterclockwise.
    ffmpeg("-display_rotation", str(360 - turn), "-i", upright, "-c", "copy", path)
    found = measure(path, tmp_path)
    assert found.rotation == turn
    assert (found.width, found.height) == ((160, 120) if turn == 180 else (120, 160))
    with Image.open(tmp_path / found.shots[0].key_frame) as image:
        assert image.size == (found.width, found.height)
        seen = np.asarray(image.convert("L"))
    bright = {90: seen[:, :30], 180: seen[:30], 270: seen[:, -30:]}[turn]
    assert bright.mean() > 200


def test_the_camera_is_seen_after_the_turn(tmp_path: Path) -> None:
    # In the file it pans right; turned clockwise by 90 degrees, new things come from below.
    pan = window(landscape(1), 60, lambda seconds: (100 + 60 * seconds, 240, 160))
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "270", "-i", write(tmp_path / "pan.mp4", pan), "-c", "copy", path)
    assert measure(path, tmp_path).shots[0].camera == "tilt_down"
    assert measure(tmp_path / "pan.mp4", tmp_path).shots[0].camera == "pan_right"


def test_a_variable_rate_keeps_its_own_times(tmp_path: Path) -> None:
    # 30 a second until the cut at 1 second, 10 a second after it.
    times = [number / 30 for number in range(30)] + [1 + number / 10 for number in range(20)]
    pictures = [*still(landscape(1), 30), *still(landscape(2), 20)]
    found = measure(write(tmp_path / "film.mp4", pictures, times=times), tmp_path)
    assert found.variable_frame_rate
    assert [shot.start_seconds for shot in found.shots] == pytest.approx([0, 1], abs=0.002)
    assert found.frames_per_second == pytest.approx(49 / 2.9, abs=0.01)
    assert found.duration_seconds == pytest.approx(3, abs=0.08)


@pytest.mark.parametrize("rate", [24, 25, 60])
def test_a_constant_rate_is_constant_with_rounded_timestamps(tmp_path: Path, rate: int) -> None:
    times = [number / rate for number in range(rate * 2)]
    path = write(
        tmp_path / "film.webm",
        still(landscape(1, width=64, height=64), rate * 2),
        times=times,
        codec="libvpx-vp9",
    )
    found = measure(path, tmp_path)
    assert found.container == "matroska"
    assert not found.variable_frame_rate
    assert found.frames_per_second == pytest.approx(rate, abs=0.05)


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    found = measure(write(tmp_path / "film.mp4", still(landscape(1), 15)), tmp_path)
    assert found.sound is None
    assert found.speech_file is None


def test_one_picture_is_a_shot(tmp_path: Path) -> None:
    found = measure(write(tmp_path / "film.mp4", still(landscape(1), 1)), tmp_path)
    assert len(found.shots) == 1
    assert found.duration_seconds > 0


def test_a_picture_that_is_held_is_not_cut_off(tmp_path: Path) -> None:
    # The second of the two is there until the third, and last.
    path = write(tmp_path / "film.mp4", still(landscape(1), 3), times=[0, 0.1, 6])
    ffmpeg(
        "-i",
        path,
        "-c",
        "copy",
        "-bsf:v",
        "setts=duration=if(eq(N\\,2)\\,360000\\,DURATION)",
        tmp_path / "held.mp4",
    )
    assert measure(tmp_path / "held.mp4", tmp_path).duration_seconds == pytest.approx(10, abs=0.1)


def test_a_folder_that_is_not_there_is_not_the_film_s_fault(tmp_path: Path, film: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        measure(film, tmp_path / "nowhere")


def test_brightness_contrast_and_saturation_go_from_0_to_1(tmp_path: Path) -> None:
    half = np.hstack([plain(0, 0, 0, width=80), plain(255, 255, 255, width=80)])
    scenes = [plain(0, 0, 0), plain(255, 255, 255), half, plain(0, 0, 255)]
    path = write(tmp_path / "film.mp4", [picture for scene in scenes for picture in still(scene, 20)])
    black, white, both, red = measure(path, tmp_path).shots
    assert (black.brightness, black.contrast) == pytest.approx((0, 0), abs=0.02)
    assert (white.brightness, white.contrast, white.saturation) == pytest.approx((1, 0, 0), abs=0.02)
    assert (both.brightness, both.contrast) == pytest.approx((0.5, 1), abs=0.03)
    assert red.saturation == pytest.approx(1, abs=0.03)


def test_colours_have_their_shares(tmp_path: Path) -> None:
    picture = np.vstack([plain(200, 40, 30, height=120), plain(30, 200, 230, height=40)])
    blue, yellow = measure(write(tmp_path / "film.mp4", still(picture, 20)), tmp_path).shots[0].colours
    for colour, expected in ((blue, (30, 40, 200)), (yellow, (230, 200, 30))):
        channels = [int(colour.hex[place : place + 2], 16) for place in (1, 3, 5)]
        assert channels == pytest.approx(expected, abs=10)
    assert (blue.share, yellow.share) == pytest.approx((0.75, 0.25), abs=0.03)


def test_motion_grows_with_speed(tmp_path: Path) -> None:
    speeds = [0, 40, 400]
    motions = []
    for speed in speeds:
        pan = window(landscape(1), 30, lambda seconds, speed=speed: (100 + speed * seconds, 240, 160))  # type: ignore[misc]
        motions.append(measure(write(tmp_path / "film.mp4", pan), tmp_path).shots[0].motion)
    assert motions == sorted(motions)
    assert motions[0] < 0.02 < motions[1] < 0.5 < motions[2] <= 1


def test_pace_is_counted_in_quarters() -> None:
    # Of 40 seconds: no cut, one, two and four in its quarters.
    found = pacing([0, 15, 22, 28, 31, 33, 35, 38], 40)
    assert list(found.quarters) == [0, 6, 12, 24]
    assert found.median_shot_seconds == 3


@pytest.mark.parametrize(
    ("starts", "trend"),
    [
        ([0, 15, 22, 28, 31, 33, 35, 38], "faster"),
        ([0, 2, 4, 6, 25], "slower"),
        ([0, 10, 20, 30], "steady"),
        ([0], "steady"),
    ],
)
def test_the_pace_has_a_trend(starts: list[float], trend: str) -> None:
    assert pacing(starts, 40).trend == trend


def test_a_measurement_comes_back_from_json_as_it_was(tmp_path: Path, film: Path) -> None:
    found = measure(film, tmp_path)
    assert from_json(json.loads(json.dumps(to_json(found)))) == found
    silent = replace(found, sound=None)
    assert from_json(json.loads(json.dumps(to_json(silent)))) == silent


@pytest.mark.parametrize("document", [None, {}, {"shots": 1}, []])
def test_what_is_no_measurement_is_not_read(document: object) -> None:
    with pytest.raises(ValueError, match="Measurement"):
        from_json(document)


def test_the_same_file_is_measured_the_same(tmp_path: Path, film: Path) -> None:
    assert measure(film, tmp_path) == measure(film, tmp_path)


def test_progress_grows_to_1(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=720, height=720), 2_500), sound=tone(80))
    told: list[tuple[float, float]] = []
    began = time.monotonic()
    measure(path, tmp_path, progress=lambda share: told.append((time.monotonic(), share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(set(shares)) > 3
    when = [began, *(moment for moment, _ in told)]
    assert max(later - earlier for earlier, later in pairwise(when)) < 1


def test_cancelling_ends_it_within_a_second_and_leaves_no_child(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=720, height=720), 700), sound=tone(16))
    wanted = threading.Event()
    asked: list[float] = []
    at: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return wanted.is_set()

    def progress(share: float) -> None:
        if share > 0.02 and not at:
            wanted.set()
            at.append(time.monotonic())

    with pytest.raises(Cancelled):
        measure(path, tmp_path, progress=progress, cancelled=cancelled)
    assert time.monotonic() - at[0] < 1
    assert psutil.Process().children(recursive=True) == []
    assert max(later - earlier for earlier, later in pairwise(asked)) < 0.25


def test_a_caller_s_error_leaves_no_child(tmp_path: Path, film: Path) -> None:
    def progress(share: float) -> None:
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError):
        measure(film, tmp_path, progress=progress)
    assert psutil.Process().children(recursive=True) == []


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks = []
    short = write(
        tmp_path / "short.mp4",
        window(landscape(1), 90, lambda seconds: (100 + 40 * seconds, 240, 160), size=(640, 360)),
    )
    long = tmp_path / "long.mp4"
    ffmpeg("-stream_loop", "9", "-i", short, "-c", "copy", long)
    for path in (short, long):
        most = [0]

        def look(most: list[int] = most) -> bool:
            for child in psutil.Process().children():
                # VmHWM: the most that it had in memory so far, in kB.
                try:
                    status = (Path("/proc") / str(child.pid) / "status").read_text()
                except FileNotFoundError:
                    continue
                most[0] = max(
                    [most[0], *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)]
                )
            return False

        # It is asked more often than it is told.
        measure(path, tmp_path, cancelled=look)
        peaks.append(most[0])
    assert peaks[1] < 1.15 * peaks[0]
    assert peaks[1] < 300_000


def test_measurements_do_not_share_anything(tmp_path: Path, film: Path) -> None:
    """Two at once, in threads."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda folder: measure(film, folder), folders))
    assert found[0] == found[1]
