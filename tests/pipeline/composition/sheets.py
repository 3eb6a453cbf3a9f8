"""`python -m tests.pipeline.composition.sheets`: contact sheets of all names, made by the composer, for the eye.

They are what docs/composition.md shows.
"""

import math
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pipeline.media.composition.parts import clip_parts
from pipeline.media.composition.timeline import Caption, Clip, Format, Text, Timeline, format_of
from pipeline.media.composition.vocabulary import Animation, EffectKind, Grade, Position, TransitionKind

from .films import Workshop

INTO = Path(__file__).resolve().parents[3] / "docs" / "images" / "composition"
RATE = 30
LABEL = 26
SCRIPTS = (
    "English — it's “quoted”, {braces} \\N 100%",
    "Français, Türkçe, Tiếng Việt",
    "Русский язык, Ελληνικά",
    "العربية تُقرأ من اليمين",
    "עברית נקראת מימין",
    "हिन्दी में लिखा हुआ पाठ",
    "বাংলা ভাষা · தமிழ் மொழி",
    "ภาษาไทยเขียนติดกันไม่เว้นวรรคจึงต้องตัดบรรทัด",
    "这是一个没有空格的很长的句子，需要换行",
    "日本語の字幕も折り返されます",
    "한국어 자막도 됩니다",
    "Emoji 😀 🎬 🚀 ❤️ 👍🏽",
)

Row = tuple[str, Sequence[Image.Image]]


