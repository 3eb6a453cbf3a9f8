"""Films under test: a project with a sample that was really measured, and workers rung by hand."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from config.stack import sample
from generations import uploads
from generations.models import Asset, Project
from generations.uploads import take as take_upload
from tests.generations.conftest import api_of, get, owner, post, stranger, with_credits
from workers.engine import Engine

__all__ = ["api_of", "get", "owner", "post", "stranger", "with_credits"]


@pytest.fixture
def api(owner: User) -> Client:
    return api_of(owner)


class Workers:
    """The engines of `worker-media`, `worker-slow` and `worker-io`, rung by the test."""

    def __init__(self) -> None:
        self.engines = [Engine("media", 1), Engine("slow", 4), Engine("io", 4)]
        for engine in self.engines:
            engine.start()

    def ring(self) -> None:
        for engine in self.engines:
            engine.run_due()

    def until(self, true: Callable[[], object], within: float = 60) -> None:
        """Ring until it is true; fails after `within` seconds."""
        deadline = time.monotonic() + within
        while not true():
            assert time.monotonic() < deadline, "it did not come true in time"
            self.ring()
            time.sleep(0.05)

    def stop(self) -> None:
        for engine in self.engines:
            engine.stop(20)


@pytest.fixture
def workers(owner: User) -> Iterator[Workers]:
    running = Workers()
    yield running
    running.stop()
    connection.close()


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> sample.Film:
    """A small sample with known cuts."""
    path = tmp_path_factory.mktemp("sample") / "sample.mp4"
    return sample.make(path, seed=7, style="hard", size=(180, 320), scenes=4)


@pytest.fixture
def sample_asset(owner: User, film: sample.Film, bucket: Any) -> Asset:
    return uploaded(owner, film.path, "video/mp4")


def uploaded(owner: User, path: Path, media_type: str) -> Asset:
    """The file as the owner's ready upload."""
    content = path.read_bytes()
    asset = uploads.announce(owner, name=path.name, media_type=media_type, size=len(content))
    return take_upload(asset, [content])


@pytest.fixture
def project(api: Client) -> str:
    """Without a sample."""
    made = post(
        api, "projects/", {"title": "Harbour", "description": "A red boat leaves the harbour at dawn."}
    )
    return str(made.json()["id"])


@pytest.fixture
def planned(api: Client, project: str, workers: Workers) -> str:
    """A project with a plan made of words."""
    answer = post(api, f"projects/{project}/plan/", {"seconds": 20})
    assert answer.status_code == 201, answer.content
    workers.until(lambda: Project.objects.get(id=project).state == "planned")
    return project


def said(api: Client, workers: Workers, project: str, message: str) -> dict[str, Any]:
    """Say it and wait for the answer: the turn, ended."""
    answer = post(api, f"projects/{project}/chat/", {"message": message})
    assert answer.status_code == 201, answer.content
    path = f"projects/{project}/chat/{answer.json()['id']}/"
    last: dict[str, Any] = {}

    def ended() -> bool:
        last.update(get(api, path).json())
        return last["ended_at"] is not None

    workers.until(ended)
    return last
