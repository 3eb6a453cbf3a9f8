"""Files that are not what they say: each ends in an error that says what is wrong, and opens nothing else."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.media.measurement import Limits, Unmeasurable, measure
from tests.pipeline.media.films import ffmpeg, landscape, noise, silence, still, tone, write

PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "file '{target}'\n",
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\na=control:{target}\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "SMIL": '<smil><body><video src="{target}"/></body></smil>',
}


def refused(path: Path, folder: Path, limits: Limits = Limits()) -> str:  # noqa: B008 (it is frozen)
    with pytest.raises(Unmeasurable) as caught:
        measure(path, folder, limits=limits)
    assert str(caught.value).endswith(".")
    assert "{" not in str(caught.value)
    assert psutil.Process().children(recursive=True) == []
    return caught.value.code


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write(tmp_path / "good.mp4", still(landscape(1, width=160, height=160), 60), sound=tone(2))


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_in_a_video_s_clothes_is_refused_and_opens_no_file(
    tmp_path: Path, film: Path, kind: str
) -> None:
    path = tmp_path / "playlist.mp4"
    path.write_text(PLAYLISTS[kind].format(target=film.name, port=9))
    assert refused(path, tmp_path) == "not_a_video"


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_in_a_video_s_clothes_opens_no_socket(tmp_path: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        path = tmp_path / "playlist.mp4"
        path.write_text(PLAYLISTS[kind].format(target=f"http://127.0.0.1:{port}/a.mp4", port=port))
        assert refused(path, tmp_path) == "not_a_video"
        with pytest.raises(BlockingIOError):
            server.accept()


def test_an_empty_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert refused(path, tmp_path) == "not_a_video"


def test_a_file_whose_name_is_a_protocol_is_a_file(tmp_path: Path, film: Path) -> None:
    path = film.rename(tmp_path / "http:127.0.0.1.mp4")
    assert measure(path, tmp_path).video_codec == "h264"


def test_an_image_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "image.mp4"
    Image.new("RGB", (64, 64)).save(path, format="PNG")
    assert refused(path, tmp_path) == "not_a_video"


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("layout", ["index first", "index last"])
def test_a_truncated_file_is_damaged(tmp_path: Path, share: float, layout: str) -> None:
    pictures = [landscape(seed, width=160, height=160) for seed in range(60)]
    options = {"movflags": "faststart"} if layout == "index first" else {}
    path = write(tmp_path / "film.mp4", pictures, options=options, sound=tone(2))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert refused(path, tmp_path) == "damaged"


def test_a_file_of_rubbish_within_a_video_s_boxes_is_damaged(tmp_path: Path, film: Path) -> None:
    contents = bytearray(film.read_bytes())
    begin = contents.index(b"mdat") + 4
    end = contents.index(b"moov") - 4
    contents[begin:end] = np.random.default_rng(1).bytes(end - begin)
    film.write_bytes(contents)
    assert refused(film, tmp_path) == "damaged"


def test_sound_alone_has_no_picture(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "sound.mp4"
    ffmpeg("-i", film, "-vn", "-c", "copy", path)
    assert refused(path, tmp_path) == "no_video_stream"


def test_a_codec_that_is_not_listed_is_no_picture(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "mjpeg.mp4"
    ffmpeg("-i", film, "-an", "-c:v", "mjpeg", path)
    assert refused(path, tmp_path) == "no_video_stream"


def test_sound_of_a_codec_that_is_not_listed_is_said(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "dts.mp4"
    ffmpeg("-i", film, "-c:v", "copy", "-c:a", "dca", "-strict", "-2", path)
    with pytest.raises(Unmeasurable, match="sound"):
        measure(path, tmp_path)


def test_a_tiny_file_that_claims_30000_pixels_a_side_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "bomb.webm"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=1", "-c:v", "libvpx-vp9", "-g", "1", path)
    contents = bytearray(path.read_bytes())
    # The header of a VP9 key frame: a sync code, four bits of colour, and both sides less one in 16 bits each.
    place = -1
    while (place := contents.find(b"\x49\x83\x42", place + 1)) >= 0:
        bits = int.from_bytes(contents[place + 3 : place + 8], "big")
        bits = bits & ~(0xFFFFFFFF << 4) | 29_999 << 20 | 29_999 << 4
        contents[place + 3 : place + 8] = bits.to_bytes(5, "big")
    path.write_bytes(contents)
    assert refused(path, tmp_path) == "too_large"


def test_8k_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "8k.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=7680x4320:r=2:d=1", "-c:v", "libx264", "-preset", "ultrafast", path)
    assert refused(path, tmp_path) == "too_large"


def test_three_hours_are_too_long(tmp_path: Path) -> None:
    pictures = still(landscape(1, width=64, height=64), 4)
    path = write(tmp_path / "film.mp4", pictures, times=[0, 1, 2, 3 * 3600])
    began = time.monotonic()
    assert refused(path, tmp_path) == "too_long"
    assert time.monotonic() - began < 10


def test_eleven_minutes_without_a_word_of_it_in_the_header_are_too_long(tmp_path: Path) -> None:
    pictures = still(landscape(1, width=64, height=64), 66)
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "100000"}
    path = write(
        tmp_path / "film.mp4", pictures, times=[10.0 * number for number in range(66)], options=options
    )
    assert refused(path, tmp_path) == "too_long"


def test_a_container_without_frames_has_no_length(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    assert refused(path, tmp_path) == "no_length"


def test_wall_time_has_an_end(tmp_path: Path, film: Path) -> None:
    began = time.monotonic()
    assert refused(film, tmp_path, Limits(wall_seconds=0.05)) == "took_too_long"
    assert time.monotonic() - began < 2


def test_processor_time_has_an_end(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=960, height=960), 3_000))
    assert refused(path, tmp_path, Limits(cpu_seconds=1)) == "took_too_long"


def test_memory_has_an_end(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=1920, height=1920), 20))
    assert refused(path, tmp_path, Limits(memory_bytes=640 << 20)) in {"too_large", "damaged"}


def test_silence_of_hours_beside_a_short_picture_is_too_long(tmp_path: Path) -> None:
    path = write(
        tmp_path / "film.mp4", still(landscape(1, width=64, height=64), 30), sound=silence(30, channels=1)
    )
    assert refused(path, tmp_path, Limits(longest_seconds=10)) == "too_long"


@pytest.mark.parametrize(("module", "threads"), [("pictures", 3), ("sound", 1)])
def test_the_children_have_given_up_what_they_do_not_need(tmp_path: Path, module: str, threads: int) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=480, height=480), 200), sound=noise(40))
    seen: dict[str, str] = {}

    def look() -> bool:
        for child in psutil.Process().children():
            folder = Path("/proc") / str(child.pid)
            try:
                if f"pipeline.media.{module}" not in child.cmdline():
                    continue
                words = {name: (folder / name).read_text() for name in ("status", "limits", "environ")}
            except (psutil.NoSuchProcess, OSError):
                continue
            # Once it reads.
            if "NoNewPrivs:\t1" in words["status"] and list(folder.glob("fd/*")):
                seen.update(words, files=str(len(list(folder.glob("fd/*")))))
        return False

    # It is asked more often than it is told.
    measure(path, tmp_path, cancelled=look)
    limits = {line[:26].strip(): line[26:].split()[0] for line in seen["limits"].splitlines()}
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines())
    assert limits["Max processes"] == "0"
    assert limits["Max core file size"] == "0"
    assert limits["Max address space"] == str(Limits().memory_bytes)
    # Its own and the decoder's; a thread more would not start where the process is no superuser's.
    assert int(status["Threads"]) <= threads
    assert seen["environ"].strip("\0") == "OMP_THREAD_LIMIT=1"
    assert int(seen["files"]) < 10


def test_the_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", still(landscape(1, width=960, height=960), 500), sound=tone(16))
    code = (
        "import sys; from pathlib import Path; from pipeline.media.measurement import measure; "
        "measure(Path(sys.argv[1]), Path(sys.argv[2]), progress=lambda share: print(share, flush=True))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(path), str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    while not float(parent.stdout.readline()) > 0.05:
        pass
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 2
    while any(lives(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(lives(child) for child in children)


def lives(process: psutil.Process) -> bool:
    try:
        # What has ended may have to wait for the machine's first process to notice.
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
