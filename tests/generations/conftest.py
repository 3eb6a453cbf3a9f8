"""Clips under test: an owner with credits, a stranger, clients of the API, and a worker driven by hand."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from credits import ledger
from generations import attempts, history
from generations.models import Attempt
from providers import registry
from tests.factories import UserFactory, api_key
from tests.providers.sandbox import RunningSandbox
from workers.engine import Engine
from workers.models import Job

from .fake_vendor import Fakes, fakes

__all__ = ["Fakes", "fakes"]

CREDITS = 10_000
Api = Callable[..., Any]


def with_credits(credits: int = CREDITS) -> User:
    user = UserFactory.create()
    with transaction.atomic():
        ledger.grant(owner_id=user.pk, amount=credits, key=f"test:{user.pk}")
    return user


def api_of(user: User, *scopes: str) -> Client:
    """A client of the REST API, signed in by an API key."""
    secret = api_key(user, *scopes).secret
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Api-Key {secret}"})


@pytest.fixture
def owner(transactional_db: None, empty_redis: Any) -> User:
    return with_credits()


@pytest.fixture
def stranger(owner: User) -> User:
    return with_credits()


@pytest.fixture
def api(owner: User) -> Client:
    return api_of(owner)


@pytest.fixture
def sandbox(settings: Settings) -> RunningSandbox:
    return RunningSandbox(settings.SANDBOX_URL, settings.SANDBOX_API_KEY)


class Worker:
    """The engine of `worker-io`, and those of other queues, rung by the test."""

    def __init__(self, *others: str) -> None:
        self.engine = Engine("io", 8)
        self.engines = [self.engine, *(Engine(queue, 1) for queue in others)]
        for engine in self.engines:
            engine.start()

    def until(self, true: Callable[[], object], within: float = 40) -> None:
        """Ring until it is true; fails after `within` seconds."""
        deadline = time.monotonic() + within
        while not true():
            assert time.monotonic() < deadline, "it did not come true in time"
            for engine in self.engines:
                engine.run_due()
            time.sleep(0.05)

    def settle(self) -> None:
        """Ring until nothing is due any more, and what came of it is written."""
        self.until(
            lambda: (
                sum(engine.run_due() for engine in self.engines) == 0
                and not any(engine._claimed for engine in self.engines)
                and not Job.objects.filter(lease_until__isnull=False).exists()
            )
        )

    def stop(self) -> None:
        for engine in self.engines:
            engine.stop(20)


@pytest.fixture
def worker(owner: User, settings: Settings) -> Iterator[Worker]:
    """No webhook reaches this process, so its polls are close."""
    settings.SAFETY_POLL_SECONDS = 0.3
    history.forget()
    running = Worker()
    yield running
    running.stop()
    connection.close()


@pytest.fixture
def workers(owner: User, settings: Settings) -> Iterator[Worker]:
    """As `worker`, and with one of `worker-media`; a failed attempt is followed by the next at once."""
    settings.SAFETY_POLL_SECONDS = 0.3
    history.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts, "RETRY_WAITS", (timedelta(0),))
        running = Worker("media")
        yield running
        running.stop()
    connection.close()


@pytest.fixture
def clip(api: Client, worker: Worker) -> Callable[..., dict[str, Any]]:
    """Make a clip and follow it to its end; its last answer."""

    def make(**body: Any) -> dict[str, Any]:
        asked = {"model": "sandbox/motion-1", "prompt": "A boat", "duration_seconds": 2, "resolution": "480p"}
        answer = post(api, "generations/", {**asked, **body})
        assert answer.status_code == 201, answer.content
        return followed(api, worker, answer.json()["id"])

    return make


def a_result(generation_id: str) -> str:
    """The vendor's own address of this clip's video."""
    attempt = Attempt.objects.get(generation_id=generation_id)
    output = registry.provider("sandbox").fetch(attempt.external_id or "").output
    assert output is not None
    return output.url


def post(api: Client, path: str, body: object = None, **headers: str) -> Any:
    return api.post(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def get(api: Client, path: str) -> Any:
    return api.get(f"/api/v1/{path}")


def followed(api: Client, worker: Worker, generation_id: str) -> dict[str, Any]:
    """Ring until the clip has ended; its last answer."""
    last: dict[str, Any] = {}

    def ended() -> bool:
        last.update(get(api, f"generations/{generation_id}/").json())
        return last["ended_at"] is not None

    worker.until(ended)
    return last
