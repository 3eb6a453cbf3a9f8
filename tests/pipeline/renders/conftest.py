"""Renders under test: small films by the sandbox, and workers rung by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from generations import history
from generations.models import Project
from generations.requests import GenerationRequest
from pipeline import versions
from pipeline.models import Author, Render
from pipeline.plans.film import Film, Segment
from pipeline.renders import making
from tests.pipeline.conftest import Workers, api, get, owner, post, stranger, workers

__all__ = ["Workers", "api", "get", "owner", "post", "stranger", "workers"]

MODEL, FAST = "sandbox/motion-1", "sandbox/motion-fast"
MakeProject = Callable[..., str]


@pytest.fixture(autouse=True)
def small(settings: Settings, bucket: Any) -> None:
    """Films that are made in a moment, and close polls: no webhook reaches this process."""
    settings.FILM_SHORT_SIDE = 180
    settings.FILM_PRESET = "ultrafast"
    settings.SAFETY_POLL_SECONDS = 0.3
    history.forget()


def segment(number: int, **fields: Any) -> Segment:
    values: dict[str, Any] = {
        "id": f"s{number}",
        "story": f"Scene {number}",
        "prompt": f"A red boat, scene {number}",
        "content_type": "landscape",
        "seconds": 2.0,
        "clip_seconds": 2,
        "model": MODEL,
    }
    return Segment.model_validate({**values, **fields})


def film(*segments: Segment, **fields: Any) -> Film:
    values: dict[str, Any] = {"title": "Harbour", "resolution": "480p", "segments": segments}
    return Film.model_validate({**values, **fields})


def two_segments(**fields: Any) -> Film:
    return film(segment(1), segment(2), **fields)


@pytest.fixture
def project_with(owner: User) -> MakeProject:
    """A project whose plan is this film."""

    def make(planned: Film) -> str:
        with transaction.atomic():
            project = Project.objects.create(owner=owner, title=planned.title)
            versions.save(project, planned, author=Author.USER)
        return str(project.id)

    return make


def save_version(project: str, planned: Film) -> int:
    """The film as the project's next version; its number."""
    with transaction.atomic():
        return versions.save(Project.objects.get(id=project), planned, author=Author.USER).number


def started(api: Client, project: str, **body: Any) -> str:
    """A render of the project, accepted; its id."""
    answer = post(api, f"projects/{project}/renders/", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def shown(api: Client, render: str) -> dict[str, Any]:
    answer: dict[str, Any] = get(api, f"renders/{render}/").json()
    return answer


def reached(api: Client, workers: Workers, render: str, *statuses: str) -> dict[str, Any]:
    """The render once it has one of these statuses."""
    workers.until(lambda: Render.objects.get(id=render).status in statuses, within=120)
    return shown(api, render)


def segment_of(render: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in render["segments"] if one["segment"] == name)


@pytest.fixture
def ask_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the clips of some segments be asked for with these controls of the sandbox, by the words in their prompt."""
    wanted: dict[str, dict[str, Any]] = {}
    plain = making.request_for

    def request_for(*arguments: Any) -> GenerationRequest:
        request = plain(*arguments)
        for words, controls in wanted.items():
            if words in request.prompt:
                return replace(request, controls=controls)
        return request

    monkeypatch.setattr(making, "request_for", request_for)

    def ask(words: str, **controls: Any) -> None:
        wanted[words] = controls

    return ask
