"""Files that mean harm, each in the clothes of a video, a picture or a sound.

Each is made by `make(folder, canary, url)`: the canary is a file beside it that must never be read, the url one
that must never be fetched.
"""

import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

Maker = Callable[[Path, Path, str], bytes]


def _concat(folder: Path, canary: Path, url: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{canary.name}'\n".encode()


def _concat_of_url(folder: Path, canary: Path, url: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{url}'\n".encode()


def _hls(folder: Path, canary: Path, url: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n".encode()


def _hls_of_file(folder: Path, canary: Path, url: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{canary}\n#EXT-X-ENDLIST\n".encode()


def _hls_of_concat(folder: Path, canary: Path, url: str) -> bytes:
    header = folder / "header.m3u8"
    header.write_text(f"#EXTM3U\n#EXTINF:,\n{url}?")
    return f"#EXTM3U\n#EXTINF:10,\nconcat:file://{header}|file://{canary}\n#EXT-X-ENDLIST\n".encode()


def _dash(folder: Path, canary: Path, url: str) -> bytes:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        f'bandwidth="1"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>'
    ).encode()


def _session_description(folder: Path, canary: Path, url: str) -> bytes:
    lines = (
        "v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=x", "c=IN IP4 127.0.0.1", "t=0 0", "m=video 40000 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
    )  # fmt: skip
    return "\n".join(lines).encode()


def _image_pattern_script(folder: Path, canary: Path, url: str) -> bytes:
    return f"P6\n# {canary}\n10 10\n255\n".encode() + b"\0" * 300


def _drawing(folder: Path, canary: Path, url: str) -> bytes:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<image xlink:href="{url}"/><image xlink:href="file://{canary}"/></svg>'
    ).encode()


def _postscript(folder: Path, canary: Path, url: str) -> bytes:
    return f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({canary}) (r) file 99 string readstring\n".encode()


def _subtitle_index(folder: Path, canary: Path, url: str) -> bytes:
    (folder / "file.sub").symlink_to(canary)
    return b"# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n"


def _web_page(folder: Path, canary: Path, url: str) -> bytes:
    return f"<html><video src='{url}'></video></html>".encode()


def _program(folder: Path, canary: Path, url: str) -> bytes:
    return b"\x7fELF\x02\x01\x01" + b"\0" * 500


def _nothing(folder: Path, canary: Path, url: str) -> bytes:
    return b""


def _noise(folder: Path, canary: Path, url: str) -> bytes:
    return bytes((number * 7919) % 251 for number in range(50_000))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, body: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _png_bomb(folder: Path, canary: Path, url: str) -> bytes:
    # 15,000 x 15,000 pixels, 675 MB, in 656 kB.
    packer = zlib.compressobj(9)
    row = b"\0" * (15_000 * 3 + 1)
    return _png(15_000, 15_000, b"".join(packer.compress(row) for _ in range(15_000)) + packer.flush())


def _png_that_lies(folder: Path, canary: Path, url: str) -> bytes:
    return _png(2**31 - 1, 2**31 - 1, zlib.compress(b"\0"))


def _png_with_a_text_bomb(folder: Path, canary: Path, url: str) -> bytes:
    text = b"comment\0\0" + zlib.compress(b"\0" * (400 << 20), 9)
    image = _png(8, 8, zlib.compress(b"\0" * 8 * 25))
    return image[:33] + _chunk(b"zTXt", text) + image[33:]


def _cut_png(folder: Path, canary: Path, url: str) -> bytes:
    return _png(64, 64, zlib.compress(bytes(range(256)) * 49)[: 64 * 193])[:200]


def _video(*arguments: str, folder: Path, name: str = "made.mp4") -> bytes:
    made = folder / name
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *arguments, str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made.read_bytes()


_CLIP = ("-f", "lavfi", "-i", "testsrc=s=160x90:r=24:d=4", "-c:v", "libx264", "-pix_fmt", "yuv420p")


def _cut_video(folder: Path, canary: Path, url: str) -> bytes:
    content = _video(*_CLIP, "-movflags", "+faststart", folder=folder)
    return content[: len(content) * 2 // 3]


def _video_without_index(folder: Path, canary: Path, url: str) -> bytes:
    content = _video(*_CLIP, folder=folder)
    return content[: content.rindex(b"moov") - 4]


def _video_of_other_files(folder: Path, canary: Path, url: str) -> bytes:
    """A QuickTime film whose pictures are in another file (a data reference to the canary)."""
    content = _video(*_CLIP, "-movflags", "+faststart", folder=folder, name="made.mov")
    alias = b"\0\0\0\0alis" + b"\0" * 2 + canary.name.encode().ljust(60, b"\0")
    return content.replace(b"\x00\x00\x00\x01url ", b"\x00\x00\x00\x00url ", 1).replace(
        b"url \0\0\0\x01", alias[:12], 1
    )


def _endless_index(folder: Path, canary: Path, url: str) -> bytes:
    """A table of samples that says that it has four thousand million entries."""
    content = bytearray(_video(*_CLIP, "-movflags", "+faststart", folder=folder))
    for table in (b"stsz", b"stts", b"stco", b"ctts"):
        place = content.find(table)
        if place >= 0:
            offset = 12 if table == b"stsz" else 8
            content[place + offset : place + offset + 4] = b"\xff\xff\xff\xff"
    return bytes(content)


def _pixels_that_lie(folder: Path, canary: Path, url: str) -> bytes:
    """A sound film in a WebM that claims a picture of 60,000 x 60,000."""
    content = _video(*_CLIP[:4], "-c:v", "libvpx", folder=folder, name="made.webm")
    for element, value in ((b"\xb0\x81\xa0", b"\xb0\x81\xff"), (b"\xba\x81\x5a", b"\xba\x81\xff")):
        content = content.replace(element, value)
    # The key frame's own size: 14 bits each.
    start = content.find(b"\x9d\x01\x2a")
    return content[: start + 3] + b"\xff\x3f\xff\x3f" + content[start + 7 :]


def _old_codec(folder: Path, canary: Path, url: str) -> bytes:
    return _video(
        "-f", "lavfi", "-i", "testsrc=s=160x90:d=1", "-c:v", "qtrle", folder=folder, name="made.mov"
    )


def _other_container(folder: Path, canary: Path, url: str) -> bytes:
    return _video(
        "-f", "lavfi", "-i", "testsrc=s=160x90:d=1", "-c:v", "mpeg4", folder=folder, name="made.avi"
    )


def _animation(folder: Path, canary: Path, url: str) -> bytes:
    return _video("-f", "lavfi", "-i", "testsrc=s=160x90:d=1", folder=folder, name="made.gif")


CORPUS: dict[str, Maker] = {
    maker.__name__.removeprefix("_"): maker
    for maker in (
        _concat, _concat_of_url, _hls, _hls_of_file, _hls_of_concat, _dash, _session_description,
        _image_pattern_script, _drawing, _postscript, _subtitle_index, _web_page, _program, _nothing, _noise,
        _png_bomb, _png_that_lies, _png_with_a_text_bomb, _cut_png, _cut_video, _video_without_index,
        _endless_index, _pixels_that_lie, _old_codec, _other_container, _animation,
    )
}  # fmt: skip
# May be played without what it asks for, or refused.
HARMLESS_WHEN_READ: dict[str, Maker] = {"video_of_other_files": _video_of_other_files}
