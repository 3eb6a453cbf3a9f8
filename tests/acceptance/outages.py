"""`python -m tests.acceptance.outages`: a running system loses its servers; every clip still ends once.

A whole system of its own, with clips running all the time and a person who goes on ordering. At random moments Redis
is emptied, comes back empty or is frozen, PostgreSQL is restarted, S3 refuses. The last line is the counts as JSON;
exit 1 where something is broken.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import redis
import requests

from config.stack.home import free_port
from config.stack.servers import S3, Postgres, Redis, Sandbox, Server
from config.stack.system import System

ANSWER_SECONDS = 2.0
FOUND_SECONDS = 30.0
EMAIL = "ordering@example.com"
OWNED = """
from accounts.models import User
from credits import ledger
from django.db import transaction
with transaction.atomic():
    ledger.grant(owner_id=User.objects.get(email="{email}").pk, amount=10**9, key="outages")
"""

# Due for so long, free to be taken, and nobody has it.
OVERDUE = """
SELECT coalesce(max(extract(epoch FROM app_now() - greatest(due_at, lease_until))), 0)::float FROM workers_job
WHERE ended_at IS NULL AND NOT waits AND due_at <= app_now() AND (lease_until IS NULL OR lease_until < app_now())
"""

# A clip that is not as it must be, and why.
WRONG = """
SELECT clip.id::text, clip.status || ' ' || clip.error_code, count(DISTINCT hold.id), count(DISTINCT closing.id),
    count(DISTINCT asset.id), count(DISTINCT attempt.id) FILTER (WHERE cardinality(attempt.other_external_ids) > 0)
FROM generations_generation clip
LEFT JOIN credits_hold hold ON hold.subject_id = clip.id
LEFT JOIN credits_entry closing ON closing.subject_id = clip.id AND closing.kind IN ('capture', 'release')
LEFT JOIN generations_asset asset ON asset.id = clip.output_id AND asset.state = 'ready'
LEFT JOIN generations_attempt attempt ON attempt.generation_id = clip.id
GROUP BY clip.id HAVING clip.status <> 'completed' OR count(DISTINCT hold.id) <> 1
    OR count(DISTINCT closing.id) <> 1 OR count(DISTINCT asset.id) <> 1
    OR count(*) FILTER (WHERE cardinality(attempt.other_external_ids) > 0) > 0
