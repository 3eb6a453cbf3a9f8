"""What a file is, by its content; and files that mean harm, which are refused and reach nothing."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from PIL import Image

from generations import inspection
from generations.inspection import Box, NotMedia
from tests.generations.storage.hostile import CORPUS, HARMLESS_WHEN_READ


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as opened:
        return opened.size


@pytest.mark.parametrize(
    ("name", "media_type", "size", "video", "audio"),
    [
        ("clip.mp4", "video/mp4", (320, 180), "h264", "aac"),
        ("clip.webm", "video/webm", (320, 180), "vp9", ""),
        ("turned.mov", "video/quicktime", (180, 320), "h264", "aac"),
    ],
)
def test_a_video_is_measured_as_it_is_seen(
    media: Path, tmp_path: Path, name: str, media_type: str, size: tuple[int, int], video: str, audio: str
) -> None:
    found = inspection.inspect(media / name, tmp_path)

    facts = found.facts
    assert (facts.kind, facts.media_type) == ("video", media_type)
    assert (facts.width, facts.height) == size
    assert (facts.video_codec, facts.audio_codec, facts.pixel_format) == (video, audio, "yuv420p")
    assert facts.duration_seconds == pytest.approx(Decimal(3), abs=Decimal("0.1"))
    assert facts.frames_per_second == 24
    assert facts.bytes == (media / name).stat().st_size
    assert found.poster is not None
    assert found.thumbnail is not None
    assert size_of(found.poster) == size
    assert max(size_of(found.thumbnail)) <= 480


def test_a_video_says_whether_it_plays_while_it_loads(media: Path, tmp_path: Path) -> None:
    assert inspection.inspect(media / "clip.mp4", tmp_path).facts.faststart is True
    assert inspection.inspect(media / "slow-start.mp4", tmp_path).facts.faststart is False
    assert inspection.inspect(media / "clip.webm", tmp_path).facts.faststart is None


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("wide.png", "image/png"), ("photo.jpg", "image/jpeg"), ("photo.webp", "image/webp")],
)
def test_an_image_is_measured(media: Path, tmp_path: Path, name: str, media_type: str) -> None:
    found = inspection.inspect(media / name, tmp_path)

    facts = found.facts
    assert (facts.kind, facts.media_type, facts.width, facts.height) == ("image", media_type, 640, 360)
    assert facts.duration_seconds is None
    assert found.thumbnail is not None
    assert size_of(found.thumbnail) == (480, 270)


def test_a_photo_taken_sideways_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(tmp_path / "sideways.jpg", exif=exif)

    facts = inspection.inspect(tmp_path / "sideways.jpg", tmp_path).facts

    assert (facts.width, facts.height) == (20, 40)


def test_what_shows_through_is_white_in_the_pictures(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")

    found = inspection.inspect(tmp_path / "clear.png", tmp_path)

    assert found.poster is not None
    with Image.open(found.poster) as poster:
        assert poster.getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("sound.mp3", "audio/mpeg"),
        ("sound.wav", "audio/wav"),
        ("sound.flac", "audio/flac"),
        ("sound.ogg", "audio/ogg"),
        ("song.m4a", "audio/mp4"),
    ],
)
def test_a_sound_is_measured_and_a_cover_makes_it_no_video(
    media: Path, tmp_path: Path, name: str, media_type: str
) -> None:
    found = inspection.inspect(media / name, tmp_path)

    assert (found.facts.kind, found.facts.media_type) == ("audio", media_type)
    assert found.facts.duration_seconds == pytest.approx(Decimal(3), abs=Decimal("0.1"))
    assert (found.thumbnail, found.poster) == (None, None)


def test_the_name_counts_for_nothing(media: Path, tmp_path: Path) -> None:
    disguised = tmp_path / "picture.png"
    disguised.write_bytes((media / "clip.mp4").read_bytes())

    assert inspection.inspect(disguised, tmp_path).facts.media_type == "video/mp4"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that nothing may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("name", [*CORPUS, *HARMLESS_WHEN_READ])
def test_a_hostile_file_is_refused_and_reaches_nothing(
    name: str, media: Path, tmp_path: Path, listener: socket.socket
) -> None:
    canary = tmp_path / "canary.mp4"
    canary.write_bytes((media / "clip.mp4").read_bytes())
    # Reading it later than this would show, where the file system keeps such times.
    os.utime(canary, (1_000_000_000, canary.stat().st_mtime))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.mp4"
    file = tmp_path / "file.mp4"
    file.write_bytes((CORPUS | HARMLESS_WHEN_READ)[name](tmp_path, canary, url))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    started = time.monotonic()
    before = largest_child()

    if name in HARMLESS_WHEN_READ:
        with suppress(NotMedia):
            facts = inspection.inspect(file, pictures).facts
            # The canary's own size would show that it was opened.
            assert (facts.width, facts.height) != (320, 180)
    else:
        with pytest.raises(NotMedia) as refused:
            inspection.inspect(file, pictures)
        assert str(canary) not in str(refused.value)

    assert time.monotonic() - started < 30
    assert canary.stat().st_atime == 1_000_000_000
    with pytest.raises(BlockingIOError):
        listener.accept()
    # Other tests' children count too: none of them is this one's fault.
    # A child that has not yet become another program counts with its parent's memory.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert largest_child() <= max(before, own, 900_000)


def largest_child() -> int:
    """Memory of the child that had most, of all that have ended so far, in kB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def test_a_file_that_hangs_its_reader_is_given_up_and_nothing_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    with pytest.raises(NotMedia, match="too long"):
        inspection.inspect(pipe, tmp_path, seconds=2)

    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_reader_ends_with_the_worker_that_started_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = (
        "import django; django.setup()\n"
        "from pathlib import Path\n"
        "from generations import inspection\n"
        f"inspection.inspect(Path({str(pipe)!r}), Path({str(tmp_path)!r}))\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], env={**os.environ})
    deadline = time.monotonic() + 60
    while not (readers := psutil.Process(worker.pid).children()):
        assert worker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Its first step done, which is to watch its parent: then come the limits.
    while readers[0].rlimit(resource.RLIMIT_CORE) != (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    worker.kill()
    worker.wait()

    _, alive = psutil.wait_procs(readers, timeout=10)
    assert alive == []


def test_the_reader_can_do_nothing_but_read(tmp_path: Path) -> None:
    """Its own first step, then what a broken decoder might try."""
    program = (
        "import json, os, resource, socket, sys\n"
        f"sys.path.insert(0, {str(inspection.DECODER.parent)!r})\n"
        "import decoding\n"
        "decoding.confine(os.getppid())\n"
        "done = {}\n"
        "def attempt(name, action):\n"
        "    try:\n"
        "        action()\n"
        "        done[name] = True\n"
        "    except (OSError, MemoryError):\n"
        "        done[name] = False\n"
        "attempt('memory', lambda: bytearray(2 << 30))\n"
        "attempt('large file', lambda: os.posix_fallocate(os.open('large', os.O_CREAT | os.O_WRONLY), 0, 1 << 30))\n"
        "done['core'] = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "done['seconds'] = resource.getrlimit(resource.RLIMIT_CPU)[1]\n"
        "done['environment'] = dict(os.environ)\n"
        "print(json.dumps(done))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env={},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    done = json.loads(answer.stdout)

    assert done["memory"] is False
    assert done["large file"] is False
    assert done["core"] == 0
    assert done["seconds"] <= 60
    assert set(done["environment"]) <= {"LC_CTYPE"}


def test_a_part_is_cut_out_in_the_images_own_format(media: Path, tmp_path: Path) -> None:
    cropped = inspection.crop(media / "wide.png", tmp_path, Box(x=10, y=20, width=100, height=50))

    assert cropped.media_type == "image/png"
    with Image.open(cropped.path) as cut, Image.open(media / "wide.png") as original:
        assert (cut.size, cut.format) == ((100, 50), "PNG")
        assert cut.tobytes() == original.crop((10, 20, 110, 70)).tobytes()


def test_a_part_beyond_the_picture_is_refused(media: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMedia, match="640x360"):
        inspection.crop(media / "wide.png", tmp_path, Box(x=600, y=0, width=100, height=50))
