"""Makes the videos: a moving picture with the prompt on it, by FFmpeg.

Nothing a client sends reaches FFmpeg's command line or its filters: the prompt is written into a caption
file, and images are decoded, cropped and written anew before FFmpeg opens them. Equal orders share one file,
so that a load test renders once.
"""

import asyncio
import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import imageio_ffmpeg
from PIL import Image, ImageOps

from providers.contract import OutputSource
from providers.http import Client, HttpError

from .captions import caption_file
from .orders import RATIOS, RESOLUTIONS, Order

FRAMES_PER_SECOND = 24
AT_ONCE = 2
LIMIT_SECONDS = 300
IMAGE_BYTES = 20 << 20
IMAGE_PIXELS = 50_000_000
# What does not change the picture.
_NOT_SEEN = frozenset({"client_reference", "callback_url", "fault", "seconds", "negative_prompt", "enhance"})
_PALETTES = {
    "realistic": ("1b2a6b", "2f6f8f", "9fc7b5", "12324f"),
    "cinematic": ("0b1d2e", "1f5c66", "e08e45", "2a1a2e"),
    "artistic": ("1b2a6b", "b0437d", "f2a65a", "12324f"),
    "commercial": ("273469", "5b5fc7", "e4577a", "1e2749"),
}
_CHORD = "0.08*(sin(2*PI*196*t)+sin(2*PI*246.94*t)+sin(2*PI*293.66*t))*(0.7+0.3*sin(PI*t))"


class InputUnreadable(Exception):
    """A first or last frame that can't be fetched or is no image."""


class RenderingFailed(Exception):
    """FFmpeg did not make the file; its last words are the message."""


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int


def size_of(order: Order) -> Size:
    """Pixels, even, with the resolution as the shorter side."""
    short, (wide, high) = RESOLUTIONS[order.resolution], RATIOS[order.ratio]
    longer = round(short * max(wide, high) / min(wide, high) / 2) * 2
    return Size(longer, short) if wide >= high else Size(short, longer)


