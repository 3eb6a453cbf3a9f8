"""FFmpeg at work: ended when nobody wants it any more, and no way out of it for a stranger's file."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from pipeline.media.composition.clips import conform
from pipeline.media.composition.errors import Cancelled, CompositionFailed
from pipeline.media.composition.parts import clip_parts, parts_of_clip
from pipeline.media.composition.timeline import Clip, Format

from .films import Workshop, lights, luma, source, timeline_of

ROOT = Path(__file__).resolve().parents[3]
# Slow enough to be met at work.
SLOW = timeline_of(
    Clip(id="slow", digest="even", frames=3000),
    fmt=Format(width=1080, height=1920, preset="veryslow"),
)
CONFORM = """
import sys
from pathlib import Path
from pipeline.media.composition.clips import conform
from tests.pipeline.composition.test_processes import SLOW

source, parts, folder = map(Path, sys.argv[1:])
conform(SLOW, "slow", source, parts, folder, progress=lambda share: None, cancelled=lambda: False)
"""


def at_work(folder: Path) -> list[psutil.Process]:
    """FFmpeg that writes into this folder, and what starts it."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(true: object, within: float) -> None:
    deadline = time.monotonic() + within
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def is_encoding(folder: Path) -> bool:
    """Whether FFmpeg is there, with the file that it writes."""
    name = clip_parts(SLOW, "slow")[0]
    return bool(at_work(folder)) and (folder / name).exists()


def test_cancelling_ends_all_of_it_within_two_seconds(workshop: Workshop, sources: dict[str, Path]) -> None:
    wanted, ended = threading.Event(), []

    def work() -> None:
        try:
            conform(
                SLOW,
                "slow",
                sources["even"],
                workshop.parts,
                workshop.scratch,
                progress=lambda share: None,
                cancelled=wanted.is_set,
            )
        except Cancelled:
            ended.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: is_encoding(workshop.scratch), 30)
    asked = time.monotonic()
    wanted.set()
    thread.join(10)
    assert ended
    assert ended[0] - asked < 2
    assert not at_work(workshop.scratch)
    # What was half made has no name among the parts.
    assert not list(workshop.parts.iterdir())


def test_a_parent_that_is_killed_leaves_no_ffmpeg(workshop: Workshop, sources: dict[str, Path]) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", CONFORM, str(sources["even"]), str(workshop.parts), str(workshop.scratch)],
        cwd=ROOT,
    )
    try:
        until(lambda: is_encoding(workshop.scratch), 30)
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not at_work(workshop.scratch), 5)
    assert not list(workshop.parts.iterdir())


def test_ffmpeg_has_a_session_of_its_own_and_nothing_of_our_environment(
    workshop: Workshop, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "ours")
    seen: list[dict[str, str]] = []

    def look() -> bool:
        if is_encoding(workshop.scratch) and not seen:
            process = at_work(workshop.scratch)[0]
            session = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[3]
            seen.append(process.environ())
            assert int(session) == process.pid
        return bool(seen)

    with pytest.raises(Cancelled):
        conform(
            SLOW,
            "slow",
            sources["even"],
            workshop.parts,
            workshop.scratch,
            progress=lambda share: None,
            cancelled=look,
        )
    # Python adds the second where there is no locale.
    assert set(seen[0]) <= {"FONTCONFIG_FILE", "LC_CTYPE"}


def test_a_part_that_was_half_written_is_made_anew(workshop: Workshop, sources: dict[str, Path]) -> None:
    timeline = timeline_of(Clip(id="one", digest="even", frames=30))
    (name,) = clip_parts(timeline, "one")
    # As a worker that was killed leaves it.
    (workshop.scratch / name).write_bytes(b"half a film")
    workshop.conform(timeline, "one", sources["even"])
    assert len(luma(workshop.parts / name)) == 30
    assert not (workshop.scratch / name).exists()


@pytest.mark.parametrize("kind", ["noise", "empty", "cut off", "playlist", "sound"])
def test_a_source_that_is_no_video_fails_and_its_clip_is_named(
    workshop: Workshop, sources: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    secret = source(tmp_path / "secret.mp4", [200] * 5)
    path = tmp_path / "source.mp4"
    path.write_bytes({
        "noise": b"\x00\x01\x02" * 5000,
        "empty": b"",
        # Without its index.
        "cut off": sources["even"].read_bytes()[:400],
        "playlist": f"ffconcat version 1.0\nfile {secret.name}\n".encode(),
        "sound": b"RIFF" + b"\x00" * 100,
    }[kind])  # fmt: skip
    timeline = timeline_of(Clip(id="my clip", digest="broken", frames=5))
    with pytest.raises(CompositionFailed, match="clip my clip"):
        workshop.conform(timeline, "my clip", path)
    assert not list(workshop.parts.iterdir())


def test_a_source_that_breaks_off_shows_its_last_picture(workshop: Workshop, tmp_path: Path) -> None:
    """What there is of it is used; that the rest is missing was found when it was delivered."""
    whole = source(tmp_path / "whole.mp4", [60] * 60)
    shortened = tmp_path / "short.mkv"
    subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(whole), "-c", "copy", str(shortened)],
        check=True,
    )
    shortened.write_bytes(shortened.read_bytes()[: shortened.stat().st_size * 2 // 3])
    timeline = timeline_of(Clip(id="one", digest="short", frames=60))
    (body,) = workshop.conform(timeline, "one", shortened)
    shown = lights(luma(workshop.parts / body))
    assert shown == pytest.approx([60] * 60, abs=2)


def test_a_folder_with_quotes_and_colons_in_its_name_is_a_folder(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "it's: a [folder], 100%; {x}\\"
    folder.mkdir()
    workshop = Workshop(folder)
    timeline = timeline_of(
        Clip(id="one", digest="dark", frames=10),
        Clip(id="two", digest="light", frames=10),
    )
    film = workshop.film(timeline, sources)
    assert len(luma(film.film)) == 20
    assert parts_of_clip(timeline, "one").body is not None
