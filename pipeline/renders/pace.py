"""How long composing takes, from the last renders and the last edits."""

import time
from typing import Any

from django.db.models import QuerySet

from pipeline.models import Render, RenderStatus, VideoEdit, WorkStatus

# Seconds for each second of film, until there is a history. An edit is encoded from beginning to end.
COMPOSING = 2.0
EDITING = 3.0
SAMPLE = 50
FEWEST = 5
# Other processes' renders change it slowly: a copy a minute old serves.
KEPT_SECONDS = 60.0

_kept: dict[str, tuple[float, float]] = {}


def composing_seconds() -> float:
    """From the last clip's arrival to the finished film, for each second of film, by the median of the last renders.

    One statement a minute for each process.
    """
    rows = Render.objects.filter(status=RenderStatus.COMPLETED)
    return _pace("film__duration_seconds", rows, COMPOSING)


def editing_seconds() -> float:
    """From the last sound's arrival to the edited video, for each second of it, by the last edits; as above."""
    rows = VideoEdit.objects.filter(status=WorkStatus.COMPLETED)
    return _pace("output__duration_seconds", rows, EDITING)


def _pace(length: str, rows: QuerySet[Any], otherwise: float) -> float:
    """`length`: the field that says how long each became."""
    if length in _kept and _kept[length][0] > time.monotonic():
        return _kept[length][1]
    last = rows.order_by("-ended_at").values_list("composing_at", "ended_at", length)[:SAMPLE]
    paces = sorted(
        (ended_at - composing_at).total_seconds() / float(seconds)
        for composing_at, ended_at, seconds in last
        if composing_at is not None and ended_at is not None and seconds
    )
    pace = paces[len(paces) // 2] if len(paces) >= FEWEST else otherwise
    _kept[length] = (time.monotonic() + KEPT_SECONDS, pace)
    return pace
