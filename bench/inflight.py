"""How many generations one `worker-io` process keeps in flight against a vendor that is slow and sometimes stalls.

A real sandbox with 200 ms latency and 1 % stalls of 8 s; a real worker and beat. The renders never finish, so the
load is polling alone. Lateness is claimed_at - due_at of every claim, written down by a trigger.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import User
from config.stack.child import die_with_parent
from providers import http
from providers.contract import Mode, RenderRequest
from providers.video.sandbox import SandboxProvider
from tests.scratch import database_url

from .measure import Measure

LATENCY_MS, STALL_RATE, STALL_SECONDS = 200, 0.01, 8
THREADS = 200
WARM_SECONDS, MEASURED_SECONDS = 20.0, 60.0

LATENESS = """
CREATE UNLOGGED TABLE IF NOT EXISTS bench_lateness (job_id uuid, late double precision, at timestamptz);
CREATE OR REPLACE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO bench_lateness VALUES (NEW.id, extract(epoch FROM NEW.claimed_at - OLD.due_at), NEW.claimed_at);
    RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER bench_note AFTER UPDATE ON workers_job FOR EACH ROW
    WHEN (NEW.fence > OLD.fence) EXECUTE FUNCTION bench_note();
"""

# As they are while their vendor works on them; due times spread over one interval, as a day's arrivals are.
ROWS = """
SET session_replication_role = replica;
DELETE FROM bench_lateness; DELETE FROM workers_job; DELETE FROM generations_attempt;
DELETE FROM generations_generation; DELETE FROM credits_hold;
INSERT INTO credits_hold (id, owner_id, subject_id, state, amount, captured, refunded, created_at)
SELECT md5('h' || n)::uuid, %(owner)s, md5('g' || n)::uuid, 'open', 100, 0, 0, app_now()
FROM generate_series(1, %(rows)s) n;
INSERT INTO generations_generation (id, owner_id, model, provider, mode, prompt, negative_prompt, style,
    resolution, ratio, duration_seconds, audio, enhance, controls, status, job_id, hold_id, credits_quoted,
    credits_used, late, error_code, error_message, error_retryable, created_at, started_at)
SELECT md5('g' || n)::uuid, %(owner)s, 'sandbox/motion-1', 'sandbox', 'text', 'A paper boat', '', '', '720p',
    '16:9', 5, false, false, '{}', 'processing', md5('j' || n)::uuid, md5('h' || n)::uuid, 100, 0, false, '',
    '', false, app_now(), app_now() FROM generate_series(1, %(rows)s) n;
INSERT INTO generations_attempt (id, generation_id, number, provider, model, state, fence, external_id,
    other_external_ids, vendor_state, failure_code, failure_message, failure_retryable, cost_currency, created_at,
    submitted_at, running_at, failed_calls)
SELECT md5('a' || n)::uuid, md5('g' || n)::uuid, 1, 'sandbox', 'sandbox/motion-1', 'running', 1, id, '{}', '',
    '', '', false, '', app_now(), app_now(), app_now(), 0
FROM unnest(%(ids)s::varchar[]) WITH ORDINALITY AS known (id, n);
INSERT INTO workers_job (id, owner_id, kind, stage, queue, subject_id, state, due_at, fence, claims, claimed_by,
    gate, waits, holds, turn, progress, announced_progress, error_code, created_at)
SELECT md5('j' || n)::uuid, %(owner)s, 'generation', 'poll', 'io', md5('g' || n)::uuid, 'running',
    app_now() + interval '2 seconds' + random() * make_interval(secs => %(interval)s), 1, 0, '',
    'submit:sandbox', false, true, 0, 50, 50, '', app_now() FROM generate_series(1, %(rows)s) n;
