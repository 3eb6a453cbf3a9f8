"""`make demo VENDORS=all`: a clip of every vendor, by each of its models and modes, at simulators of their APIs.

The simulators are those of the tests, as strict as the vendors' documents; what speaks to them is the whole system.
`VENDORS=luma,runway` asks those only.
"""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from PIL import Image
from requests import RequestException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .child import die_with_parent, environment_of_python
from .client import Client, Deviation, Refused, expect
from .home import PROJECT

PASSWORD = "a demo that nobody guesses"  # noqa: S105 (of an account that lives for a minute)
CLIP_SECONDS = 120
POLL_SECONDS = 0.5
PROMPT = "A paper boat crosses a puddle in the rain"
IMAGES = {"image": ("start_image",), "first_last": ("start_image", "end_image")}


class Simulators:
    """The vendors' simulators in a process of their own."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, str]:
        """Start them; the settings with which the system speaks to them and to no other vendor."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.vendors", *self._names],
            env=environment_of_python(dict(os.environ)),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(),
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        free = {
            "creates_per_minute": 1_000,
            "running_jobs": 100,
            "queued_jobs": 100,
            "credits_per_day": 10_000_000,
            "max_resolution": "4K",
        }
        return {
            **told["environment"],
            # A gateway that speaks OpenAI's form and has a model of that name.
            "OPENAI_VIDEOS_MODELS": "sora-2",
            "SIMULATED_ORIGINS": ",".join(told["origins"]),
            "SIMULATORS_COUNTS": told["counts"],
            "SIGNUP_CREDITS": "1000000",
            "TIERS": json.dumps({"free": free}),
            # Of a simulator's, not of a vendor's.
            "EXPECTED_SECONDS": json.dumps(dict.fromkeys(told["vendors"], told["seconds"])),
        }

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One clip, or why there is none."""

    vendor: str
    model: str
    mode: str
    outcome: str
    seconds: float = 0.0
    credits: int = 0
    calls: int = 0


def demo(console: Console, address: str, mailbox: Path, counts: str) -> None:
    """Ask every configured vendor for a clip by each model and mode, and print what it took."""
    client = Client(address)
    client.sign_up(f"demo-{int(time.time())}@example.com", PASSWORD, mailbox)
    granted = client.get("credits/")["balance"]
    asked = set(requests.get(counts, timeout=5).json())
    models = [one for one in client.get("models/")["results"] if one["provider"] in asked]
    files = {name: client.upload(*file)["id"] for name, file in _files().items()}
    by_vendor: dict[str, list[Any]] = {}
    for model in models:
        by_vendor.setdefault(model["provider"], []).append(model)
    total = sum(len(one["modes"]) if one["health"] == "available" else 1 for one in models)
    columns = (TextColumn("Clips"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    rows: dict[str, list[Row]] = {}
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(len(by_vendor)) as threads:
        bar = progress.add_task("clips", total=total)

        def ask(vendor: str) -> list[Row]:
            found = []
            # One after the other at a vendor: what it is asked meanwhile is this clip's.
            for row in _clips(client, by_vendor[vendor], files, counts):
                progress.advance(bar)
                found.append(row)
            return found

        rows = dict(zip(by_vendor, threads.map(ask, by_vendor), strict=True))
    table = Table(
        "vendor", "model", "mode", "outcome", "time", "credits", "vendor calls", title="Every vendor"
    )
    for row in [one for found in rows.values() for one in found]:
        made = row.outcome == "completed"
        table.add_row(
            row.vendor,
            row.model,
            row.mode,
            row.outcome,
            f"{row.seconds:.1f} s" if made else "",
            f"{row.credits:,}" if made else "",
            str(row.calls) if made else "",
        )
    console.print(table)
    _settle(console, client, granted, [one for found in rows.values() for one in found])


def _clips(client: Client, models: Sequence[Any], files: Mapping[str, str], counts: str) -> Iterator[Row]:
    made_of_text: dict[str, str] = {}
    for model in models:
        if model["health"] != "available":
            yield _refused(client, model)
            continue
        for mode in sorted(model["modes"]):
            source = made_of_text.get(model["provider"], files["video"])
            before = requests.get(counts, timeout=5).json()[model["provider"]]
            began = time.monotonic()
            clip = _made(client, _draft(model, mode, files, source))
            after = requests.get(counts, timeout=5).json()[model["provider"]]
            if mode == "text":
                made_of_text.setdefault(model["provider"], clip["video"]["id"])
            expect(after["accepted"] - before["accepted"], 1, f"jobs at {model['provider']}")
            yield Row(
                vendor=model["provider"],
                model=model["id"],
                mode=mode,
                outcome=clip["status"],
                seconds=time.monotonic() - began,
                credits=clip["credits"]["used"],
                calls=after["calls"] - before["calls"],
            )


def _refused(client: Client, model: Any) -> Row:
    """A model that is gone is not asked of its vendor, and the refusal says which one to use instead."""
    try:
        client.post("generations/", {"model": model["id"], "prompt": PROMPT})
    except Refused as refusal:
        if model["health"] == "retired" and model["successor"] not in str(refusal):
            raise Deviation(f"{model['id']}: the refusal names no successor") from refusal
        outcome = f"{model['health']}: use {model['successor']}" if model["successor"] else model["health"]
        return Row(vendor=model["provider"], model=model["id"], mode="–", outcome=outcome)
    raise Deviation(f"{model['id']} is {model['health']} and was accepted")


def _draft(model: Any, mode: str, files: Mapping[str, str], source: str) -> dict[str, Any]:
    """The shortest clip of this mode in the model's first resolution that has one."""
    resolution, durations = next(
        (resolution, durations)
        for resolution in model["resolutions"]
        if (durations := _durations(model, mode, resolution))
    )
    draft: dict[str, Any] = {
        "model": model["id"],
        "mode": mode,
        "resolution": resolution,
        "ratio": model["default_ratio"],
        "duration_seconds": next(one for one in durations if one > 2 or mode != "video"),
        "fallback": False,
    }
    if model["max_prompt_length"]:
        draft["prompt"] = PROMPT
    for name in IMAGES.get(mode, ()):
        draft[name] = files["image"]
    if mode == "video":
        draft["source_video"] = source
    return draft


