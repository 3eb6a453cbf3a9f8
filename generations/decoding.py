"""The child that decodes a file: `python -I decoding.py FILE FOLDER` prints what it is as JSON.

It is started by `generations.inspection` under limits, imports none of the project, and opens only what is listed
here: a playlist or script in a video's clothes is refused by name.
"""

import json
import sys
from pathlib import Path
from typing import Any

IMAGES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
VIDEOS = {"mov,mp4,m4a,3gp,3g2,mj2": "video/mp4", "matroska,webm": "video/webm"}
SOUNDS = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mov,mp4,m4a,3gp,3g2,mj2": "audio/mp4",
    "matroska,webm": "audio/webm",
}
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mp3,wav,flac,ogg"
DECODERS = (
    "h264,hevc,vp8,vp9,av1,libdav1d,mpeg4,mjpeg,prores,aac,mp3,mp3float,opus,vorbis,flac,ac3,"
    "pcm_s16le,pcm_s24le,pcm_s32le,pcm_f32le,pcm_u8,pcm_s16be,alac"
)
OPTIONS = {
    "format_whitelist": DEMUXERS,
    "protocol_whitelist": "file",
    "codec_whitelist": DECODERS,
    "max_pixels": str(8192 * 8192),
}
MOST_PIXELS = 64_000_000
THUMBNAIL = (480, 480)


class Refused(Exception):
    """The text is what the owner reads."""


def image(path: Path, folder: Path) -> dict[str, Any] | None:
    """The facts and pictures of a still image; None if it is none."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(path, formats=list(IMAGES)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise Refused(f"It has {opened.width}x{opened.height} pixels: more than we take.")
            media_type = IMAGES[str(opened.format)]
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError:
        raise Refused("It has more pixels than we take.") from None
    except (OSError, SyntaxError, ValueError):
        raise Refused("It is a damaged image.") from None
    return {
        "kind": "image",
        "media_type": media_type,
        "width": upright.width,
        "height": upright.height,
        **pictures(upright, folder),
    }


def pictures(image: Any, folder: Path) -> dict[str, str]:
    """Write the poster and the thumbnail as JPEG; where they are."""
    poster, thumbnail = folder / "poster.jpg", folder / "thumbnail.jpg"
    image.save(poster, quality=88)
    small = image.copy()
    small.thumbnail(THUMBNAIL)
    small.save(thumbnail, quality=82)
    return {"poster": str(poster), "thumbnail": str(thumbnail)}


def moving(path: Path, folder: Path) -> dict[str, Any]:
    """The facts and pictures of a video, or the facts of a sound. Raises Refused."""
    import av

    try:
        container = av.open(str(path), options=OPTIONS)
    except (av.FFmpegError, ValueError):
        raise Refused("It is not an image, a video or a sound that we take.") from None
    with container:
        name = container.format.name
        video = next((one for one in container.streams.video if one.codec_context is not None), None)
        audio = next(iter(container.streams.audio), None)
        duration = container.duration / 1_000_000 if container.duration else None
        if not duration:
            raise Refused("It has no length.")
        facts: dict[str, Any] = {
            "duration_seconds": round(duration, 3),
            "audio_codec": audio.codec_context.name if audio is not None else "",
        }
        if video is None:
            if audio is None or name not in SOUNDS:
                raise Refused("It has neither picture nor sound.")
            return {**facts, "kind": "audio", "media_type": SOUNDS[name]}
        if name not in VIDEOS:
            raise Refused("It is not a kind of video that we take.")
        try:
            # The picture of a clip is rarely its first frame.
            container.seek(int(min(duration / 3, 2) * 1_000_000))
            frame = next(container.decode(video), None)
        except (av.FFmpegError, ValueError):
            frame = None
        if frame is None:
            raise Refused("Its picture can't be decoded.")
        context = video.codec_context
        rate = video.average_rate or video.guessed_rate
        return {
            **facts,
            "kind": "video",
            "media_type": VIDEOS[name],
            "width": context.width,
            "height": context.height,
            "frames_per_second": round(float(rate), 3) if rate else None,
            "video_codec": context.name,
            "pixel_format": context.pix_fmt,
            **pictures(frame.to_image(), folder),
        }


def complete(path: Path, facts: dict[str, Any]) -> None:
    """Raises Refused for a video whose last seconds are missing."""
    if facts["kind"] != "video":
        return
    import av

    with av.open(str(path), options=OPTIONS) as container:
        stream = container.streams.video[0]
        end = 0.0
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise Refused("It is damaged.")
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except av.FFmpegError:
            raise Refused("It is cut off.") from None
        if end < facts["duration_seconds"] - max(0.5, facts["duration_seconds"] * 0.1):
            raise Refused("It is cut off.")


def main() -> None:
    path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        facts = image(path, folder) or moving(path, folder)
        complete(path, facts)
        print(json.dumps(facts))
    except Refused as refused:
        print(json.dumps({"refused": str(refused)}))


if __name__ == "__main__":
    main()