SET session_replication_role = DEFAULT;
"""


def run() -> list[Measure]:
    owner = User.objects.create_user(email="inflight@example.com")
    execute(LATENESS)
    measures: list[Measure] = []
    memory: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        ids = ordered(Path(folder), 10_000)
        for rows, interval, name in (
            (1_000, 30.0, "1,000 with webhooks"),
            (10_000, 30.0, "10,000 with webhooks"),
            (2_000, 5.0, "2,000 by polling alone"),
        ):
            with ExitStack() as stack:
                url = stack.enter_context(sandbox(Path(folder), slow=True))
                execute(ROWS, rows=rows, owner=str(owner.pk), ids=ids[:rows], interval=interval)
                worker = stack.enter_context(process("worker", worker_command(), url, interval))
                stack.enter_context(process("beat", beat_command(Path(folder)), url, interval))
                time.sleep(WARM_SECONDS)
                since = now()
                connections = watched(MEASURED_SECONDS)
                memory[rows] = resident(worker.pid)
                measures += figures(name, rows, interval, since, connections)
    measures.append(
        Measure(
            name="memory at 10,000 by memory at 1,000", value=memory[10_000] / memory[1_000], unit="x",
            bar=1.1, better="less",
        )
    )  # fmt: skip
    measures.append(Measure(name="memory at 10,000", value=memory[10_000], unit="MB"))
    measures.append(
        Measure(name="the same threads, each blocked on its job", value=THREADS, unit="generations")
    )
    return measures


def figures(name: str, rows: int, interval: float, since: object, connections: int) -> list[Measure]:
    found = fetch(
        "SELECT count(*), count(DISTINCT job_id), percentile_cont(0.95) WITHIN GROUP (ORDER BY late),"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY late) FROM bench_lateness WHERE at > %s",
        [since],
    )
    polls, jobs, p95, median = found
    lost = fetch("SELECT count(*) FROM workers_job WHERE ended_at IS NOT NULL", [])[0]
    return [
        Measure(name=f"{name}: p95 of poll lateness", value=float(p95), unit="s", bar=2.0, better="less"),
        Measure(name=f"{name}: median of poll lateness", value=float(median), unit="s"),
        Measure(name=f"{name}: polls", value=polls / MEASURED_SECONDS, unit="1/s"),
        Measure(name=f"{name}: polls wanted", value=rows / interval, unit="1/s"),
        Measure(name=f"{name}: database connections", value=connections, unit="", bar=10, better="less"),
        Measure(name=f"{name}: not polled", value=rows - jobs, unit="", bar=0, better="less"),
        Measure(name=f"{name}: ended by mistake", value=lost, unit="", bar=0, better="less"),
    ]


def ordered(folder: Path, count: int) -> list[str]:
    """So many renders that never finish, accepted by a sandbox on this folder."""
    with sandbox(folder, slow=False) as url:
        provider = SandboxProvider.from_settings(
            {
                name: url if name == "SANDBOX_URL" else getattr(settings, name)
                for name in SandboxProvider.settings
            }
        )
        request = RenderRequest(
            model="motion-1", mode=Mode.TEXT, prompt="A paper boat", duration_seconds=5, resolution="720p",
            ratio="16:9", controls={"fault": "stuck"},
        )  # fmt: skip

        def order(_: int) -> str:
            return provider.submit(request, client_token=uuid.uuid4().hex, callback_url=None).external_id

        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(order, range(count)))


@contextmanager
def sandbox(folder: Path, *, slow: bool) -> Iterator[str]:
    port = "18931"
    flags = [
        "--latency-ms", str(LATENCY_MS), "--stall-rate", str(STALL_RATE), "--stall-seconds", str(STALL_SECONDS),
    ]  # fmt: skip
    command = [
        sys.executable, "-m", "providers.sandbox", "--port", port, "--data", str(folder / "sandbox"),
        *(flags if slow else []),
    ]  # fmt: skip
    (folder / "sandbox").mkdir(exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    os.environ["EMBEDDED_ORIGINS"] = f"{os.environ['EMBEDDED_ORIGINS']},{url}"
    http.configure(http.ClientConfig(allowed_origins=frozenset([http.origin(url)])))
    with process("sandbox", command, url, 30):
        time.sleep(3)
        yield url


@contextmanager
def process(
    name: str, command: Sequence[str], url: str, interval: float
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "PGAPPNAME": f"bench-{name}",
        "SANDBOX_URL": url,
        "SAFETY_POLL_SECONDS": str(interval),
        "RENDER_DEADLINE_SECONDS": "86400",
        "WORKER_IO_THREADS": str(THREADS),
        "DEBUG": "true",
        "LOG_LEVEL": "WARNING",
        # As in the Procfile.
        **({"WORKER_QUEUE": "io", "MALLOC_ARENA_MAX": "2"} if name == "worker" else {}),
    }
    child = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent())
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(40)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def worker_command() -> list[str]:
    return [
        sys.executable, "-m", "celery", "--app", "config.celery", "worker", "--queues", "io", "--pool", "threads",
        "--concurrency", "4", "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
    ]  # fmt: skip


def beat_command(folder: Path) -> list[str]:
    return [
        sys.executable, "-m", "celery", "--app", "config.celery", "beat", "--loglevel", "WARNING",
        "--schedule", str(folder / "schedule"),
    ]  # fmt: skip


def watched(seconds: float) -> int:
    """The most connections the worker had at once in so many seconds."""
    most = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        most.append(
            fetch("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bench-worker'", [])[0]
        )
        time.sleep(0.5)
    return int(max(most))


def resident(pid: int) -> float:
    """Megabytes of memory the process has now; the median of a few looks."""
    looks = []
    for _ in range(5):
        status = Path(f"/proc/{pid}/status").read_text()
        looks.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        time.sleep(0.2)
    return statistics.median(looks)


def execute(statements: str, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements, parameters or None)


def fetch(statement: str, parameters: list[Any]) -> tuple[float, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    assert row is not None
    return tuple(row)


def now() -> object:
    return fetch("SELECT app_now()", [])[0]
