"""The child that decodes a file: `python -I decoding.py PARENT FOLDER measure FILE` or `… crop FILE X Y W H`.

`generations.inspection` starts it. It writes `facts.json` into FOLDER: what the file is, or why it is refused.
It imports nothing of the project, confines itself before it opens anything, and opens only what is listed
here: a playlist or a script in a video's clothes is refused by name.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

# All code is loaded before anything is given up.
_PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
IMAGES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MOV, MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
VIDEOS = {MOV: "video/mp4", MATROSKA: "video/webm"}
SOUNDS = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    MOV: "audio/mp4",
    MATROSKA: "audio/webm",
}
DEMUXERS = f"{MOV},{MATROSKA},mp3,wav,flac,ogg"
DECODERS = (
    "h264,hevc,vp8,vp9,av1,libdav1d,mpeg4,prores,aac,mp3,mp3float,opus,vorbis,flac,ac3,alac,"
    "pcm_s16le,pcm_s24le,pcm_s32le,pcm_f32le,pcm_u8,pcm_s16be"
)
# Enough for 8K.
MOST_PIXELS = 40_000_000
LONGEST_SECONDS = 6 * 3600
OPTIONS = {
    "format_whitelist": DEMUXERS,
    "protocol_whitelist": "file",
    "codec_whitelist": DECODERS,
    "max_pixels": str(MOST_PIXELS),
    "threads": "1",
}
THUMBNAIL = (480, 480)

MEMORY_BYTES = 1_500 << 20
CPU_SECONDS = 40
PICTURE_BYTES = 40 << 20
# linux/prctl.h, linux/sched.h
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


class Refused(Exception):
    """The text is what the owner reads."""


def confine(parent: int) -> None:
    """Give up what decoding doesn't need: memory, time, processes, large files, the network, a life of its own."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before it could be watched")
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A network without interfaces; machines that don't allow this still have the lists above.
    libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, PICTURE_BYTES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def measure(path: Path, folder: Path) -> dict[str, Any]:
    """What the file is, and pictures of it in the folder. Raises Refused."""
    with still(path) as image:
        if image is not None:
            return {
                "kind": "image",
                "media_type": IMAGES[image.format],
                "width": image.width,
                "height": image.height,
                **pictures(on_white(image), folder),
            }
    return moving(path, folder)


def crop(path: Path, folder: Path, box: tuple[int, int, int, int]) -> dict[str, Any]:
    """Cut the box (x, y, width, height) out of an image as it is seen, in its own format. Raises Refused."""
    x, y, width, height = box
    with still(path) as image:
        if image is None:
            raise Refused("It is not an image that we take.")
        if x + width > image.width or y + height > image.height:
            raise Refused(
                f"The box reaches beyond the picture, which has {image.width}x{image.height} pixels."
            )
        cut = folder / f"crop.{image.format.lower()}"
        image.crop((x, y, x + width, y + height)).save(cut, format=image.format, quality=95)
        return {"file": cut.name, "media_type": IMAGES[image.format]}


@contextlib.contextmanager
def still(path: Path) -> Iterator[Any]:
    """The whole image, turned as it is seen and decoded; None if it is none. Raises Refused."""
    # Its own check warns from here on, and refuses only at twice as many.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path, formats=list(IMAGES)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise Refused(f"It has {opened.width}x{opened.height} pixels: more than we take.")
            upright = ImageOps.exif_transpose(opened)
            upright.load()
            upright.format = opened.format
    except UnidentifiedImageError:
        yield None
        return
    except (OSError, SyntaxError, ValueError):
        raise Refused("It is a damaged image.") from None
    yield upright


