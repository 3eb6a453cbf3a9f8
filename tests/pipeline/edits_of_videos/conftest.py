"""Edits under test: small sources whose pictures and sound are known by value, and workers rung by hand."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from generations import provenance, storage
from generations.models import Asset
from pipeline.models import VideoEdit
from tests.generations.storage.files import make_asset
from tests.pipeline.composition.films import source, tone
from tests.pipeline.conftest import Workers, api, get, owner, post, stranger, workers

__all__ = ["Workers", "api", "get", "owner", "post", "stranger", "workers"]

SIZE = (160, 90)
FRAMES = 90
# Of the right half of each picture; the left half is the lighter the later.
RIGHT = 150
COLOUR = (110, 150)
MakeVideo = Callable[..., Asset]


def light(frame: int) -> int:
    """Of the left half of this picture of the source."""
    return 30 + 2 * frame


def picture(frame: int) -> Any:
    made = np.full((SIZE[1], SIZE[0]), RIGHT, np.uint8)
    made[:, : SIZE[0] // 2] = light(frame)
    return made


@pytest.fixture(autouse=True)
def small(settings: Settings, bucket: Any) -> None:
    """Results that are made in a moment."""
    settings.FILM_SHORT_SIDE = 90
    settings.FILM_PRESET = "ultrafast"


@pytest.fixture(scope="session")
def heard_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds with a tone of 440 Hz, signed by its maker."""
    path = tmp_path_factory.mktemp("sources") / "heard.mp4"
    pictures = [picture(frame) for frame in range(FRAMES)]
    source(path, pictures, rate=Fraction(30), size=SIZE, sound=tone(FRAMES / 30), colour=COLOUR)
    provenance.sign(
        path,
        provenance.Claim(
            title="clip", kind="clip", models=("sandbox/motion-1",), created_at=datetime.now(UTC)
        ),
    )
    return path


@pytest.fixture(scope="session")
def silent_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a sound track."""
    path = tmp_path_factory.mktemp("sources") / "silent.mp4"
    pictures = [picture(frame) for frame in range(FRAMES)]
    return source(path, pictures, rate=Fraction(30), size=SIZE, colour=COLOUR)


@pytest.fixture(scope="session")
def dark_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As long, black from beginning to end, with a track on which nothing is heard."""
    path = tmp_path_factory.mktemp("sources") / "dark.mp4"
    return source(path, [16] * FRAMES, rate=Fraction(30), size=SIZE, sound=tone(FRAMES / 30, level=0))


@pytest.fixture
def video_of(owner: User) -> MakeVideo:
    """A ready video of the owner with this file."""

    def make(path: Path, **fields: Any) -> Asset:
        values: dict[str, Any] = {
            "origin": "upload",
            "width": SIZE[0],
            "height": SIZE[1],
            "duration_seconds": FRAMES / 30,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        asset = make_asset(owner, **{**values, **fields})
        storage.put(asset.key, path, media_type="video/mp4")
        return asset

    return make


@pytest.fixture
def heard(video_of: MakeVideo, heard_video: Path) -> Asset:
    return video_of(heard_video, audio_codec="aac")


@pytest.fixture
def silent(video_of: MakeVideo, silent_video: Path) -> Asset:
    return video_of(silent_video)


def begun(api: Client, asset: Asset | str, **body: Any) -> str:
    """The edit, accepted; its id."""
    answer = post(api, f"videos/{getattr(asset, 'id', asset)}/edits/", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def ended(api: Client, workers: Workers, edit: str) -> dict[str, Any]:
    """The edit once it has ended."""
    workers.until(lambda: VideoEdit.objects.get(id=edit).ended_at)
    answer: dict[str, Any] = get(api, f"edits/{edit}/").json()
    return answer


def edited(api: Client, workers: Workers, asset: Asset | str, **body: Any) -> dict[str, Any]:
    """The edit, completed."""
    last = ended(api, workers, begun(api, asset, **body))
    assert last["status"] == "completed", last
    return last


def downloaded(api: Client, edit: dict[str, Any], folder: Path) -> Path:
    """The result's file."""
    answer = get(api, f"edits/{edit['id']}/download/")
    assert answer.status_code == 302, answer.content
    path = folder / f"{edit['id']}.mp4"
    path.write_bytes(requests.get(answer["Location"], timeout=30).content)
    return path
