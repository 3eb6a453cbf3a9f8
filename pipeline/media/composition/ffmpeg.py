"""FFmpeg at work: confined, watched, and ended with all that it started."""

import json
import math
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

from .errors import Cancelled, CompositionFailed

LAUNCHER = Path(__file__).with_name("launch.py")
# Of addresses, of which FFmpeg's threads take much more than they use.
LIMITS = {"memory_bytes": 6 << 30, "file_bytes": 4 << 30, "cpu_seconds": 3600, "files": 256}
# More threads make nothing faster at these sizes, and each has pictures of its own.
CORES = min(4, len(os.sched_getaffinity(0)))
ASKED_SECONDS = 0.1
TOLD_SECONDS = 0.25
# Of its words only the last are kept.
MOST_WORDS = 200_000
LAST_WORDS = 600

_FRAMES = re.compile(rb"^frame=\s*(\d+)\n", re.MULTILINE)
_MICROSECONDS = re.compile(rb"^out_time_us=(\d+)\n", re.MULTILINE)


class Watch:
    """Whom a run tells shares from 0 to 1, at most every quarter of a second, and asks whether it is still wanted."""

    def __init__(self, progress: Callable[[float], None], cancelled: Callable[[], bool]) -> None:
        self._progress, self.cancelled = progress, cancelled
        self._told = -math.inf

    def tell(self, share: float) -> None:
        now = time.monotonic()
        if now - self._told >= TOLD_SECONDS:
            self._told = now
            self._progress(share)

    def part(self, begin: float, end: float) -> "Watch":
        """The watch of a step that is this part of the whole."""
        return Watch(lambda share: self.tell(begin + (end - begin) * share), self.cancelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run made: how many frames of its first picture, and what FFmpeg said."""

    frames: int
    words: str


def of_strangers(path: Path, *, sound: bool = False) -> list[str]:
    """An input that somebody else made: nothing but the usual containers and codecs, and no file but this one."""
    # Loads FFmpeg's libraries, which nobody needs for a timeline's values.
    from generations.decoding import DECODERS, DEMUXERS, MATROSKA, MOST_PIXELS, MOV

    return [
        "-protocol_whitelist", "file",
        "-format_whitelist", DEMUXERS if sound else f"{MOV},{MATROSKA}",
        "-codec_whitelist", DECODERS,
        "-max_pixels", str(MOST_PIXELS),
        "-threads", str(min(2, CORES)),
        # The name of the protocol makes any other name a file's.
        "-i", f"file:{path.absolute()}",
    ]  # fmt: skip


def run(
    arguments: Sequence[str],
    folder: Path,
    *,
    what: str,
    watch: Watch,
    frames: int = 0,
    seconds: float = 0.0,
    environment: Mapping[str, str] | None = None,
    may_fail: bool = False,
) -> Ended:
    """Run FFmpeg in the folder, where relative names lie. How far it is, is told of the frames or seconds wanted.

    Raises Cancelled, or CompositionFailed with `what` in it, unless it `may_fail`; no process is left.
    """
    begin = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", "-progress", "pipe:1"]
    begin += ["-stats_period", str(TOLD_SECONDS)]
    begin += ["-filter_threads", str(CORES), "-filter_complex_threads", str(CORES)]
    process = subprocess.Popen(
        [sys.executable, "-I", str(LAUNCHER), str(os.getpid()), json.dumps(LIMITS), *begin, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment or {}),
        start_new_session=True,
    )
    try:
        said, words = _watched(process, watch, frames, seconds)
        code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
    text = words.decode(errors="replace").strip()
    if code and not may_fail:
        raise CompositionFailed(f"{what}: FFmpeg ended with {code}: {text[-LAST_WORDS:]}")
    return Ended(frames=_last(_FRAMES, said), words=text)


def _last(pattern: re.Pattern[bytes], said: bytes) -> int:
    found = pattern.findall(said)
    return int(found[-1]) if found else 0


def _done(said: bytes, frames: int, seconds: float) -> float:
    """The share of the frames that are wanted, or of the seconds where there is no picture."""
    if frames:
        return _last(_FRAMES, said) / frames
    return _last(_MICROSECONDS, said) / 1e6 / max(seconds, 0.001)


def _watched(
    process: subprocess.Popen[bytes], watch: Watch, frames: int, seconds: float
) -> tuple[bytes, bytes]:
    """The last of what it said to either pipe, when both are at their ends. Raises Cancelled."""
    assert process.stdout is not None
    assert process.stderr is not None
    last = {"stdout": b"", "stderr": b""}
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "stdout")
        selector.register(process.stderr, selectors.EVENT_READ, "stderr")
        while selector.get_map():
            if watch.cancelled():
                raise Cancelled
            for key, _ in selector.select(ASKED_SECONDS):
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                last[key.data] = (last[key.data] + chunk)[-MOST_WORDS:]
                if key.data == "stdout":
                    watch.tell(min(1.0, _done(last["stdout"], frames, seconds)))
    return last["stdout"], last["stderr"]
