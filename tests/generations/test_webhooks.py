"""What vendors send: a hint at most, whoever sends it, how often and in whatever order."""

import json
import uuid
from itertools import permutations
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from credits.models import Entry
from generations.callbacks import callback_url
from generations.models import Asset, Attempt, Generation, WebhookDelivery
from tests.providers.forgeries import signed, standard_webhook_forgeries
from workers.models import Job

from .conftest import Worker, followed, post
from .test_idempotency import together


@pytest.fixture
def attempt(api: Client, worker: Worker) -> Attempt:
    """One that runs at the vendor, which doesn't call by itself."""
    controls = {"fault": "no_webhook", "seconds": 3}
    post(api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat", "controls": controls})
    worker.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    worker.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())
    return Attempt.objects.get()


def body_of(attempt: Attempt, **changes: Any) -> bytes:
    """What the sandbox would send about it."""
    data = {
        "id": attempt.external_id,
        "status": "rendering",
        "progress": 50,
        "client_reference": attempt.id.hex,
        "video": None,
        "error": None,
        "cost": None,
        **changes,
    }
    return json.dumps({"type": "video.rendering", "data": data}).encode()


def path_of(attempt: Attempt) -> str:
    return callback_url("sandbox", attempt.id).removeprefix(settings.PUBLIC_URL)


def send(path: str, body: bytes, headers: dict[str, str]) -> int:
    answer = Client(SERVER_NAME="localhost").post(
        path, body, content_type="application/json", headers=headers
    )
    return answer.status_code


def honest(body: bytes, message_id: str = "msg_1") -> dict[str, str]:
    return signed(settings.SANDBOX_WEBHOOK_SECRET, body, message_id=message_id)


def test_forged_deliveries_change_nothing(attempt: Attempt) -> None:
    body = body_of(attempt)
    before = Job.objects.values().get()
    forgeries = list(standard_webhook_forgeries(settings.SANDBOX_WEBHOOK_SECRET, body))
    assert len(forgeries) >= 12
    for forgery in forgeries:
        assert send(path_of(attempt), forgery.body, forgery.headers) == 400, forgery
    assert Job.objects.values().get() == before
    assert not WebhookDelivery.objects.exists()


def test_a_delivery_to_a_wrong_address_changes_nothing(attempt: Attempt) -> None:
    body = body_of(attempt)
    good = path_of(attempt)
    for path in (
        good.replace("sandbox", "nobody"),
        good[:-3] + "xx/",
        f"/webhooks/sandbox/{uuid.uuid4().hex}/",
        callback_url("sandbox", uuid.uuid4()).removeprefix(settings.PUBLIC_URL),
    ):
        assert send(path, body, honest(body)) == 400
    assert not WebhookDelivery.objects.exists()
    assert Job.objects.get().hinted_at is None


def test_a_delivery_about_another_job_is_nobodys(attempt: Attempt) -> None:
    for changes in ({"id": "vid_other"}, {"client_reference": uuid.uuid4().hex}):
        body = body_of(attempt, **changes)
        assert send(path_of(attempt), body, honest(body)) == 200
    assert not WebhookDelivery.objects.exists()
    assert Attempt.objects.get().other_external_ids == []
    assert Job.objects.get().hinted_at is None


def test_the_same_delivery_again_and_again_is_stored_and_acted_on_once(attempt: Attempt) -> None:
    body = body_of(attempt)
    headers = honest(body)
    codes = together(8, lambda _: [send(path_of(attempt), body, headers) for _ in range(125)])
    assert {code for part in codes for code in part} == {200}
    delivery = WebhookDelivery.objects.get()
    assert (delivery.times, delivery.effect) == (1000, "hinted")
    assert "http" not in delivery.body


def test_64_deliveries_at_once_complete_the_clip_once(attempt: Attempt, api: Client, worker: Worker) -> None:
    bodies = [body_of(attempt, status=status) for status in ("queued", "processing", "done", "failed")]
    sent = [(bodies[n % 4], honest(bodies[n % 4], f"msg_{n % 16}")) for n in range(64)]

    codes = together(64, lambda n: send(path_of(attempt), *sent[n]))

    assert set(codes) == {200}
    assert WebhookDelivery.objects.count() == 16
    assert followed(api, worker, str(attempt.generation_id))["status"] == "completed"
    assert Asset.objects.filter(origin="generation").count() == 1
    assert Entry.objects.filter(kind__in=["capture", "release"]).count() == 1


def test_deliveries_in_every_order_end_the_same_way(attempt: Attempt, api: Client, worker: Worker) -> None:
    """Whatever a delivery says and whenever it comes: it only has the vendor asked."""
    statuses = ("queued", "processing", "done", "failed")
    for number, order in enumerate(permutations(statuses)):
        for status in order:
            body = body_of(attempt, status=status)
            assert send(path_of(attempt), body, honest(body, f"msg_{number}_{status}")) == 200
        worker.engine.run_due()
        assert Generation.objects.get().status != "failed"

    assert followed(api, worker, str(attempt.generation_id))["status"] == "completed"
    assert WebhookDelivery.objects.count() == 24 * 4
    assert Asset.objects.filter(origin="generation").count() == 1
    assert Entry.objects.filter(kind__in=["capture", "release"]).count() == 1


def test_a_hint_only_has_the_truth_fetched(attempt: Attempt, api: Client, worker: Worker) -> None:
    """The delivery says "done"; the vendor, asked with our own key, says that it isn't yet."""
    body = body_of(attempt, status="done", video={"url": "http://127.0.0.1:1/evil.mp4"})
    assert send(path_of(attempt), body, honest(body)) == 200
    worker.engine.run_due()
    assert Generation.objects.get().ended_at is None
    ended = followed(api, worker, str(attempt.generation_id))
    assert ended["status"] == "completed"
    again = body_of(attempt, status="failed")
    assert send(path_of(attempt), again, honest(again, "msg_2")) == 200
    assert WebhookDelivery.objects.order_by("-id").values_list("effect", flat=True)[0] == "none"
    assert Generation.objects.get().status == "completed"
    assert Asset.objects.filter(origin="generation").count() == 1
    assert Entry.objects.filter(kind="capture").count() == 1


def test_a_body_over_the_limit_is_refused_unread(attempt: Attempt, owner: User) -> None:
    assert send(path_of(attempt), b"x" * 300_000, {}) == 413
