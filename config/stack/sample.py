"""Films made of nothing, whose cuts, fades, flashes and silences are known: for the demo, the tests and the bench."""

import colorsys
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imageio_ffmpeg import get_ffmpeg_exe

Style = Literal["mixed", "hard", "fades", "flashes", "fast"]

RATE = 30
# Sources are slow at full size: they are made with this short side and scaled up.
SHORT_SIDE = 180
SHORTEST_FRAMES, LONGEST_FRAMES = 24, 105
FADE_FRAMES = 18
# Neighbours of one kind differ by this many degrees of hue at least.
HUE_APART = 40
SILENCE_SECONDS = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A file, and what is true of it, in seconds from its beginning."""

    path: Path
    seconds: float
    hard_cuts: tuple[float, ...]
    # From one scene into the next, crossed or through black; no hard cut is near.
    fades: tuple[Stretch, ...]
    # Inside a scene, which goes on after it.
    flashes: tuple[Stretch, ...]
    silences: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    source: str
    frames: int
    flash: tuple[int, int] | None
    is_fast: bool


@dataclass(slots=True, kw_only=True)
class _Line:
    """The scenes one after the other; numbers are frames."""

    graph: list[str]
    frames: int
    cuts: list[int]
    fades: list[tuple[int, int]]
    flashes: list[tuple[int, int]]


def make(
    path: Path,
    *,
    seed: int,
    style: Style = "mixed",
    size: tuple[int, int] = (1080, 1920),
    scenes: int = 9,
    seconds: float | None = None,
    sound: bool = True,
) -> Film:
    """Make an H.264 film of `scenes` scenes, the same for the same arguments; AAC music, with silences, if wanted.

    Without `seconds`, scenes take 0.8 to 3.5 seconds each.
    """
    chance = random.Random(f"{seed} {style} {scenes}")
    made = _scenes(chance, _lengths(chance, scenes, seconds), style, _small(size))
    line = _line(chance, made, style, size)
    silences = _silences(chance, line.frames / RATE) if sound else ()
    graph, maps = line.graph, ["-map", "[v]"]
    if sound:
        graph.append(_music(chance, line.frames / RATE, silences))
        maps += ["-map", "[a]", "-c:a", "aac", "-b:a", "128k", "-ar", "48000"]
    subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-filter_complex", ";".join(graph), *maps,
         "-c:v", "libx264", "-preset", "superfast", "-crf", "26", "-pix_fmt", "yuv420p",
         "-movflags", "+faststart", str(path)],
        check=True,
    )  # fmt: skip
    return Film(
        path=path,
        seconds=line.frames / RATE,
        hard_cuts=tuple(frame / RATE for frame in line.cuts),
        fades=tuple(_stretch(*fade) for fade in line.fades),
        flashes=tuple(_stretch(*flash) for flash in line.flashes),
        silences=silences,
    )


def _stretch(begin: int, end: int) -> Stretch:
    return Stretch(start_seconds=begin / RATE, end_seconds=end / RATE)


def _small(size: tuple[int, int]) -> str:
    factor = min(1.0, SHORT_SIDE / min(size))
    width, height = (max(2, round(side * factor / 2) * 2) for side in size)
    return f"{width}x{height}"


def _lengths(chance: random.Random, scenes: int, seconds: float | None) -> list[int]:
    """In frames."""
    lengths = [chance.randint(SHORTEST_FRAMES, LONGEST_FRAMES) for _ in range(scenes)]
    if seconds is None:
        return lengths
    factor = seconds * RATE / sum(lengths)
    scaled = [max(SHORTEST_FRAMES, round(length * factor)) for length in lengths]
    scaled[-1] = max(SHORTEST_FRAMES, scaled[-1] + round(seconds * RATE) - sum(scaled))
    return scaled


def _scenes(chance: random.Random, lengths: Sequence[int], style: Style, size: str) -> list[_Scene]:
    made: list[_Scene] = []
    kind, hue = "", 0
    for frames in lengths:
        # Most neighbours are of another kind; the others differ by their colours alone.
        again = kind and chance.random() < 0.25
        kind = kind if again else chance.choice([name for name in SOURCES if name != kind])
        hue = (hue + chance.randint(HUE_APART, 360 - HUE_APART)) % 360
        flash = None
        if style in ("flashes", "mixed") and chance.random() < (0.6 if style == "flashes" else 0.3):
            begin = chance.randint(9, frames - 13)
            flash = (begin, begin + chance.randint(1, 4))
        is_fast = style in ("fast", "mixed") and chance.random() < (0.6 if style == "fast" else 0.3)
        source = SOURCES[kind](chance, size, hue)
        made.append(_Scene(source=source, frames=frames, flash=flash, is_fast=is_fast))
    return made


def _line(chance: random.Random, scenes: Sequence[_Scene], style: Style, size: tuple[int, int]) -> _Line:
    line = _Line(graph=[], frames=0, cuts=[], fades=[], flashes=[])
    parts: list[str] = []
    faded = False
    for number, scene in enumerate(scenes):
        line.graph.append(f"{_chain(chance, scene, size)}[s{number}]")
        # No scene is faded at both ends, so that the parts remain pairs.
        faded = (
            number > 0
            and not faded
            and style in ("fades", "mixed")
            and min(scene.frames, scenes[number - 1].frames) > 2 * FADE_FRAMES
            and chance.random() < (0.6 if style == "fades" else 0.25)
        )
        if faded:
            line.frames -= FADE_FRAMES
            line.fades.append((line.frames, line.frames + FADE_FRAMES))
            before = scenes[number - 1].frames - FADE_FRAMES
            transition = chance.choice(["fade", "fade", "fadeblack"])
            line.graph.append(
                f"[s{number - 1}][s{number}]xfade=transition={transition}:duration={FADE_FRAMES / RATE}"
                f":offset={before / RATE:.6f}[x{number}]"
            )
            parts[-1] = f"[x{number}]"
        else:
            if number:
                line.cuts.append(line.frames)
            parts.append(f"[s{number}]")
        if scene.flash:
            line.flashes.append((line.frames + scene.flash[0], line.frames + scene.flash[1]))
        line.frames += scene.frames
    line.graph.append(f"{''.join(parts)}concat=n={len(parts)}:v=1:a=0,fps={RATE}[v]")
    return line


def _chain(chance: random.Random, scene: _Scene, size: tuple[int, int]) -> str:
    # A source may have a slower rate; what follows counts frames.
    steps = [scene.source, f"fps={RATE}"]
    if scene.is_fast:
        # In shares of the picture, each frame.
        speeds = [chance.choice([-1, 1]) * chance.uniform(0.02, 0.06) for _ in range(2)]
        steps.append(f"scroll=horizontal={speeds[0]:.4f}:vertical={speeds[1]:.4f}")
    if scene.flash:
        begin, end = scene.flash
        light = chance.uniform(0.4, 0.95)
        steps.append(f"format=yuv420p,eq=brightness='{light:.2f}*between(n,{begin},{end - 1})':eval=frame")
    steps.append(f"scale={size[0]}:{size[1]}:flags=bilinear,setsar=1,format=yuv420p")
    steps.append(f"trim=end_frame={scene.frames},setpts=PTS-STARTPTS,settb=1/{RATE}")
    return ",".join(steps)


def _silences(chance: random.Random, seconds: float) -> tuple[Stretch, ...]:
    begins = [seconds * share + chance.uniform(0, 0.5) for share in (0.2, 0.6)]
    return tuple(
        Stretch(start_seconds=round(begin, 3), end_seconds=round(begin + SILENCE_SECONDS, 3))
        for begin in begins
    )


def _music(chance: random.Random, seconds: float, silences: Sequence[Stretch]) -> str:
    """Broken chords over a bass, with nothing at all where it is silent."""
    root = 220 * 2 ** (chance.randint(-5, 6) / 12)
    notes = [root * 2 ** (step / 12) for step in (0, 4, 7, 12)]
    voices = "+".join(
        f"0.18*sin(2*PI*{note:.2f}*t)*exp(-4*mod(t+{number}*0.15,0.6))" for number, note in enumerate(notes)
    )
    quiet = "+".join(f"between(t,{one.start_seconds},{one.end_seconds})" for one in silences)
    return (
        f"aevalsrc='({voices}+0.1*sin(PI*{root:.2f}*t))*not({quiet})':s=48000:d={seconds:.6f},"
        "aformat=channel_layouts=stereo[a]"
    )


def _colour(chance: random.Random, hue: float, *, lightness: tuple[float, float] = (0.25, 0.75)) -> str:
    red, green, blue = colorsys.hls_to_rgb(
        (hue + chance.uniform(-25, 25)) % 360 / 360, chance.uniform(*lightness), chance.uniform(0.5, 1)
    )
    return f"0x{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _gradients(chance: random.Random, size: str, hue: int) -> str:
    colours = ":".join(f"c{number}={_colour(chance, hue)}" for number in range(3))
    kind = chance.choice(["linear", "radial", "circular", "spiral"])
    return (
        f"gradients=s={size}:r={RATE}:n=3:{colours}:type={kind}:speed=0.01:seed={chance.randrange(1 << 30)}"
    )


def _night(chance: random.Random, size: str, hue: int) -> str:
    colours = ":".join(f"c{number}={_colour(chance, hue, lightness=(0.03, 0.16))}" for number in range(2))
    return f"gradients=s={size}:r={RATE}:n=2:{colours}:speed=0.01:seed={chance.randrange(1 << 30)},noise=alls=10:allf=t"


def _test_card(chance: random.Random, size: str, hue: int) -> str:
    return f"testsrc2=s={size}:r={RATE},hue=h={hue}"


def _bars(chance: random.Random, size: str, hue: int) -> str:
    return f"smptebars=s={size}:r={RATE},rotate={chance.uniform(0.1, 0.5):.3f}*t+{chance.uniform(0, 6):.3f},hue=h={hue}"


def _fractal(chance: random.Random, size: str, hue: int) -> str:
    x, y = chance.uniform(-1, -0.5), chance.uniform(-0.3, 0.1)
    start = f"start_scale={chance.uniform(0.3, 2):.3f}:start_x={x:.3f}:start_y={y:.3f}"
    return f"mandelbrot=s={size}:r={RATE}:{start},hue=h={hue}"


def _tinted(source: str, chance: random.Random, hue: int) -> str:
    saturation, lightness = chance.uniform(0.3, 0.9), chance.uniform(0.3, 0.7)
    tint = f"hue={hue}:saturation={saturation:.2f}:lightness={lightness:.2f}:mix=0.6"
    return f"{source},format=gbrp,colorize={tint}"


def _cells(chance: random.Random, size: str, hue: int) -> str:
    rule = chance.choice([18, 30, 54, 110])
    return _tinted(f"cellauto=s={size}:r={RATE}:rule={rule}:seed={chance.randrange(1 << 30)}", chance, hue)


def _life(chance: random.Random, size: str, hue: int) -> str:
    colours = f"life_color={_colour(chance, hue)}:death_color={_colour(chance, hue + 90)}"
    colours += f":mold_color={_colour(chance, hue + 180)}"
    source = f"life=s={size}:r=10:mold=10:{colours}:seed={chance.randrange(1 << 30)}"
    # It begins as noise, which is gone after a few steps.
    return f"{source},trim=start_frame=12,setpts=PTS-STARTPTS"


def _clouds(chance: random.Random, size: str, hue: int) -> str:
    scale = chance.uniform(0.005, 0.02)
    shape = f"octaves=3:xscale={scale:.4f}:yscale={scale:.4f}:tscale=0.4"
    source = f"perlin=s={size}:r={RATE}:{shape}:random_mode=seed:seed={chance.randrange(1 << 30)}"
    return _tinted(source, chance, hue)


def _grain(chance: random.Random, size: str, hue: int) -> str:
    return f"color=c={_colour(chance, hue)}:s={size}:r={RATE},noise=alls={chance.randint(20, 60)}:allf=t"


SOURCES: dict[str, Callable[[random.Random, str, int], str]] = {
    "gradients": _gradients,
    "night": _night,
    "test card": _test_card,
    "bars": _bars,
    "fractal": _fractal,
    "cells": _cells,
    "life": _life,
    "clouds": _clouds,
    "grain": _grain,
}
