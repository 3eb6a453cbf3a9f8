"""Lists at 1,000,000 rows beside 1,000: every filter offered, rare values too, through the API.

The small account has a thousand rows of each kind, the large one a million; both are asked in turn. A ratio is the
median, over slices, of the 95th percentile of the large account by that of the small one.
"""

import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.credentials import make_api_key
from accounts.models import User
from accounts.tiers import tiers

from .measure import SLICES, Measure

SMALL, LARGE = 1_000, 1_000_000
RARE = 25
ASKED_PER_SLICE = 25
BAR = 1.3

# Triggers and foreign keys off while the rows are made: they are of a shape that the code itself would write.
ROWS = """
SET session_replication_role = replica;
INSERT INTO credits_hold (id, owner_id, subject_id, state, amount, captured, refunded, created_at)
SELECT md5('h' || %(owner)s || n)::uuid, %(owner)s, md5('g' || %(owner)s || n)::uuid, 'open', 100, 0, 0,
    app_now() - n * interval '1 second' FROM generate_series(1, %(rows)s) n;
INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,
    hold_id, subject_id, note, rate_card_ids, breakdown, created_at)
SELECT %(owner)s, 'k' || n, CASE WHEN n %% (%(rows)s / %(rare)s) = 0 THEN 'refund' ELSE 'hold' END,
    CASE WHEN n %% (%(rows)s / %(rare)s) = 0 THEN 100 ELSE -100 END,
    CASE WHEN n %% (%(rows)s / %(rare)s) = 0 THEN 0 ELSE 100 END, 1000, 100, 0,
    md5('h' || %(owner)s || n)::uuid, md5('g' || %(owner)s || n)::uuid, '', '{}', '[]',
    app_now() - n * interval '1 second' FROM generate_series(1, %(rows)s) n;
INSERT INTO generations_generation (id, owner_id, project_id, model, provider, mode, prompt, negative_prompt, style,
    resolution, ratio, duration_seconds, audio, enhance, controls, status, job_id, hold_id, credits_quoted,
    credits_used, late, error_code, error_message, error_retryable, created_at, ended_at)
SELECT md5('g' || %(owner)s || n)::uuid, %(owner)s,
    CASE WHEN n %% (%(rows)s / %(rare)s) = 1 THEN %(project)s::uuid END,
    CASE WHEN n %% (%(rows)s / %(rare)s) = 2 THEN 'sandbox/motion-fast' ELSE 'sandbox/motion-1' END,
    CASE WHEN n %% (%(rows)s / %(rare)s) = 3 THEN 'luma' ELSE 'sandbox' END,
    'text', 'A paper boat', '', '', '720p', '16:9', 5, false, false, '{}',
    CASE WHEN n %% (%(rows)s / %(rare)s) = 0 THEN 'cancelled' ELSE 'failed' END,
    md5('j' || %(owner)s || n)::uuid, md5('h' || %(owner)s || n)::uuid, 100, 0, false, '', '', false,
    app_now() - n * interval '1 second', app_now() FROM generate_series(1, %(rows)s) n;
SET session_replication_role = DEFAULT;
"""

QUERIES = (
    "generations/",
    "generations/?status=failed",
    "generations/?status=cancelled",
    "generations/?status=processing",
    "generations/?model=sandbox/motion-1",
    "generations/?model=sandbox/motion-fast",
    "generations/?provider=sandbox",
    "generations/?provider=luma",
    "generations/?project={project}",
    "generations/?status=cancelled&model=sandbox/motion-1",
    "generations/?status=failed&provider=luma",
    "credits/entries/",
    "credits/entries/?kind=video_generation",
    "credits/entries/?kind=refund",
    "credits/entries/?kind=grant",
    "credits/entries/?subject={subject}",
)


def run() -> list[Measure]:
    settings.TIERS = {"free": {"queued_jobs": 10**7}}
    tiers.cache_clear()
    sides = [_side(SMALL), _side(LARGE)]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '10min'")
        cursor.execute("VACUUM ANALYZE")
    measures: list[Measure] = []
    for query in QUERIES:
        small, large = (side(query) for side in sides)
        # A request clears the log, so it must be empty when counting begins.
        connection.queries_log.clear()
        with CaptureQueriesContext(connection) as statements:
            large()
        # Now: the requests below clear the log.
        count = len(statements)
        ratios = [_ratio(small, large) for _ in range(SLICES)]
        measures.append(
            Measure(name=query, value=statistics.median(ratios), unit="x", bar=BAR, better="less")
        )
        measures.append(Measure(name=f"{query} lowest slice", value=min(ratios), unit="x"))
        measures.append(Measure(name=f"{query} highest slice", value=max(ratios), unit="x"))
        measures.append(Measure(name=f"{query} statements", value=count, unit=""))
    return measures


def _side(rows: int) -> Callable[[str], Callable[[], None]]:
    """An account with so many rows, asked through its own API key."""
    owner = User.objects.create_user(email=f"rows{rows}@example.com")
    project = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '10min'")
        parameters: dict[str, Any] = {
            "owner": str(owner.pk),
            "rows": rows,
            "rare": RARE,
            "project": str(project),
        }
        for statement in ROWS.split(";"):
            if statement.strip():
                cursor.execute(statement, parameters)
        cursor.execute("SELECT subject_id FROM credits_entry WHERE owner_id = %s LIMIT 1", [owner.pk])
        subject: UUID = cursor.fetchone()[0]
    secret = make_api_key(owner, name="bench", scopes=["read"]).secret
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Api-Key {secret}"})

    def asked(query: str) -> Callable[[], None]:
        address = "/api/v1/" + query.format(project=project, subject=subject)

        def ask() -> None:
            response = client.get(address)
            assert response.status_code == 200, response.content

        return ask

    return asked


def _ratio(small: Callable[[], None], large: Callable[[], None]) -> float:
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ASKED_PER_SLICE):
        for is_large in (True, False) if number % 2 else (False, True):
            started = time.perf_counter()
            (large if is_large else small)()
            times[is_large].append(time.perf_counter() - started)
    return _percentile(times[True]) / _percentile(times[False])


def _percentile(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