def on_white(image: Any) -> Any:
    """Without transparency, as JPEG needs it."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def pictures(image: Any, folder: Path) -> dict[str, str]:
    """Write the poster and the thumbnail as JPEG; their names."""
    image.save(folder / "poster.jpg", quality=88)
    image.thumbnail(THUMBNAIL)
    image.save(folder / "thumbnail.jpg", quality=82)
    return {"poster": "poster.jpg", "thumbnail": "thumbnail.jpg"}


def moving(path: Path, folder: Path) -> dict[str, Any]:
    """The facts and pictures of a video, or the facts of a sound. Raises Refused."""
    try:
        with av.open(str(path), options=OPTIONS) as container:
            return facts_of(container, path, folder)
    except (av.FFmpegError, ValueError, OverflowError):
        raise Refused("It is not an image, a video or a sound that we take.") from None


def facts_of(container: Any, path: Path, folder: Path) -> dict[str, Any]:
    name = container.format.name
    # A cover in a song is no video.
    cover = av.stream.Disposition.attached_pic
    video = next((one for one in container.streams.video if not one.disposition & cover), None)
    audio = next(iter(container.streams.audio), None)
    for stream in (video, audio):
        if stream is not None and stream.codec_context is None:
            raise Refused("Its codec is none that we take.")
    seconds = float(container.duration or 0) / av.time_base
    if not 0 < seconds <= LONGEST_SECONDS:
        raise Refused("It has no length, or more than six hours.")
    facts = {
        "duration_seconds": round(seconds, 3),
        "audio_codec": audio.codec_context.codec.canonical_name if audio is not None else "",
    }
    if video is None:
        if audio is None or name not in SOUNDS:
            raise Refused("It has neither picture nor sound.")
        whole(container, audio, seconds)
        return {**facts, "kind": "audio", "media_type": SOUNDS[name]}
    if name not in VIDEOS:
        raise Refused("It is not a kind of video that we take.")
    # Bytes that are missing show only when all of it is read; so before the seek.
    whole(container, video, seconds)
    picture = frame(container, video, seconds)
    rate = video.average_rate or video.guessed_rate
    return {
        **facts,
        "kind": "video",
        "media_type": "video/quicktime" if brand(path) == b"qt  " else VIDEOS[name],
        "width": picture.width,
        "height": picture.height,
        "frames_per_second": round(float(rate), 3) if rate else None,
        "video_codec": video.codec_context.codec.canonical_name,
        "pixel_format": video.codec_context.pix_fmt,
        "faststart": starts_fast(path) if name == MOV else None,
        **pictures(picture, folder),
    }


def whole(container: Any, stream: Any, seconds: float) -> None:
    """Read all packets. Raises Refused where the end is missing."""
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
    end = 0.0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise Refused("It is damaged or cut off.")
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    except av.FFmpegError:
        raise Refused("It is damaged or cut off.") from None
    start = float((stream.start_time or 0) * stream.time_base)
    if end - start < seconds - max(0.5, seconds * 0.1):
        raise Refused("It is damaged or cut off.")


def frame(container: Any, video: Any, seconds: float) -> Any:
    """A picture of the clip, turned as it is seen; rarely is its first frame the best. Raises Refused."""
    context = video.codec_context
    if context.width * context.height > MOST_PIXELS:
        raise Refused(f"It has {context.width}x{context.height} pixels: more than we take.")
    context.options = {"codec_whitelist": DECODERS, "max_pixels": str(MOST_PIXELS)}
    context.thread_count = 1
    try:
        container.seek(int(min(seconds / 3, 2) * av.time_base))
        decoded = next(container.decode(video), None)
    except (av.FFmpegError, ValueError):
        decoded = None
    if decoded is None or decoded.width * decoded.height > MOST_PIXELS:
        raise Refused("Its picture can't be decoded.")
    turn = decoded.rotation % 360
    image = decoded.to_image(threads=1)
    return image.rotate(turn, expand=True) if turn else image


def boxes(path: Path) -> Iterator[tuple[bytes, int]]:
    """The top-level boxes of an MP4 file: their types, and where their contents begin (ISO 14496-12, 4.2)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            length, begin = int.from_bytes(header[:4]), position + 8
            if length == 1:
                length, begin = int.from_bytes(header[8:16]), position + 16
            yield header[4:8], begin
            if length < 8:
                return
            position += length


def brand(path: Path) -> bytes:
    """The major brand of an MP4 file; empty for others."""
    for kind, begin in boxes(path):
        if kind == b"ftyp":
            with path.open("rb") as file:
                file.seek(begin)
                return file.read(4)
        break
    return b""


def starts_fast(path: Path) -> bool:
    """Whether the index comes before the pictures, so that playing can begin while it loads."""
    return next((kind for kind, _ in boxes(path) if kind in (b"moov", b"mdat")), b"") == b"moov"


def main() -> None:
    parent, folder, action, path = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    confine(parent)
    try:
        if action == "crop":
            x, y, width, height = map(int, sys.argv[5:9])
            facts = crop(path, folder, (x, y, width, height))
        else:
            facts = measure(path, folder)
    except Refused as refused:
        facts = {"refused": str(refused)}
    except MemoryError:
        facts = {"refused": "It takes more memory than we give."}
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