def _durations(model: Any, mode: str, resolution: str) -> list[int]:
    """What the model makes in this mode and resolution, as its restrictions say."""
    durations = list(model["durations"])
    for one in model["restrictions"]:
        if mode in one["modes"] and resolution in one["resolutions"]:
            durations = [length for length in durations if length in one["durations"]]
    return durations


def _made(client: Client, draft: Mapping[str, Any]) -> Any:
    """The clip, followed to its end. Raises Deviation where it isn't delivered."""
    clip = client.post("generations/", draft)
    deadline = time.monotonic() + CLIP_SECONDS
    while clip["ended_at"] is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        clip = client.get(f"generations/{clip['id']}/")
    expect(clip["status"], "completed", f"{draft['model']} from {draft['mode']} ({clip['error']})")
    return clip


def _settle(console: Console, client: Client, granted: int, rows: Sequence[Row]) -> None:
    """Raises Deviation where the ledger says something else than the clips."""
    balance = client.get("credits/")
    expect(balance["balance"], granted - sum(row.credits for row in rows), "the balance")
    expect(balance["held"], 0, "what is still held")
    expect(client.get("credits/verify/")["agrees"], True, "the ledger's own check")
    vendors = {row.vendor for row in rows if row.outcome == "completed"}
    made = sum(row.outcome == "completed" for row in rows)
    console.print(f"{made} clips of {len(vendors)} vendors' APIs, each delivered and paid for once")


def _files() -> dict[str, tuple[str, str, bytes]]:
    # Of the development's half of the project: only this demo needs it.
    from tests.vendors.video import clip

    return {
        "image": ("sky.png", "image/png", _landscape()),
        "video": ("source.mp4", "video/mp4", clip()),
    }


def _landscape() -> bytes:
    """A PNG of 1280x720: the form that the strictest of them wants."""
    content = io.BytesIO()
    Image.linear_gradient("L").resize((1280, 720)).convert("RGB").save(content, "PNG")
    return content.getvalue()


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        demo(
            console,
            os.environ["PUBLIC_URL"],
            Path(os.environ["EMAIL_FOLDER"]),
            os.environ["SIMULATORS_COUNTS"],
        )
    except (Deviation, Refused, RequestException, TimeoutError) as error:
        console.print(f"[bold red]The demo failed:[/] {type(error).__name__}: {error}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
