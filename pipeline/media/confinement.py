"""What a child process does to itself before it opens a stranger's file, and how it opens and reads it."""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av

from generations.decoding import DECODERS, MATROSKA, MOV

# linux/prctl.h, linux/sched.h
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

# How an MP4 or MOV file begins, after four bytes, and a WebM file.
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
EBML = b"\x1a\x45\xdf\xa3"

TOLD_SECONDS = 0.25
# More packets that can't be decoded are no accident.
MOST_BROKEN = 0.05


class Refused(Exception):
    """The file is none that can be measured: a code of `measurement.Unmeasurable`, and which text says it."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code)
        self.code, self.text = code, text or code


def confine(parent: int, limits: Mapping[str, Any]) -> None:
    """Give up what reading a file doesn't need; threads go with `start`."""
    libc = ctypes.CDLL(None)
    # A network without interfaces; machines that don't allow this still have the lists below.
    libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before it could be watched")
    for limit, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    # The lower limit ends it with SIGXCPU, which tells the parent why.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))


def say(**words: object) -> None:
    """Tell the parent, in one line."""
    sys.stdout.write(json.dumps(words, allow_nan=False) + "\n")
    sys.stdout.flush()


def answer(find: Callable[[], object]) -> None:
    """Tell the parent what is found, or why the file is refused."""
    try:
        found = find()
    except Refused as refused:
        say(refused=refused.code, text=refused.text)
    except MemoryError:
        say(refused="too_large", text="too_large")
    except av.FFmpegError:
        say(refused="damaged", text="damaged")
    except OSError as error:
        # What is wrong with the folder is not the file's fault: FFmpeg itself writes nothing there.
        say(failed=str(error))
    else:
        say(found=found)


def options(limits: Mapping[str, Any]) -> dict[str, str]:
    """For FFmpeg: MP4 and WebM with their usual codecs, and no file but the one that it is given."""
    return {
        "format_whitelist": f"{MOV},{MATROSKA}",
        "protocol_whitelist": "file",
        "codec_whitelist": DECODERS,
        "max_pixels": str(limits["most_pixels"]),
    }


def start(context: Any, limits: Mapping[str, Any], *, threads: int) -> bool:
    """Start a stream's decoder with all its threads; False where it is none of ours."""
    context.options = options(limits)
    context.thread_count, context.thread_type = threads, "AUTO"
    try:
        context.open()
    except MemoryError:
        raise
    except av.FFmpegError:
        return False
    # No more of them, and no processes.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return True


@contextlib.contextmanager
def opened(path: Path, limits: Mapping[str, Any]) -> Iterator[Any]:
    """The file, as `options` allow it. Raises Refused."""
    try:
        # The name of the protocol makes any other name a file's.
        container = av.open(f"file:{path}", options=options(limits))
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError, OverflowError):
        with path.open("rb") as file:
            begin = file.read(8)
        known = begin[4:] in BOXES or begin[:4] == EBML
        raise Refused("damaged" if known else "not_a_video") from None
    with container:
        if (container.duration or 0) / av.time_base > limits["longest_seconds"]:
            raise Refused("too_long")
        yield container


def frames(container: Any, stream: Any, limits: Mapping[str, Any]) -> Iterator[Any]:
    """The decoded frames of a stream whose times are from the video's beginning, telling the parent how far it is.

    A few broken packets are what players get over, too. Raises Refused where it is damaged, cut off or too long.
    """
    zero = round((container.start_time or 0) / av.time_base / stream.time_base)
    length = float(
        stream.duration * stream.time_base if stream.duration else (container.duration or 0) / av.time_base
    )
    packets, broken, end, told = 0, 0, 0.0, 0.0
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed, None)
        except av.FFmpegError:
            raise Refused("damaged") from None
        if packet is None:
            break
        if packet.is_corrupt:
            raise Refused("damaged")
        packets += 1
        try:
            decoded = packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError:
            broken += 1
            continue
        for frame in decoded:
            if frame.pts is None:
                continue
            frame.pts -= zero
            end = float((frame.pts + (frame.duration or 0)) * stream.time_base)
            if end > limits["longest_seconds"]:
                raise Refused("too_long")
            yield frame
        if length > 0 and (now := time.monotonic()) - told > TOLD_SECONDS:
            told = now
            say(share=max(0.0, min(1.0, end / length)))
    if broken > MOST_BROKEN * packets:
        raise Refused("too_large" if _claims_too_much(container.name, stream.index, limits) else "damaged")
    if end < length - max(0.5, length * 0.1):
        raise Refused("damaged")
    yield None


def _claims_too_much(name: str, index: int, limits: Mapping[str, Any]) -> bool:
    """Whether the pictures are refused for their size, which only FFmpeg's log tells where no frame comes of them."""
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture() as words, av.open(name, options=options(limits)) as container:
        stream = container.streams[index]
        # Words from other threads may deadlock.
        stream.codec_context.thread_count = 1
        stream.codec_context.options = options(limits)
        with contextlib.suppress(av.FFmpegError):
            for _ in container.decode(stream):
                break
    return any("Picture size" in text for _, _, text in words)
