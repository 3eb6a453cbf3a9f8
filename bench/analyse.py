"""A minute of upright 1080p, measured whole, beside FFmpeg that only decodes the same file; and the memory it takes."""

import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from imageio_ffmpeg import get_ffmpeg_exe

from config.stack.sample import make
from pipeline.media.measurement import measure

from .measure import Measure, compare

SECONDS = 60
# Made once, and repeated up to that length: it takes longer to make than to measure.
MADE_SECONDS = 30
RUNS = 5
MOST_OF_LENGTH = 0.35
MOST_RATIO = 4
MOST_MEMORY_MB = 600
MOST_GROWTH = 1.1
# Cuts as in a short film: one every three seconds.
SCENES = 10


def run() -> list[Measure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("  making the film", flush=True)
        made = make(folder / "made.mp4", seed=7, seconds=MADE_SECONDS, scenes=SCENES).path
        film = _repeated(made, SECONDS // MADE_SECONDS, folder / "film.mp4")
        long = _repeated(made, 3 * SECONDS // MADE_SECONDS, folder / "long.mp4")
        sides: dict[bool, Callable[[], object]] = {
            True: lambda: measure(film, folder),
            False: lambda: _ffmpeg("-i", str(film), "-f", "null", "-"),
        }
        times: dict[bool, list[float]] = {True: [], False: []}
        for number in range(RUNS):
            for is_ours in (True, False) if number % 2 else (False, True):
                started = time.perf_counter()
                sides[is_ours]()
                times[is_ours].append(time.perf_counter() - started)
        result = compare(times[True], times[False])
        memory = _memory(lambda: measure(film, folder))
        longer = _memory(lambda: measure(long, folder))
        bits = film.stat().st_size * 8 / SECONDS / 1e6
    share = statistics.median(times[True]) / SECONDS
    return [
        Measure(name="time of the length", value=share, unit="", bar=MOST_OF_LENGTH, better="less"),
        Measure(name="time: ratio", value=result.ratio, unit="x", bar=MOST_RATIO, better="less"),
        Measure(name="time: ratio, lowest run", value=result.lowest, unit="x"),
        Measure(name="time: ratio, highest run", value=result.highest, unit="x"),
        Measure(name="time: ours", value=result.ours, unit="s"),
        Measure(name="time: peer", value=result.peer, unit="s"),
        Measure(name="memory, 1 minute", value=memory, unit="MB", bar=MOST_MEMORY_MB, better="less"),
        Measure(name="memory, 3 minutes", value=longer, unit="MB", bar=MOST_MEMORY_MB, better="less"),
        Measure(
            name="memory: 3 minutes by 1", value=longer / memory, unit="x", bar=MOST_GROWTH, better="less"
        ),
        Measure(name="the film", value=bits, unit="Mbit/s"),
    ]


def _repeated(path: Path, times: int, into: Path) -> Path:
    _ffmpeg("-stream_loop", str(times - 1), "-i", str(path), "-c", "copy", str(into))
    return into


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *arguments], check=True)


def _memory(call: Callable[[], object]) -> float:
    """The most that this process's children have in memory at one time while it runs, in MB."""
    most, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.02):
            now = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    now += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            most = max(most, now)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        call()
    finally:
        ended.set()
        thread.join()
    return most / 1e6
