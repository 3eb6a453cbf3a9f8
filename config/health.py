"""Whether this process answers (`/healthz`) and whether the whole system can do its work (`/readyz`)."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as ProbeTimeout
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from workers.redis_breaker import RedisAway, breaker
from workers.schedule import QUEUES

PROBE_SECONDS = 1.0
# A worker writes its heartbeat every few seconds; older than this it loses its leases as well.
FRESH_SECONDS = 15

_SILENCE = """
SELECT queue, extract(epoch FROM app_now() - max(at)) FROM workers_heartbeat GROUP BY queue
"""


class Unready(Exception):
    """A part doesn't do its work; the text is for an operator and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part of the system answered."""

    ok: bool
    ms: int
    detail: str = ""


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """GET /healthz: this process answers. It asks nobody else: a lost database must restart no process."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """GET /readyz: every part with its state and latency; 503 unless all are well."""
    parts = probe(PROBES)
    healthy = all(part.ok for part in parts.values())
    return JsonResponse(
        {
            "status": "ok" if healthy else "unavailable",
            "parts": {name: asdict(part) for name, part in parts.items()},
        },
        status=200 if healthy else 503,
        headers={} if healthy else {"Retry-After": "5"},
    )


def probe(probes: Mapping[str, Callable[[], None]]) -> dict[str, Part]:
    """Run all probes at once, each bounded by PROBE_SECONDS however its part hangs."""
    started = time.monotonic()
    futures = {name: _threads().submit(_timed, check) for name, check in probes.items()}
    return {name: _outcome(future, started + PROBE_SECONDS) for name, future in futures.items()}


def _timed(check: Callable[[], None]) -> Part:
    started = time.monotonic()
    detail = ""
    try:
        check()
    except Unready as error:
        detail = str(error)
    except Exception as error:
        # The class only: a driver's message may name hosts and users.
        detail = type(error).__name__
    return Part(ok=not detail, ms=round((time.monotonic() - started) * 1000), detail=detail)


def _outcome(future: Future[Part], deadline: float) -> Part:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except ProbeTimeout:
        future.cancel()
        return Part(ok=False, ms=round(PROBE_SECONDS * 1000), detail="no answer in time")


@cache
def _threads() -> ThreadPoolExecutor:
    # A few rounds of probes that hang; what comes on top waits here and counts as no answer.
    return ThreadPoolExecutor(16, thread_name_prefix="probe")


def _database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _redis() -> None:
    try:
        breaker().call(lambda redis: redis.ping())
    except RedisAway:
        raise Unready("no answer") from None


def _storage() -> None:
    _s3().head_bucket(Bucket=settings.S3_BUCKET)  # type: ignore[attr-defined]


@cache
def _s3() -> BaseClient:
    client: BaseClient = boto3.client(
        "s3",
        endpoint_url=settings.S3_ENDPOINT_URL,
        aws_access_key_id=settings.S3_ACCESS_KEY_ID,
        aws_secret_access_key=settings.S3_SECRET_ACCESS_KEY,
        region_name=settings.S3_REGION,
        config=Config(
            s3={"addressing_style": "path"},
            connect_timeout=PROBE_SECONDS,
            read_timeout=PROBE_SECONDS,
            retries={"total_max_attempts": 1},
        ),
    )
    return client


def _silence() -> dict[str, float]:
    """Seconds since the last heartbeat, per queue and for beat."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SILENCE)
            rows: list[tuple[str, Any]] = cursor.fetchall()
            return {queue: float(seconds) for queue, seconds in rows}
    finally:
        connection.close()


def _workers() -> None:
    silence = _silence()
    missing = [queue for queue in QUEUES if silence.get(queue, FRESH_SECONDS) >= FRESH_SECONDS]
    if missing:
        raise Unready(f"no live worker for: {', '.join(missing)}")


def _beat() -> None:
    if _silence().get("beat", FRESH_SECONDS) >= FRESH_SECONDS:
        raise Unready("no heartbeat")


PROBES: Mapping[str, Callable[[], None]] = {
    "database": _database,
    "redis": _redis,
    "storage": _storage,
    "workers": _workers,
    "beat": _beat,
}