def main() -> None:
    INTO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workshop = Workshop(folder)
        sources = {
            f"{scene} {ratio}": _source(folder / f"{scene}-{ratio.replace(':', 'x')}.mp4", scene, ratio)
            for scene in ("sunset", "sea")
            for ratio in ("9:16", "16:9")
        }
        sheets = {
            "transitions": (_transitions(workshop, sources), 2),
            "positions": (_positions(workshop, sources), 1),
            "animations": (_animations(workshop, sources), 1),
            "grades": (_grades(workshop, sources), 4),
            "effects": (_effects(workshop, sources), 2),
            "scripts": (_scripts(workshop, sources), 1),
        }
        for name, (rows, columns) in sheets.items():
            path = INTO / f"{name}.jpg"
            _sheet(rows, columns).save(path, quality=76, optimize=True)
            print(path.name, path.stat().st_size // 1000, "kB")


def _transitions(workshop: Workshop, sources: dict[str, Path]) -> list[Row]:
    kinds = [kind for kind in TransitionKind if kind is not TransitionKind.CUT]
    clips = [Clip(id="first", digest="sunset 16:9", frames=60)]
    for number, kind in enumerate(kinds):
        digest = "sunset 16:9" if number % 2 else "sea 16:9"
        clips.append(Clip(id=kind, digest=digest, frames=60, transition=kind, overlap=20))
    timeline = Timeline(format=format_of("16:9", short_side=120, preset="veryfast"), clips=tuple(clips))
    film = _frames(workshop.film(timeline, sources).film)
    return [
        (kind, [film[start + at] for at in (0, 5, 10, 15, 19)])
        for kind, start in zip(kinds, timeline.starts()[1:], strict=True)
    ]


def _positions(workshop: Workshop, sources: dict[str, Path]) -> list[Row]:
    rows = []
    for ratio in ("9:16", "16:9", "1:1"):
        fmt = format_of(ratio, short_side=400, preset="veryfast")
        digest = "sunset 16:9" if ratio == "16:9" else "sunset 9:16"
        texts = tuple(
            Text(text=position.replace("_", "\n"), position=position, start_seconds=0, end_seconds=2)
            for position in Position
        )
        caption = Caption(
            text="A caption, in two lines at most, below them all.", start_seconds=0, end_seconds=2
        )
        timeline = Timeline(
            format=fmt, clips=(Clip(id="one", digest=digest, frames=20, texts=texts),), captions=(caption,)
        )
        rows.append((ratio, [_frames(workshop.film(timeline, sources).film)[10]]))
    return [("9:16, 16:9 and 1:1", [frames[0] for _, frames in rows])]


def _animations(workshop: Workshop, sources: dict[str, Path]) -> list[Row]:
    fmt = format_of("9:16", short_side=200, preset="veryfast")
    rows: list[Row] = []
    for animation in Animation:
        texts = tuple(
            Text(
                text="Words over time", position=position, animation=animation, start_seconds=0, end_seconds=2
            )
            for position in (Position.TOP, Position.CENTRE, Position.BOTTOM)
        )
        frames = _clip(workshop, sources, Clip(id=animation, digest="sea 9:16", frames=60, texts=texts), fmt)
        rows.append((animation, [frames[at] for at in (0, 4, 8, 14, 30, 45, 57)]))
    return rows


def _grades(workshop: Workshop, sources: dict[str, Path]) -> list[Row]:
    fmt = format_of("9:16", short_side=180, preset="veryfast")
    return [
        (
            grade,
            [
                _clip(workshop, sources, Clip(id=scene, digest=f"{scene} 9:16", frames=2), fmt, grade)[1]
                for scene in ("sunset", "sea")
            ],
        )
        for grade in Grade
    ]


def _effects(workshop: Workshop, sources: dict[str, Path]) -> list[Row]:
    fmt = format_of("9:16", short_side=180, preset="veryfast")
    rows: list[Row] = []
    for effect in EffectKind:
        clip = Clip(id=effect, digest="sunset 9:16", frames=40, effects=(effect,))
        frames = _clip(workshop, sources, clip, fmt)
        rows.append((effect, [frames[at] for at in (0, 20, 39)]))
    return rows


def _scripts(workshop: Workshop, sources: dict[str, Path]) -> list[Row]:
    fmt = format_of("9:16", short_side=320, preset="veryfast")
    pictures = []
    for begin in range(0, len(SCRIPTS), 4):
        texts = tuple(
            Text(text=words, position=position, start_seconds=0, end_seconds=1)
            for words, position in zip(
                SCRIPTS[begin : begin + 3], (Position.TOP, Position.CENTRE, Position.BOTTOM), strict=True
            )
        )
        timeline = Timeline(
            format=fmt,
            clips=(Clip(id="one", digest="sea 9:16", frames=10, texts=texts),),
            captions=(Caption(text=SCRIPTS[begin + 3], start_seconds=0, end_seconds=1),),
        )
        pictures.append(_frames(workshop.film(timeline, sources).film)[5])
    return [("three texts and a caption each", pictures)]


def _clip(
    workshop: Workshop, sources: dict[str, Path], clip: Clip, fmt: Format, grade: Grade = Grade.NONE
) -> list[Image.Image]:
    timeline = Timeline(format=fmt, clips=(clip,), grade=grade)
    workshop.conform(timeline, clip.id, sources[clip.digest])
    return _frames(workshop.parts / clip_parts(timeline, clip.id)[0])


def _frames(path: Path) -> list[Image.Image]:
    with av.open(path) as container:
        return [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def _sheet(rows: Sequence[Row], columns: int) -> Image.Image:
    """Rows of pictures with their names above them, in this many columns of rows."""
    font = ImageFont.truetype(_font(), 17)
    gap = 4
    width = max(sum(picture.width + gap for picture in pictures) for _, pictures in rows) + 8
    heights = [max(picture.height for picture in pictures) + LABEL + gap for _, pictures in rows]
    per_column = math.ceil(len(rows) / columns)
    height = max(sum(heights[begin : begin + per_column]) for begin in range(0, len(rows), per_column))
    sheet = Image.new("RGB", (width * columns, height), "#16181d")
    draw = ImageDraw.Draw(sheet)
    for number, (label, pictures) in enumerate(rows):
        column = number // per_column
        x, y = column * width + gap, sum(heights[column * per_column : number])
        draw.text((x, y + 1), label, font=font, fill="#e8e8e8")
        for picture in pictures:
            sheet.paste(picture, (x, y + LABEL))
            x += picture.width + gap
    return sheet


def _source(path: Path, scene: str, ratio: str) -> Path:
    """Three seconds of a landscape in which the sun rises or a boat sails by."""
    size = (360, 640) if ratio == "9:16" else (640, 360)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "10", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(90):
            picture = _sunset(size, number / 90) if scene == "sunset" else _sea(size, number / 90)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _sky(size: tuple[int, int], above: tuple[int, int, int], below: tuple[int, int, int]) -> Image.Image:
    rows: NDArray[np.float64] = np.linspace(0, 1, size[1])[:, None, None]
    colours = np.array(above) * (1 - rows) + np.array(below) * rows
    return Image.fromarray(np.broadcast_to(colours, (size[1], size[0], 3)).astype(np.uint8))


def _sunset(size: tuple[int, int], time: float) -> Image.Image:
    width, height = size
    picture = _sky(size, (60, 70, 130), (250, 170, 90))
    draw = ImageDraw.Draw(picture)
    radius, y = min(size) // 7, height * (0.5 - 0.2 * time)
    draw.ellipse((width / 2 - radius, y - radius, width / 2 + radius, y + radius), fill=(255, 236, 170))
    picture = picture.filter(ImageFilter.GaussianBlur(1.5))
    draw = ImageDraw.Draw(picture)
    for layer, colour in enumerate([(120, 80, 110), (80, 55, 85), (40, 40, 55)]):
        base, swing = height * (0.6 + 0.12 * layer), height * 0.05
        hills = [
            (x, base + swing * math.sin(x / width * (5 + 3 * layer) + layer * 2))
            for x in range(0, width + 8, 8)
        ]
        draw.polygon([(0, height), *hills, (width, height)], fill=colour)
    for tree in range(9):
        x, foot = width * (0.06 + tree * 0.11), height * (0.9 + 0.04 * (tree % 3))
        draw.polygon([(x - 12, foot), (x, foot - 50), (x + 12, foot)], fill=(30, 60, 40))
    return picture


def _sea(size: tuple[int, int], time: float) -> Image.Image:
    width, height = size
    picture = _sky(size, (120, 190, 235), (225, 240, 245))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 0.52, width, height), fill=(20, 110, 130))
    for wave in range(14):
        y = height * (0.54 + 0.034 * wave)
        shift = 30 * math.sin(wave * 1.7 + time * 6)
        for x in range(-60, width + 60, 90):
            left = x + shift + 20 * (wave % 3)
            draw.line((left, y, left + 30 + wave * 2, y), fill=(90, 180, 190), width=2)
    bow, deck = width * (0.25 + 0.5 * time), height * 0.6
    hull = [(bow - 50, deck), (bow + 50, deck), (bow + 34, deck + 24), (bow - 34, deck + 24)]
    draw.polygon(hull, fill=(200, 50, 50))
    draw.polygon([(bow, deck - 6), (bow, deck - 90), (bow + 44, deck - 6)], fill=(250, 250, 245))
    draw.ellipse((width * 0.7, height * 0.1, width * 0.7 + 60, height * 0.1 + 60), fill=(255, 225, 90))
    return picture


def _font() -> str:
    spec = find_spec("manimgx_fonts")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "NotoSans[wght].ttf")


if __name__ == "__main__":
    main()
