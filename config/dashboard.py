"""The admin's first page: what an operator needs to see at night, each figure linked to the rows behind it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.urls import reverse

from config.health import FRESH_SECONDS
from credits.money import credits_per_unit
from workers.schedule import QUEUES

# Due for longer than that and taken by nobody: a worker is missing.
LATE_SECONDS = 30
HOURS = 24
ROWS = 10

# Each is bounded by what is open or by a day: none grows with the table.
_OPEN = """
SELECT kind, stage, count(*), count(*) FILTER (WHERE waits),
    count(*) FILTER (WHERE NOT waits AND due_at < app_now() - make_interval(secs => %(late)s)
        AND (lease_until IS NULL OR lease_until < app_now()))
FROM workers_job WHERE ended_at IS NULL GROUP BY kind, stage ORDER BY kind, stage
"""
_UNKNOWN = """
SELECT id, provider, created_at, reconcile_by FROM generations_attempt WHERE state = 'unknown'
ORDER BY created_at LIMIT %(rows)s
"""
_HOURS = """
SELECT date_trunc('hour', hour), count(clip.id) FILTER (WHERE status = 'completed'),
    count(clip.id) FILTER (WHERE status = 'failed'), count(clip.id) FILTER (WHERE status = 'cancelled')
FROM generate_series(date_trunc('hour', app_now()) - make_interval(hours => %(hours)s - 1),
    date_trunc('hour', app_now()), '1 hour') AS hour
LEFT JOIN generations_generation clip ON clip.created_at >= hour AND clip.created_at < hour + interval '1 hour'
GROUP BY hour ORDER BY hour
"""
_FAILURES = """
SELECT provider, error_code, count(*) FROM generations_generation
WHERE status = 'failed' AND created_at > app_now() - make_interval(hours => %(hours)s)
GROUP BY provider, error_code ORDER BY count(*) DESC, provider, error_code LIMIT %(rows)s
"""
_MONEY = """
SELECT coalesce(sum(credits_used), 0)::bigint,
    coalesce(sum(credits_quoted) FILTER (WHERE ended_at IS NULL), 0)::bigint
FROM generations_generation WHERE created_at > app_now() - make_interval(hours => %(hours)s)
"""
_COSTS = """
SELECT currency, sum(amount) FROM (
    SELECT attempt.cost_currency AS currency, attempt.cost_amount AS amount FROM generations_generation clip
    JOIN generations_attempt attempt ON attempt.generation_id = clip.id
    WHERE clip.created_at > app_now() - make_interval(hours => %(hours)s) AND attempt.cost_amount IS NOT NULL
    UNION ALL SELECT 'USD', cost_usd FROM pipeline_languagecall
    WHERE created_at > app_now() - make_interval(hours => %(hours)s) AND cost_usd > 0
) AS paid GROUP BY currency
"""
_STOPS = "SELECT key, stopped_at, stopped_reason FROM workers_gate WHERE stopped_at IS NOT NULL ORDER BY key"
_PAUSES = "SELECT key, paused_until FROM workers_gate WHERE paused_until > app_now() ORDER BY key"
_HEARTBEATS = (
    "SELECT queue, extract(epoch FROM app_now() - max(at))::float FROM workers_heartbeat GROUP BY queue"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with where it leads; `bad` where somebody has to act."""

    label: str
    value: str
    note: str = ""
    address: str = ""
    bad: bool = False


def context(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """The page's context: unfold's DASHBOARD_CALLBACK. Nine statements."""
    jobs = _rows(_OPEN, late=LATE_SECONDS)
    unknown = _rows(_UNKNOWN, rows=ROWS)
    hours = _rows(_HOURS, hours=HOURS)
    given |= {
        "figures": [*_work(jobs, len(unknown)), *_processes(), *_money()],
        "stops": _rows(_STOPS),
        "pauses": _rows(_PAUSES),
        "jobs": jobs,
        "unknown": unknown,
        "failures": _rows(_FAILURES, hours=HOURS, rows=ROWS),
        "clips": sum(sum(row[1:]) for row in hours),
        "chart": _chart(hours),
        "hours": HOURS,
    }
    return given


def _work(jobs: Sequence[Sequence[Any]], unknown: int) -> list[Figure]:
    listed = reverse("admin:workers_job_changelist")
    waiting, late = sum(row[3] for row in jobs), sum(row[4] for row in jobs)
    return [
        Figure(label="Open jobs", value=f"{sum(row[2] for row in jobs):,}", note=f"{waiting:,} wait in line",
            address=f"{listed}?ended_at__isempty=1"),
        Figure(label="Late", value=f"{late:,}", note=f"due for over {LATE_SECONDS} s, taken by nobody",
            address=f"{listed}?ended_at__isempty=1&o=6", bad=late > 0),
        Figure(label="Outcome unknown", value=f"{unknown}{'+' if unknown == ROWS else ''}",
            note="submissions being checked",
            address=f"{reverse('admin:generations_attempt_changelist')}?state__exact=unknown", bad=unknown > 0),
    ]  # fmt: skip


def _processes() -> list[Figure]:
    silence = dict(_rows(_HEARTBEATS))
    missing = [name for name in (*QUEUES, "beat") if silence.get(name, FRESH_SECONDS) >= FRESH_SECONDS]
    return [
        Figure(
            label="Processes",
            value="all alive" if not missing else f"{len(missing)} missing",
            note=", ".join(missing) or "workers and beat",
            address=reverse("admin:workers_heartbeat_changelist"),
            bad=bool(missing),
        )
    ]


def _money() -> list[Figure]:
    [(used, held)] = _rows(_MONEY, hours=HOURS)
    cost, unpriced = Fraction(0), []
    for currency, amount in _rows(_COSTS, hours=HOURS):
        credits = credits_per_unit(currency)
        if credits is None:
            unpriced.append(f"{amount} {currency}")
        else:
            cost += Fraction(amount) * credits
    margin = f"{float(1 - cost / used):.0%} margin" if used else "nothing sold"
    listed = reverse("admin:credits_entry_changelist")
    return [
        Figure(label="Credits used", value=f"{used:,}", note=f"{_worth(used)}, {held:,} more held", address=listed),
        Figure(
            label="Providers' cost",
            value=_worth(round(cost)),
            note=", ".join([margin, *(f"and {one}" for one in unpriced)]),
            address=reverse("admin:generations_attempt_changelist"),
            bad=cost > used,
        ),
    ]  # fmt: skip


def _worth(credits: int) -> str:
    return f"{settings.CREDIT_CURRENCY} {Decimal(credits) * settings.CREDIT_VALUE:,.0f}"


def _chart(hours: Sequence[Sequence[Any]]) -> str:
    """Clips by the hour of their creation and how they ended, as Chart.js takes it."""
    series = (
        ("Completed", "--color-green-500", 1),
        ("Failed", "--color-red-500", 2),
        ("Cancelled", "--color-base-400", 3),
    )
    return json.dumps(
        {
            "labels": [f"{row[0]:%H}:00" for row in hours],
            "datasets": [
                {
                    "label": label,
                    "backgroundColor": f"var({colour})",
                    "data": [row[column] for row in hours],
                    "maxBarThickness": 16,
                }
                for label, colour, column in series
            ],
        }
    )


def _rows(statement: str, **parameters: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