"""

T = TypeVar("T", bound=Server)


@dataclass(slots=True)
class Lost:
    """The system and the ways in which it loses a server; each is back when its method returns."""

    system: System
    seconds: float

    def redis_emptied(self) -> None:
        with redis.Redis.from_url(self._server(Redis).environment()["REDIS_URL"]) as client:
            client.flushall()

    def redis_restarted_empty(self) -> None:
        server = self._server(Redis)
        server.child.kill()
        shutil.rmtree(server.data)
        server.start()

    def redis_frozen(self) -> None:
        server = self._server(Redis)
        server.child.signal(signal.SIGSTOP)
        time.sleep(self.seconds)
        server.child.signal(signal.SIGCONT)

    def postgresql_restarted(self) -> None:
        server = self._server(Postgres)
        server.stop()
        server.start()

    def s3_refusing(self) -> None:
        server = self._server(S3)
        server.child.kill()
        time.sleep(self.seconds)
        server.start()

    def _server(self, kind: type[T]) -> T:
        return next(server for server in self.system.stack.servers if isinstance(server, kind))


KINDS: tuple[Callable[[Lost], None], ...] = (
    Lost.redis_emptied,
    Lost.redis_restarted_empty,
    Lost.redis_frozen,
    Lost.postgresql_restarted,
    Lost.s3_refusing,
)


class Person(threading.Thread):
    """Keeps so many clips running, and orders one a second whatever happens; repeats what was not accepted."""

    def __init__(
        self, address: str, secret: str, draw: random.Random, clips: int, clip_seconds: float
    ) -> None:
        super().__init__(daemon=True)
        self.during = "no outage"
        self.accepted: set[str] = set()
        self.answers: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.slowest: defaultdict[str, float] = defaultdict(float)
        self._url = f"{address}/api/v1/generations/"
        self._authorization = f"Api-Key {secret}"
        self._draw, self._clips, self._clip_seconds = draw, clips, clip_seconds
        self._done = threading.Event()
        self.running = 0

    def run(self) -> None:
        while not self._done.is_set():
            before = time.monotonic()
            self._order()
            if self.running >= self._clips:
                self._done.wait(max(0.0, 1.0 - (time.monotonic() - before)))

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _order(self) -> None:
        body = {
            "model": "sandbox/motion-1",
            "prompt": "A paper boat crosses a rain puddle",
            "duration_seconds": 2,
            "resolution": "480p",
            "controls": {"seconds": round(self._draw.uniform(1, 2 * self._clip_seconds), 1)},
        }
        headers = {"Authorization": self._authorization, "Idempotency-Key": str(uuid.uuid4())}
        status = 0
        while status != 201:
            during, started = self.during, time.monotonic()
            try:
                answer = requests.post(self._url, json=body, headers=headers, timeout=30)
                status = answer.status_code
                if during == "no outage":
                    # One that began while it was under way.
                    during = self.during
                if status not in (201, *self.answers[during]):
                    print(f"  a POST during {during}: {status} {answer.text[:200]}", flush=True)
            except requests.RequestException as error:
                print(f"  no answer to a POST during {during}: {type(error).__name__}", flush=True)
                status = 0
            self.answers[during][status] += 1
            self.slowest[during] = max(self.slowest[during], time.monotonic() - started)
            if status != 201:
                time.sleep(0.2)
        self.accepted.add(answer.json()["id"])
        self.running += 1


class Watch(threading.Thread):
    """Looks every half second how long due work has been lying about."""

    def __init__(self, url: str, person: Person) -> None:
        super().__init__(daemon=True)
        self.worst: defaultdict[str, float] = defaultdict(float)
        self._url, self._person = url, person
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.5):
            during = self._person.during
            try:
                with psycopg.connect(self._url, connect_timeout=2) as connection:
                    overdue = one(connection, OVERDUE)
                    self._person.running = one(
                        connection,
                        "SELECT count(*) FROM workers_job WHERE ended_at IS NULL AND kind = 'generation'",
                    )
            except psycopg.OperationalError:
                continue
            self.worst[during] = max(self.worst[during], overdue)

    def stop(self) -> None:
        self._done.set()
        self.join()


def one(connection: "psycopg.Connection[Any]", statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def system(folder: Path) -> Iterator[System]:
    """A system of its own, whatever stack this process was given."""
    for name in (
        "DATABASE_URL",
        "REDIS_URL",
        "S3_ENDPOINT_URL",
        "SANDBOX_URL",
        "PUBLIC_URL",
        "EMBEDDED_ORIGINS",
    ):
        os.environ.pop(name, None)
    tier = {
        "creates_per_minute": 100_000,
        "queued_jobs": 100_000,
        "running_jobs": 10_000,
        "credits_per_day": 10**9,
    }
    os.environ["TIERS"] = json.dumps({"free": tier})
    os.environ["PROVIDER_LIMITS"] = json.dumps({"sandbox": {"concurrent": 1000, "per_minute": 60_000}})
    os.environ["RATE_PER_ADDRESS"] = "100000"
    os.environ["LOG_LEVEL"] = "WARNING"
    running = System(folder, free_port())
    running.start()
    try:
        yield running
    finally:
        running.stop()


def api_key(running: System) -> str:
    password = uuid.uuid4().hex
    running.manage("create_operator", EMAIL, OPERATOR_PASSWORD=password)
    running.manage("shell", "--command", OWNED.format(email=EMAIL))
    url = f"{running.address}/api/v1/"
    session = requests.post(
        f"{url}auth/login", json={"email": EMAIL, "password": password}, timeout=10
    ).json()
    bearer = {"Authorization": f"Bearer {session['meta']['access_token']}"}
    made = requests.post(
        f"{url}me/api-keys/",
        json={"name": "outages", "scopes": ["read", "write"]},
        headers=bearer,
        timeout=10,
    )
    return str(made.json()["secret"])


def check(running: System, person: Person, broken: list[str]) -> dict[str, int]:
    """Every accepted clip ended once: one end, one accepted submission, one hold, one closing entry, one asset."""
    sandbox = next(server for server in running.stack.servers if isinstance(server, Sandbox)).environment()
    key = {"Authorization": f"Bearer {sandbox['SANDBOX_API_KEY']}"}
    with psycopg.connect(running.stack.environment["DATABASE_URL"]) as connection:
        clips = {str(row[0]) for row in connection.execute("SELECT id FROM generations_generation")}
        broken += [f"{row}" for row in connection.execute(WRONG)]
        attempts = connection.execute(
            "SELECT generation_id::text, id::text FROM generations_attempt"
        ).fetchall()
        keys = [
            row[0] for row in connection.execute("SELECT key FROM generations_asset WHERE state = 'ready'")
        ]
        open_holds = one(connection, "SELECT count(*) FROM credits_hold WHERE state = 'open'")
    if clips != person.accepted:
        broken.append(f"{len(clips)} clips, {len(person.accepted)} accepted: {clips ^ person.accepted}")
    submissions: Counter[str] = Counter()
    for clip, attempt in attempts:
        reference = attempt.replace("-", "")
        audit = f"{sandbox['SANDBOX_URL']}/v1/_audit?client_reference={reference}"
        submissions[clip] += len(requests.get(audit, headers=key, timeout=10).json()["results"])
    broken += [f"{clip}: {count} submissions" for clip, count in submissions.items() if count != 1]
    store = next(server for server in running.stack.servers if isinstance(server, S3))
    broken += [f"{key} is not in the store" for key in keys if not (store.data / store.bucket / key).exists()]
    if open_holds:
        broken.append(f"{open_holds} open holds")
    running.manage("verify_ledger")
    return {"clips": len(clips), "attempts": len(attempts), "submissions": sum(submissions.values())}


def run(
    folder: Path, *, seed: int, clips: int, moments: int, seconds: float, clip_seconds: float
) -> tuple[dict[str, Any], list[str]]:
    draw = random.Random(seed)
    order = list(KINDS) * moments
    draw.shuffle(order)
    broken: list[str] = []
    with system(folder) as running:
        person = Person(running.address, api_key(running), draw, clips, clip_seconds)
        watch = Watch(running.stack.environment["DATABASE_URL"], person)
        watch.start()
        person.start()
        wait(lambda: len(person.accepted) >= clips, 120, f"{clips} clips running")
        lost = Lost(running, seconds)
        for kind in order:
            name = kind.__name__.replace("_", " ")
            time.sleep(draw.uniform(0.5, 5))
            person.during = name
            kind(lost)
            # What it left lying about is found while its name still stands.
            time.sleep(3)
            person.during = "no outage"
        person.stop()
        wait(lambda: person.running == 0, 2 * clip_seconds + 180, "every clip ended")
        watch.stop()
        counts: dict[str, Any] = check(running, person, broken)
    for name in [*{kind.__name__.replace("_", " ") for kind in KINDS}, "no outage"]:
        slowest, worst = person.slowest[name], watch.worst[name]
        counts[name] = {
            "POSTs": {str(status): count for status, count in sorted(person.answers[name].items())},
            "slowest POST, s": round(slowest, 2),
            "longest overdue, s": round(worst, 1),
        }
        if slowest > ANSWER_SECONDS:
            broken.append(f"a POST took {slowest:.2f} s during {name}")
        if worst > FOUND_SECONDS:
            broken.append(f"due work lay about for {worst:.1f} s during {name}")
        if strange := set(person.answers[name]) - {201, *([503] if name == "postgresql restarted" else [])}:
            broken.append(f"POSTs answered {strange} during {name}")
    return {"outages": len(order), **counts}, broken


def wait(true: Callable[[], bool], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:.0f} s: {what}")
        time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", type=int, default=200, help="running at any time")
    parser.add_argument("--moments", type=int, default=100, help="outages of each kind")
    parser.add_argument("--seconds", type=float, default=60, help="how long a server is frozen or refuses")
    parser.add_argument("--clip-seconds", type=float, default=240, help="how long a clip runs, on average")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            counts, broken = run(Path(folder) / "stack", **vars(arguments))
        except BaseException:
            for log in sorted(Path(folder).glob("stack/logs/*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}", file=sys.stderr)
            raise
    for what in broken:
        print(f"broken: {what}")
    print(json.dumps(counts))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
