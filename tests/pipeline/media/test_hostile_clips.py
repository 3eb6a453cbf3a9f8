"""What comes as a clip and is none: the gate names it, and its child can do nothing else."""

import socket
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from pipeline.media.quality import Expected, Limits, Unmeasurable, examine
from tests.pipeline.media.films import ffmpeg, landscape, still, tone, write
from tests.pipeline.media.test_hostile_files import PLAYLISTS

CLIP = Expected(kind="clip", seconds=2, moves=False)
LIMITS = Limits()


def refused(path: Path, folder: Path, limits: Limits = LIMITS) -> str:
    found = examine(path, CLIP, folder, limits=limits)
    assert not found.ok
    assert (found.figures, found.picture) == (None, None)
    assert psutil.Process().children(recursive=True) == []
    assert list(folder.glob("*.jpg")) == []
    (problem,) = found.problems
    return problem.code


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write(tmp_path / "good.mp4", still(landscape(1, width=160, height=160), 60), sound=tone(2))


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_in_a_clip_s_clothes_opens_neither_file_nor_socket(
    tmp_path: Path, film: Path, kind: str
) -> None:
    path = tmp_path / "playlist.mp4"
    path.write_text(PLAYLISTS[kind].format(target=film.name, port=9))
    assert refused(path, tmp_path) == "not_a_video"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        path.write_text(PLAYLISTS[kind].format(target=f"http://127.0.0.1:{port}/a.mp4", port=port))
        assert refused(path, tmp_path) == "not_a_video"
        with pytest.raises(BlockingIOError):
            server.accept()


def test_an_empty_file_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert refused(path, tmp_path) == "not_a_video"


def test_rubbish_within_a_video_s_boxes_is_damaged(tmp_path: Path, film: Path) -> None:
    contents = bytearray(film.read_bytes())
    begin, end = contents.index(b"mdat") + 4, contents.index(b"moov") - 4
    contents[begin:end] = np.random.default_rng(1).bytes(end - begin)
    film.write_bytes(contents)
    assert refused(film, tmp_path) == "damaged"


def test_a_container_without_frames_has_no_length(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    assert refused(path, tmp_path) == "no_length"


def test_sound_alone_is_no_clip(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "sound.mp4"
    ffmpeg("-i", film, "-vn", "-c", "copy", path)
    assert refused(path, tmp_path) == "no_video_stream"


def test_a_codec_that_is_not_listed_is_no_picture(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "mjpeg.mp4"
    ffmpeg("-i", film, "-an", "-c:v", "mjpeg", path)
    assert refused(path, tmp_path) == "no_video_stream"


def test_8k_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "8k.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=7680x4320:r=2:d=1", "-c:v", "libx264", "-preset", "ultrafast", path)
    assert refused(path, tmp_path) == "too_large"


def test_three_hours_are_too_long(tmp_path: Path) -> None:
    pictures = still(landscape(1, width=64, height=64), 4)
    path = write(tmp_path / "film.mp4", pictures, times=[0, 1, 2, 3 * 3600])
    assert refused(path, tmp_path) == "too_long"


def test_memory_has_an_end(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=1920, height=1920), 20))
    assert refused(path, tmp_path, Limits(memory_bytes=480 << 20)) in {"too_large", "damaged"}


@pytest.mark.parametrize(
    "limits", [Limits(wall_seconds=0.2), Limits(cpu_seconds=1)], ids=["wall", "processor"]
)
def test_a_clip_that_takes_too_long_is_no_verdict(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "film.mp4"
    source = "testsrc2=s=1920x1080:r=60:d=8"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", path)
    with pytest.raises(Unmeasurable) as caught:
        examine(path, CLIP, tmp_path, limits=limits)
    assert caught.value.code == "took_too_long"
    assert psutil.Process().children(recursive=True) == []


def test_the_child_has_given_up_what_it_does_not_need(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=640, height=640), 200), sound=tone(7))
    seen: dict[str, str] = {}

    def look() -> bool:
        for child in psutil.Process().children():
            folder = Path("/proc") / str(child.pid)
            try:
                words = {name: (folder / name).read_text() for name in ("status", "limits", "environ")}
            except OSError:
                continue
            if "NoNewPrivs:\t1" in words["status"]:
                seen.update(words)
        return False

    examine(path, CLIP, tmp_path, cancelled=look)
    limits = {line[:26].strip(): line[26:].split()[0] for line in seen["limits"].splitlines()}
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines())
    assert limits["Max processes"] == "0"
    assert limits["Max core file size"] == "0"
    assert limits["Max address space"] == str(LIMITS.memory_bytes)
    # Its own and the decoder's.
    assert int(status["Threads"]) <= 3
    assert seen["environ"].strip("\0") == "OMP_THREAD_LIMIT=1"
