"""`python -m config.stack.demo`: the main job, from signing up to a finished film, through the public REST API.

It knows the server's address (PUBLIC_URL) and the mailbox (EMAIL_FOLDER). Ends with 1 at the first thing that is
not as it must be.
"""

import io
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw
from requests import RequestException
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from .client import Client, Deviation, Refused, expect
from .film import film
from .rendering import render

OUTPUT = Path("demo-output")
PASSWORD = "a demo that nobody guesses"  # noqa: S105 (of an account that lives for a minute)
RENDER_SECONDS = 300
POLL_SECONDS = 0.5
DURATION_TOLERANCE_SECONDS = 0.2
RATIO_TOLERANCE = 0.01
ENDED = frozenset({"completed", "failed", "cancelled"})


def demo(console: Console, address: str, mailbox: Path) -> None:
    """Sign up, price, create, follow, download and check two videos, and print what they cost."""
    client = Client(address)
    person = f"demo-{int(time.time())}@example.com"
    client.sign_up(person, PASSWORD, mailbox)
    granted = client.get("credits/")
    console.print(f"Signed up as [bold]{person}[/], with {granted['balance']:,} credits {worth(granted)}")

    model = next(
        one for one in client.get("models/")["results"] if one["provider"] == "sandbox" and usable(one)
    )
    project = client.post("projects/", {"title": "The demo"})
    image = client.upload("sky.png", "image/png", start_image())
    console.print(
        f"Project [bold]{project['title']}[/], model [bold]{model['name']}[/], a start image uploaded"
    )

    landscape = {
        "model": model["id"],
        "prompt": "A lighthouse above a calm sea, the sun going down behind it",
        "resolution": "720p",
        "ratio": "16:9",
        "duration_seconds": 5,
    }
    portrait = {
        "model": model["id"],
        "prompt": "The picture comes to life: clouds drift, the light grows warm",
        "resolution": "720p",
        "ratio": "9:16",
        "duration_seconds": 4,
        "start_image": image["id"],
    }
    drafts = {"text to video": landscape, "image to video": portrait}
    quotes = {name: client.post("estimates/", draft) for name, draft in drafts.items()}
    print_quotes(console, quotes)
    started = {
        name: client.post(
            "generations/", {**draft, "project": project["id"], "quote_id": quotes[name]["quote_id"]}
        )
        for name, draft in drafts.items()
    }
    finished = follow(console, client, {name: one["id"] for name, one in started.items()})

    OUTPUT.mkdir(exist_ok=True)
    videos = Table("file", "format", "size", "duration", "starts at once", title="Videos")
    for name, generation in finished.items():
        target = OUTPUT / f"{name.replace(' ', '-')}.mp4"
        client.download(f"generations/{generation['id']}/download/", target)
        videos.add_row(target.name, *checked(target, drafts[name]))
    console.print(videos)
    spent = {name: one["credits"]["used"] for name, one in finished.items()}
    for name, used in spent.items():
        expect(used, quotes[name]["credits"], f"what {name} cost")
    path = film(console, client)
    spent["the film"] = render(console, client, path, OUTPUT)["credits"]["used"]
    settle(console, client, granted["balance"], spent)


def usable(model: Mapping[str, Any]) -> bool:
    """Whether the model does what the demo asks for."""
    return (
        model["health"] == "available" and {"text", "image"} <= set(model["modes"]) and model["credits"] > 0
    )


def worth(balance: Mapping[str, Any]) -> str:
    """What a balance is worth, for people."""
    value = balance["balance_value"]
    return f"({value['currency']} {float(value['amount']):,.0f})"


def start_image() -> bytes:
    """A PNG of an evening sky."""
    image = Image.new("RGB", (720, 1280))
    draw = ImageDraw.Draw(image)
    for y in range(image.height):
        share = y / image.height
        draw.line(
            (0, y, image.width, y), (int(30 + 220 * share), int(40 + 90 * share), int(120 - 40 * share))
        )
    draw.ellipse((260, 700, 460, 900), fill=(255, 214, 120))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def print_quotes(console: Console, quotes: Mapping[str, Any]) -> None:
    """What each video will cost, part by part."""
    table = Table("video", "part", "credits", "money", title="Estimates")
    for name, quote in quotes.items():
        for part in quote["breakdown"]:
            table.add_row(name, part["label"], f"{part['credits']:,}", "")
        money = quote["money"]
        table.add_row(
            name, "[bold]total", f"[bold]{quote['credits']:,}", f"{money['currency']} {money['amount']}"
        )
    console.print(table)


