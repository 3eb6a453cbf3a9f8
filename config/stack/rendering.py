"""The demo's third part: the plan is rendered, followed segment by segment, downloaded and checked."""

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from .client import Client, Deviation, expect

# On two cores with nothing else to do it takes half of it.
WITHIN_SECONDS = 420
POLL_SECONDS = 1.0
FEWEST_SEGMENTS = 4
FRAMES_PER_SECOND = 30
SIZE = (1080, 1920)
TRANSITIONS = ("fade", "wipe", "circle", "slide")
LINES = (
    "A red boat leaves at dawn.",
    "Gulls follow it out to sea.",
    "The light grows warm.",
    "And the day begins.",
)


def render(console: Console, client: Client, path: str, output: Path) -> Mapping[str, Any]:
    """Give the plan a voice, music, captions, a title and a grade; render it; save the film; what it cost."""
    version = client.patch(f"{path}plan/", {"edits": wishes(client.get(f"{path}plan/")["version"]["film"])})
    print_timeline(console, version)
    quote = client.post(f"{path}renders/estimates/", {})
    print_price(console, quote)
    began = time.monotonic()
    started = client.post(f"{path}renders/", {"quote_id": quote["quote_id"]})
    finished: Mapping[str, Any] = follow(console, client, f"renders/{started['id']}/")
    taken = time.monotonic() - began
    expect(finished["status"], "completed", f"the render ({finished['error']})")
    expect(finished["credits"]["used"], quote["credits"], "what the film cost")
    print_stages(console, finished, taken)
    target = output / "film.mp4"
    client.download(f"renders/{started['id']}/download/", target)
    check(console, target, version)
    console.print(f"The film is [bold]{target.resolve()}[/]")
    return finished


def wishes(film: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the demo makes of the plan, as typed edits."""
    names = [segment["id"] for segment in film["segments"]]
    if len(names) < FEWEST_SEGMENTS:
        raise Deviation(f"the plan has {len(names)} segments")
    edits: list[dict[str, Any]] = [
        {
            "op": "set_transition",
            "segment": name,
            "kind": TRANSITIONS[index % len(TRANSITIONS)],
            "seconds": 0.5,
        }
        for index, name in enumerate(names[1:])
    ]
    lines = [{"segment": name, "text": line} for name, line in zip(names, LINES, strict=False)]
    edits += [
        {"op": "set_voice", "script": lines},
        {"op": "set_audio", "strategy": "voice_over"},
        {"op": "set_music", "music": "calm piano, slow and warm"},
        {"op": "set_captions", "captions": True},
        {"op": "set_grade", "grade": "cinematic"},
        {
            "op": "set_overlay",
            "segment": names[0],
            "text": "Harbour, 6:30",
            "position": "top",
            "animation": "typewriter",
        },
        {"op": "set_picture_effects", "segment": names[-1], "effects": ["vignette"]},
    ]
    return edits


def print_timeline(console: Console, version: Mapping[str, Any]) -> None:
    """What is seen and heard, and when."""
    film = version["film"]
    spoken = {line["segment"]: line["text"] for line in film["audio"]["script"]}
    table = Table("", "from", "to", "begins with", "text", "voice", title="The timeline", expand=True)
    for segment, start in zip(film["segments"], version["starts"], strict=True):
        table.add_row(
            segment["id"],
            f"{start:.2f} s",
            f"{start + segment['seconds']:.2f} s",
            segment["transition"]["kind"],
            ", ".join(over["text"] for over in segment["overlays"]),
            spoken.get(segment["id"], ""),
        )
    console.print(table)
    console.print(
        f"{version['seconds']:.1f} s, grade {film['post']['grade']}, music “{film['audio']['music']}”, "
        f"captions {'on' if film['post']['captions'] else 'off'}"
    )


def print_price(console: Console, quote: Mapping[str, Any]) -> None:
    table = Table("part", "by", "credits", title="What the film costs")
    for part in quote["parts"]:
        table.add_row(part["part"], part["model"] or "us", f"{part['credits']:,}")
    table.add_row("[bold]total", "", f"[bold]{quote['credits']:,}")
    console.print(table)
    eta = quote["eta"]
    console.print(
        f"{quote['money']['currency']} {quote['money']['amount']}, binding; "
        f"about {eta['typical_seconds']:.0f} s ({eta['earliest_seconds']:.0f} to {eta['late_seconds']:.0f})"
    )


def follow(console: Console, client: Client, path: str) -> Any:
    """Show the render and each segment until it has ended. Raises Deviation where that takes too long."""
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[stage]:<12}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[eta]}"),
    )
    deadline = time.monotonic() + WITHIN_SECONDS
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def draw(name: str, percent: int, stage: str, eta: str = "") -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=100, stage="", eta="")
            progress.update(bars[name], completed=percent, stage=stage, eta=eta)

        while True:
            now = client.get(path)
            draw("film", now["progress"], now["stage"] or now["status"], _remaining(now["eta"]))
            for one in now["segments"]:
                draw(one["segment"], one["progress"], one["stage"] or one["status"])
            if now["ended_at"] is not None or now["status"] == "needs_attention":
                return now
            if time.monotonic() > deadline:
                raise Deviation(f"the film took over {WITHIN_SECONDS} s")
            time.sleep(POLL_SECONDS)


def _remaining(eta: Mapping[str, str] | None) -> str:
    """The time left as a range, for people."""
    if eta is None:
        return ""
    earliest, late = (datetime.fromisoformat(eta[name]) for name in ("earliest_at", "late_at"))
    now = datetime.now(earliest.tzinfo)
    return (
        f"{max(0, (earliest - now).total_seconds()):.0f} to {max(1, (late - now).total_seconds()):.0f} s left"
    )


def print_stages(console: Console, finished: Mapping[str, Any], taken: float) -> None:
    """How long each step took."""
    table = Table("step", "seconds", title="Stages")
    for name, seconds in finished["timings"].items():
        table.add_row(name, f"{seconds:.1f}")
    table.add_row("[bold]from accepted to delivered", f"[bold]{taken:.1f}")
    console.print(table)
    made = Table("segment", "by", "credits", "of which used", title="Segments")
    for one in finished["segments"]:
        made.add_row(
            one["segment"], one["made_by"], f"{one['credits']['quoted']:,}", f"{one['credits']['used']:,}"
        )
    console.print(made)


def check(console: Console, file: Path, version: Mapping[str, Any]) -> None:
    """Raises Deviation where the film is not what was planned."""
    with av.open(str(file)) as video:
        picture, sound = video.streams.video[0], video.streams.audio[0]
        size = (picture.codec_context.width, picture.codec_context.height)
        frames = sum(1 for _ in video.decode(picture))
        expect(picture.codec_context.name, "h264", "the film's codec")
        expect(size, SIZE, "the film's size")
        expect(frames, round(version["seconds"] * FRAMES_PER_SECOND), "the film's frames")
        expect(sound.rate, 48000, "the film's samples a second")
    console.print(
        f"h264, {size[0]}x{size[1]}, {frames} frames as planned, {file.stat().st_size / 1e6:.1f} MB"
    )
