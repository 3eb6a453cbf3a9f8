"""Fair measurements: two sides in alternating slices of one run, and results as a table and as JSON."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).resolve().parent / "results"
SLICES = 15
SLICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure; `bar` is what it must reach (or stay under), None where it is only told."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    better: Literal["more", "less"] = "more"

    @property
    def holds(self) -> bool | None:
        if self.bar is None:
            return None
        return self.value >= self.bar if self.better == "more" else self.value <= self.bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Our side beside a peer; each figure is a median over slices."""

    ours: float
    peer: float
    # Ours by the peer's, slice by slice.
    ratio: float
    lowest: float
    highest: float

    def measures(self, name: str, *, unit: str, bar: float | None) -> list[Measure]:
        return [
            Measure(name=f"{name}: ratio", value=self.ratio, unit="x", bar=bar),
            Measure(name=f"{name}: ratio, lowest slice", value=self.lowest, unit="x"),
            Measure(name=f"{name}: ratio, highest slice", value=self.highest, unit="x"),
            Measure(name=f"{name}: ours", value=self.ours, unit=unit),
            Measure(name=f"{name}: peer", value=self.peer, unit=unit),
        ]


def alternating(
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    slices: int = SLICES,
    seconds: float = SLICE_SECONDS,
) -> Comparison:
    """Calls per second of both, slice about slice, and which begins changes, so that noise meets both alike."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    for side in (ours, peer):
        _rate(side, seconds / 4)
    for number in range(slices):
        for is_ours in (True, False) if number % 2 else (False, True):
            rates[is_ours].append(_rate(ours if is_ours else peer, seconds))
    return compare(rates[True], rates[False])


def compare(ours: Sequence[float], peer: Sequence[float]) -> Comparison:
    """Rates taken side by side, as medians."""
    ratios = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    return Comparison(
        ours=statistics.median(ours),
        peer=statistics.median(peer),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )


def _rate(call: Callable[[], object], seconds: float) -> float:
    count, started = 0, time.perf_counter()
    deadline = started + seconds
    while (now := time.perf_counter()) < deadline:
        call()
        count += 1
    return count / (now - started)


def report(name: str, measures: Iterable[Measure]) -> bool:
    """Print the table and write bench/results/<name>.json; whether every bar holds."""
    rows = list(measures)
    width = max(len(row.name) for row in rows)
    print(f"\n{name}")
    for row in rows:
        sign = "≥" if row.better == "more" else "≤"
        bar = "" if row.bar is None else f"{sign} {row.bar:g}  {'holds' if row.holds else 'MISSED'}"
        print(f"  {row.name:<{width}}  {row.value:>12,.3f} {row.unit:<12} {bar}".rstrip())
    RESULTS.mkdir(exist_ok=True)
    document = {
        "name": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "measures": [
            {
                "name": row.name,
                "value": round(row.value, 6),
                "unit": row.unit,
                "bar": row.bar,
                "holds": row.holds,
            }
            for row in rows
        ],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return all(row.holds is not False for row in rows)