def follow(console: Console, client: Client, ids: Mapping[str, str]) -> dict[str, Any]:
    """Show the progress of the generations until all have ended; each as the API shows it at its end."""
    latest: dict[str, Any] = {}
    deadline = time.monotonic() + RENDER_SECONDS
    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[stage]:<11}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[eta]}"),
    )
    with Progress(*columns, console=console) as progress:
        bars = {name: progress.add_task(name, total=100, stage="queued", eta="") for name in ids}
        while time.monotonic() < deadline:
            for name in ids:
                if name in latest and latest[name]["status"] in ENDED:
                    continue
                generation = latest[name] = client.get(f"generations/{ids[name]}/")
                progress.update(
                    bars[name],
                    completed=generation["progress"],
                    stage=generation["stage"] or generation["status"],
                    eta=remaining(generation["eta_at"]),
                )
            if all(one["status"] in ENDED for one in latest.values()):
                break
            time.sleep(POLL_SECONDS)
    for name, generation in latest.items():
        expect(generation["status"], "completed", f"{name} ({generation['error']})")
        expect(generation["progress"], 100, f"{name}'s progress")
    return latest


def remaining(eta_at: str | None) -> str:
    """The time left, for people."""
    if eta_at is None:
        return ""
    seconds = (datetime.fromisoformat(eta_at) - datetime.now(UTC)).total_seconds()
    return f"about {max(1, round(seconds))} s left" if seconds > 0 else "any moment"


def checked(file: Path, draft: Mapping[str, Any]) -> Sequence[str]:
    """What the file is, measured. Raises Deviation where it is not what was asked for."""
    with av.open(str(file)) as video:
        stream = video.streams.video[0]
        codec, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
        width, height = stream.codec_context.width, stream.codec_context.height
        frames = sum(1 for _ in video.decode(stream))
        rate = stream.average_rate
        seconds = float(frames / rate) if rate else 0.0
    asked = Fraction(*map(int, draft["ratio"].split(":")))
    expect(codec, "h264", f"{file}: codec")
    expect(pixels, "yuv420p", f"{file}: pixel format")
    if abs(width / height / float(asked) - 1) > RATIO_TOLERANCE:
        raise Deviation(f"{file}: {width}x{height} is not {draft['ratio']}")
    if abs(seconds - draft["duration_seconds"]) > DURATION_TOLERANCE_SECONDS:
        raise Deviation(f"{file}: {seconds:.2f} s instead of {draft['duration_seconds']} s")
    if not is_faststart(file):
        raise Deviation(f"{file}: its index stands at the end, so that it can't start while it loads")
    return f"{codec} {pixels}", f"{width}x{height}", f"{seconds:.2f} s", "yes"


def is_faststart(file: Path) -> bool:
    """Whether an MP4's index (moov) stands before its pictures (mdat)."""
    names = []
    with file.open("rb") as content:
        while len(header := content.read(8)) == 8:
            size, name = int.from_bytes(header[:4]), header[4:]
            names.append(name)
            if size == 1:
                content.seek(int.from_bytes(content.read(8)) - 16, io.SEEK_CUR)
            elif size >= 8:
                content.seek(size - 8, io.SEEK_CUR)
            else:
                break
    return b"moov" in names and b"mdat" in names and names.index(b"moov") < names.index(b"mdat")


def settle(console: Console, client: Client, granted: int, spent_on: Mapping[str, int]) -> None:
    """Print the ledger. Raises Deviation where it doesn't say what was promised and delivered."""
    spent = sum(spent_on.values())
    ledger = Table("entry", "credits", "held", "balance", "held in all", title="Ledger")
    for entry in reversed(client.everything("credits/entries/")):
        figures = (entry["amount"], entry["held_amount"], entry["balance_after"], entry["held_after"])
        ledger.add_row(
            entry["kind"], *(f"{figure:+,}" for figure in figures[:2]), *(f"{f:,}" for f in figures[2:])
        )
    console.print(ledger)
    balance = client.get("credits/")
    expect(balance["balance"], granted - spent, "the balance")
    expect(balance["held"], 0, "what is still held")
    expect(client.get("credits/verify/")["agrees"], True, "the ledger's own check")
    console.print(f"Spent [bold]{spent:,}[/] credits, {balance['balance']:,} are left {worth(balance)}")
    console.print(", ".join(f"{name} {credits:,}" for name, credits in spent_on.items()))
    console.print(f"All videos are in [bold]{OUTPUT.resolve()}[/]")


def main() -> int:
    console = Console()
    try:
        demo(console, os.environ["PUBLIC_URL"], Path(os.environ["EMAIL_FOLDER"]))
    except (Deviation, Refused, RequestException, TimeoutError, av.FFmpegError) as error:
        console.print(f"[bold red]The demo failed:[/] {type(error).__name__}: {error}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
