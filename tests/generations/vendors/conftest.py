"""A vendor of videos as its simulator, our settings leading there, and clips that are asked of it through the API."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from PIL import Image
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from credits import rate_cards
from credits.rate_cards import RateCardDraft
from generations import attempts, history
from providers import http
from providers.catalogue import MODELS, VideoModel
from providers.contract import Mode
from tests.generations.conftest import Worker, followed, post
from tests.vendors import VIDEO_VENDORS
from tests.vendors.video import VideoVendor, clip
from workers import clock

# A time at which the models of every vendor could be asked for, for those that have retired since.
BEFORE = datetime(2026, 5, 1, tzinfo=UTC)
# Nothing is found by asking within a test: only a vendor's own call brings it on.
NEVER = 3600.0

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def vendor(request: pytest.FixtureRequest, settings: Settings, owner: User) -> Iterator[VideoVendor]:
    """The simulator that the test names (indirectly), quick, and configured; no other real vendor is."""
    before = http._config
    http.configure(
        http.ClientConfig(allowed_origins=before.allowed_origins, allow_loopback=True, read_seconds=2.0)
    )
    with VIDEO_VENDORS[request.param](seconds=0.3) as simulator, pytest.MonkeyPatch.context() as patch:
        for name, value in simulator.environment().items():
            if hasattr(settings, name):
                setattr(settings, name, value)
            else:
                patch.setenv(name, value)
        if request.param in settings.MORE_VIDEO_PROVIDERS:
            _publish_prices(request.param)
        if not living(request.param):
            clock.advance(BEFORE - datetime.now(UTC))
            _price_from(BEFORE)
        yield simulator
    clock.reset()
    http.configure(before)


def _publish_prices(provider: str) -> None:
    """As an operator does for models outside this project, which the table of prices doesn't know."""
    for model in living(provider):
        rate_cards.publish(model.id, RateCardDraft(vendor_cost=Decimal("0.05")), operator_id=None)


def _price_from(moment: datetime) -> None:
    """Let today's rate cards have been in force then: past the trigger that keeps them as they are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE credits_ratecard SET valid_from = %s", [moment])


@pytest.fixture
def polling(owner: User, settings: Settings) -> Iterator[Worker]:
    """A worker that asks again and again; no webhook reaches us."""
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    settings.RECONCILE_EVERY = timedelta(seconds=0.2)
    yield from _worker(settings, safety=0.2)


@pytest.fixture
def listening(owner: User, settings: Settings, live_server: LiveServer) -> Iterator[Worker]:
    """A worker that asks only after it was told to by a webhook, and a server for those."""
    settings.PUBLIC_URL = live_server.url.replace("localhost", "127.0.0.1")
    settings.ALLOWED_HOSTS = ["*"]
    yield from _worker(settings, safety=NEVER)


def _worker(settings: Settings, *, safety: float) -> Iterator[Worker]:
    settings.SAFETY_POLL_SECONDS = safety
    history.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts, "RETRY_WAITS", ())
        patch.setattr("generations.polling.CLOSEST", 0.2)
        patch.setattr("generations.polling.AFTER_FAILURE", 0.2)
        # As if each model were as quick as its simulator: polls are as close as they get.
        patch.setattr(
            history, "expected", lambda model: history.Expected(earliest=0.1, typical=0.4, late=60.0)
        )
        running = Worker()
        yield running
        running.stop()


def living(provider: str) -> list[VideoModel]:
    """The vendor's models that can be asked for today."""
    now = datetime.now(UTC)
    return [one for one in MODELS.values() if one.provider == provider and one.is_available(now)]


def askable(provider: str) -> list[VideoModel]:
    """Those that can be asked for in these tests: today's, or where there are none those of an earlier time."""
    return living(provider) or [
        one for one in MODELS.values() if one.provider == provider and one.is_available(BEFORE)
    ]


def by_mode(provider: str) -> dict[Mode, VideoModel]:
    """A model of the vendor for each mode that it has."""
    found: dict[Mode, VideoModel] = {}
    for model in askable(provider):
        for mode in sorted(model.modes):
            found.setdefault(mode, model)
    return found


def wish(model: VideoModel, mode: Mode, files: dict[str, str]) -> dict[str, Any]:
    """The smallest request for a clip of this model and mode; `files`: ids of an image and a video."""
    for resolution in model.resolutions:
        durations = model.durations_for(mode, resolution)
        if durations:
            break
    body: dict[str, Any] = {
        "model": model.id,
        "mode": mode.value,
        "resolution": resolution,
        # A source has two seconds, and some of what is made from it is as long.
        "duration_seconds": next(length for length in durations if length > 2 or mode is not Mode.VIDEO),
        "ratio": model.default_ratio,
        "fallback": False,
    }
    if model.max_prompt_length:
        body["prompt"] = "A paper boat crosses a puddle"
    if mode in (Mode.IMAGE, Mode.FIRST_LAST):
        body["start_image"] = files["image"]
    if mode is Mode.FIRST_LAST:
        body["end_image"] = files["image"]
    if mode is Mode.VIDEO:
        body["source_video"] = files["video"]
    return body


@pytest.fixture
def files(api: Client) -> dict[str, str]:
    """The ids of an image and a video of the owner's."""
    picture = io.BytesIO()
    Image.linear_gradient("L").resize((1280, 720)).convert("RGB").save(picture, "PNG")
    return {
        name: uploaded(api, f"{name}.{ending}", media_type, content)
        for name, ending, media_type, content in (
            ("image", "png", "image/png", picture.getvalue()),
            ("video", "mp4", "video/mp4", clip()),
        )
    }


def uploaded(api: Client, name: str, media_type: str, content: bytes) -> str:
    answer = api.post(
        "/api/v1/uploads/", {"file": SimpleUploadedFile(name, content, content_type=media_type)}
    )
    assert answer.status_code in (200, 201), answer.content
    body = answer.json()
    return str(body.get("asset", body)["id"])


def made(api: Client, worker: Worker, body: dict[str, Any]) -> dict[str, Any]:
    """The clip, followed to its end."""
    answer = post(api, "generations/", body)
    assert answer.status_code == 201, answer.content
    return followed(api, worker, answer.json()["id"])
