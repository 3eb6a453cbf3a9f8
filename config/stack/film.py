"""The demo's second part: a sample is analysed, a film like it planned and talked about."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from . import sample
from .client import Client, Deviation, expect

FEWEST_CUTS = 8
CUT_TOLERANCE_SECONDS = 0.1
WITHIN_SECONDS = 180
POLL_SECONDS = 0.4
WISH = "make the first scene 4 seconds long and then fade between all scenes"


def film(console: Console, client: Client) -> str:
    """Upload a sample made on the spot, print its analysis, the plan, an edit by words with its price; the project."""
    with TemporaryDirectory() as folder:
        made = sample.make(
            Path(folder) / "sample.mp4", seed=11, style="hard", size=(360, 640), scenes=FEWEST_CUTS + 4
        )
        asset = client.upload("sample.mp4", "video/mp4", made.path.read_bytes())
    console.print(
        f"\nA sample of {made.seconds:.1f} s with {len(made.hard_cuts)} cuts, made on the spot and uploaded"
    )
    project = client.post(
        "projects/",
        {
            "title": "A film like the sample",
            "description": "A red boat leaves the harbour at dawn. Gulls follow it out to sea.",
            "sample": asset["id"],
        },
    )
    path = f"projects/{project['id']}/"
    followed(console, client, path)
    analysis = client.get(f"{path}analysis/")
    print_analysis(console, analysis)
    check_cuts([shot["start_seconds"] for shot in analysis["measurement"]["shots"][1:]], made.hard_cuts)

    plan = client.get(f"{path}plan/")["version"]
    print_plan(console, plan)
    expect(
        plan["price"]["credits"],
        sum(part["credits"] for part in plan["price"]["parts"]),
        "the plan's price against its parts",
    )
    turn = client.post(f"{path}chat/", {"message": WISH})
    answered = wait(lambda: client.get(f"{path}chat/{turn['id']}/"), lambda one: one["ended_at"] is not None)
    console.print(f"\n[bold]You:[/] {WISH}\n[bold]{answered['by']}:[/] {answered['reply']}")
    expect(answered["version"], plan["number"] + 1, "the version that the talk made")
    print_comparison(console, answered["comparison"])
    client.post(f"{path}plan/versions/{plan['number']}/revert/", {})
    versions = client.get(f"{path}plan/versions/")["results"]
    console.print(
        "Versions: "
        + ", ".join(f"{one['number']} ({one['author']}: {one['note']})" for one in reversed(versions))
    )
    expect(versions[0]["digest"], plan["digest"], "the version gone back to")
    return path


def followed(console: Console, client: Client, path: str) -> None:
    """Show how far analysis and planning are, until there is a plan."""
    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[stage]:<13}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars = {name: progress.add_task(name, total=100, stage="queued") for name in ("analysis", "planning")}

        def look() -> Any:
            now = client.get(f"{path}progress/")
            for name, bar in bars.items():
                if now[name] is not None:
                    progress.update(
                        bar, completed=now[name]["progress"], stage=now[name]["stage"] or now[name]["status"]
                    )
            return now

        last = wait(look, lambda now: now["state"] in ("planned", "failed"))
        look()
    expect(last["state"], "planned", f"the project ({last['analysis']['error']})")


def wait(read: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """What is read once it is done. Raises Deviation where that takes too long."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not done(now := read()):
        if time.monotonic() > deadline:
            raise Deviation(f"it took over {WITHIN_SECONDS} s")
        time.sleep(POLL_SECONDS)
    return now


def check_cuts(found: list[float], known: tuple[float, ...]) -> None:
    """Raises Deviation where a cut was missed or made up."""
    if len(known) < FEWEST_CUTS:
        raise Deviation(f"the sample has {len(known)} cuts")
    missed = [cut for cut in known if not any(abs(cut - one) <= CUT_TOLERANCE_SECONDS for one in found)]
    expect((len(found), missed), (len(known), []), "the cuts found, and those missed")


def print_analysis(console: Console, analysis: Mapping[str, Any]) -> None:
    measured, report = analysis["measurement"], analysis["report"]
    shots = Table("shot", "from", "to", "camera", "colours", "light", "motion", title="Analysis")
    for shot in measured["shots"]:
        colours = Text()
        for colour in shot["colours"]:
            colours.append("██", style=colour["hex"])
        shots.add_row(
            str(shot["number"]),
            f"{shot['start_seconds']:.2f} s",
            f"{shot['end_seconds']:.2f} s",
            shot["camera"],
            colours,
            f"{shot['brightness']:.2f}",
            f"{shot['motion']:.2f}",
        )
    console.print(shots)
    said = Table("about", "statement", "basis", "by")
    for name in ("summary", "content", "style", "pacing", "composition", "mood", "camera", "audio"):
        said.add_row(name, report[name]["text"], report[name]["basis"], report[name]["by"])
    console.print(said)


def print_plan(console: Console, plan: Mapping[str, Any]) -> None:
    price = plan["price"]
    prices = {part["part"]: part for part in price["parts"]}
    table = Table("", "at", "shows", "clip", "begins", title="The plan", expand=True)
    table.add_column("model", no_wrap=True)
    table.add_column("credits", justify="right")
    table.add_column("story")
    for segment, start in zip(plan["film"]["segments"], plan["starts"], strict=True):
        table.add_row(
            segment["id"],
            f"{start:.1f} s",
            f"{segment['seconds']:.1f} s",
            f"{segment['clip_seconds']} s",
            segment["transition"]["kind"] if segment["continuity"] == "cut" else "continues",
            segment["model"],
            f"{prices[segment['id']]['credits']:,}",
            segment["story"],
        )
    console.print(table)
    console.print(f"Why {plan['film']['segments'][0]['model']}: {plan['film']['segments'][0]['reason']}")
    console.print(
        f"{plan['seconds']:.1f} s of film, {plan['clip_seconds']} s of clips, "
        f"[bold]{price['credits']:,}[/] credits ({price['money']['currency']} {price['money']['amount']}), "
        f"about {price['eta_seconds']:.0f} s to make; nothing is spent yet"
    )


def print_comparison(console: Console, comparison: Mapping[str, Any]) -> None:
    table = Table("part", "what", "before", "after", title="What changed")
    for one in comparison["differences"]:
        what = one["field"] or one["kind"]
        table.add_row(one["part"], what, shown(one["before"]), shown(one["after"]))
    console.print(table)
    redo = comparison["redo"]
    console.print(
        f"Stale: {', '.join(comparison['stale']) or 'nothing'}; redoing that costs "
        f"[bold]{redo['credits']:,}[/] credits and about {redo['eta_seconds']:.0f} s"
    )


def shown(value: Any) -> str:
    """In a few words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items())[:60]
    return str(value)[:60]