class Renderer:
    """At most two FFmpegs at once."""

    def __init__(self, folder: Path, client: Client) -> None:
        self._folder = folder / "renders"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._scratch = folder / "scratch"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        self._fonts = _fonts(folder)
        self._client = client
        self._places = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[str]] = {}

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.mp4"

    async def render(self, order: Order) -> str:
        """The name of the finished file. Raises InputUnreadable or RenderingFailed."""
        name = order.digest(without=_NOT_SEEN)
        if self.path(name).exists():
            return name
        if name not in self._running:
            task = asyncio.create_task(self._make(order, name))
            self._running[name] = task
            task.add_done_callback(lambda _: self._running.pop(name))
        # Shared: one client that cancels doesn't take the video from the others.
        return await asyncio.shield(self._running[name])

    async def truncate(self, name: str) -> str:
        """A copy that lacks its last third."""
        whole = await asyncio.to_thread(self.path(name).read_bytes)
        await asyncio.to_thread(self.path(f"{name}-cut").write_bytes, whole[: len(whole) * 2 // 3])
        return f"{name}-cut"

    async def _make(self, order: Order, name: str) -> str:
        async with self._places:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._scratch))
            try:
                size = size_of(order)
                stills = [url for url in (order.first_frame, order.last_frame) if url]
                for number, url in enumerate(stills):
                    await asyncio.to_thread(self._fetch_still, url, folder / f"{number}.bmp", size)
                (folder / "caption.ass").write_text(caption_file(order, size.width, size.height))
                await self._run(_arguments(order, size, len(stills), name), folder)
                (folder / "out.mp4").replace(self.path(name))
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, True)
        return name

    def _fetch_still(self, url: str, path: Path, size: Size) -> None:
        try:
            with tempfile.TemporaryFile() as file:
                self._client.download(OutputSource(url=url), file, max_bytes=IMAGE_BYTES)
                with Image.open(file, formats=("PNG", "JPEG", "WEBP")) as image:
                    if image.width * image.height > IMAGE_PIXELS:
                        raise InputUnreadable
                    upright = ImageOps.exif_transpose(image).convert("RGB")
                    ImageOps.fit(upright, (size.width, size.height), Image.Resampling.BICUBIC).save(path)
        except (HttpError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise InputUnreadable from None

    async def _run(self, arguments: list[str], folder: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            imageio_ffmpeg.get_ffmpeg_exe(),
            *arguments,
            cwd=folder,
            env={"FONTCONFIG_FILE": str(self._fonts)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, errors = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        except TimeoutError:
            raise RenderingFailed("took too long") from None
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise RenderingFailed(errors.decode(errors="replace")[-500:])


def _arguments(order: Order, size: Size, stills: int, name: str) -> list[str]:
    """FFmpeg's command line: figures and our own file names only."""
    duration = order.duration
    if stills:
        inputs = [
            part for i in range(stills) for part in ("-framerate", str(FRAMES_PER_SECOND), "-i", f"{i}.bmp")
        ]
    else:
        inputs = ["-f", "lavfi", "-i", _gradient(order, size, name)]
    sources = max(stills, 1)
    if order.audio:
        inputs += ["-f", "lavfi", "-i", f"aevalsrc='{_CHORD}':s=48000:d={duration}:c=stereo"]
        sound = ["-map", f"{sources}:a", "-af", f"afade=d=0.3,afade=t=out:st={duration - 0.5}:d=0.5"]
        sound += ["-c:a", "aac", "-b:a", "128k"]
    else:
        sound = ["-an"]
    return [
        "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-protocol_whitelist", "file,pipe",
        *inputs,
        "-filter_complex", _picture(order, size, stills), "-map", "[v]",
        *sound,
        "-frames:v", str(duration * FRAMES_PER_SECOND), "-r", str(FRAMES_PER_SECOND),
        "-c:v", "libx264", "-profile:v", "high", "-preset", "superfast", "-crf", "23", "-threads", "2",
        "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-map_metadata", "-1", "out.mp4",
    ]  # fmt: skip


def _gradient(order: Order, size: Size, name: str) -> str:
    """Drawn small, since it is smooth, and blown up by the camera."""
    seed = order.seed if order.seed is not None else int(name[:8], 16)
    styles = list(_PALETTES)
    palette = _PALETTES[order.style or styles[seed % len(styles)]]
    colours = ":".join(f"c{i}=0x{colour}" for i, colour in enumerate(palette))
    width, height = size.width // 8 * 2, size.height // 8 * 2
    kind = ("linear", "spiral")[seed % 2]
    speed = 0.002 + 0.03 * order.motion_strength
    return (
        f"gradients=s={width}x{height}:r={FRAMES_PER_SECOND}:d={order.duration}:{colours}:nb_colors=4"
        f":seed={seed}:type={kind}:speed={speed:.4f}"
    )


def _picture(order: Order, size: Size, stills: int) -> str:
    loop = f"loop=loop=-1:size=1,trim=duration={order.duration},"
    if stills == 2:
        middle, fade = order.duration * 0.3, order.duration * 0.4
        picture = (
            f"[0:v]{loop}{_camera(order, size, 't')},settb=1/{FRAMES_PER_SECOND}[a];"
            f"[1:v]{loop}{_camera(order, size, f'({order.duration}-t)')},settb=1/{FRAMES_PER_SECOND}[b];"
            f"[a][b]xfade=transition=fade:duration={fade:.2f}:offset={middle:.2f}"
        )
    else:
        time = f"({order.duration}-t)" if order.camera == "zoom_out" else "t"
        picture = f"[0:v]{loop if stills else ''}{_camera(order, size, time)}"
    return f"{picture},setsar=1,ass=caption.ass,format=yuv420p[v]"


def _camera(order: Order, size: Size, time: str) -> str:
    """Closer by up to 30 % at the end of `time`, towards a side when it pans."""
    zoom = 0 if order.camera == "static" else 0.3 * order.motion_strength
    grown = f"(1+{zoom:.3f}*{time}/{order.duration})"
    side = {"pan_left": "0", "pan_right": "1"}.get(order.camera, "0.5")
    return (
        f"scale=w='2*trunc({size.width}*{grown}/2)':h='2*trunc({size.height}*{grown}/2)':eval=frame:flags=bicubic,"
        f"crop={size.width}:{size.height}:'(iw-ow)*{side}':'(ih-oh)/2'"
    )


def _fonts(folder: Path) -> Path:
    """A fontconfig file that knows the wheel's Noto fonts and no others, whatever the machine has."""
    package = importlib.util.find_spec("manimgx_fonts")
    if package is None or package.origin is None:
        raise RuntimeError("manimgx-fonts is missing from this environment")
    path = folder / "fonts.conf"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{escape(str(Path(package.origin).parent))}</dir>"
        f"<cachedir>{escape(str(folder / 'fontcache'))}</cachedir></fontconfig>"
    )
    return path
