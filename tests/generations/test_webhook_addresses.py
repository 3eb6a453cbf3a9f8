"""Where vendors call: an attempt's own address, or the account's, known before anything of the body is read."""

import io
import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from accounts.models import User
from generations import receiving
from generations.api.webhooks import webhook
from generations.callbacks import callback_url
from generations.models import Attempt, AttemptState, WebhookDelivery
from providers.contract import RenderState, Webhooks
from providers.errors import OutcomeUnknown
from workers.models import Job

from .conftest import Worker, followed
from .fake_vendor import FAKE, SIGNATURE, FakeProvider, Fakes
from .test_idempotency import together

ACCOUNTS_ADDRESS = "/webhooks/fake/account/"


class Unread(io.BytesIO):
    """A body that must not be read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")


@pytest.fixture
def attempt(fakes: Fakes, owner: User, worker: Worker) -> Attempt:
    """One that runs at the vendor."""
    fakes.fake.begins = RenderState.RUNNING
    fakes.settings.SAFETY_POLL_SECONDS = 3600
    fakes.ask(owner)
    worker.until(lambda: Attempt.objects.filter(state="running").exists())
    worker.settle()
    return Attempt.objects.get()


def path_of(attempt: Attempt) -> str:
    return callback_url("fake", attempt.id).removeprefix(settings.PUBLIC_URL)


def send(path: str, body: str | bytes, key: str = "main") -> int:
    answer = Client(SERVER_NAME="localhost").post(
        path, body, content_type="text/plain", headers={SIGNATURE: key}
    )
    return answer.status_code


def hinted() -> bool:
    return Job.objects.get().hinted_at is not None


def test_a_wrong_address_is_refused_without_reading_the_body(fakes: Fakes, attempt: Attempt) -> None:
    good = path_of(attempt)
    for provider, token in (
        ("nobody", "account"),
        ("fake", "account"),  # it calls each attempt's own
        ("fake", good.split("/")[3][:-1] + "x"),
        ("other", good.split("/")[3]),  # another vendor's attempt
        ("fake", attempt.id.hex),
        ("fake", ""),
    ):
        request = RequestFactory(SERVER_NAME="localhost").post("/", b"x" * 100, content_type="text/plain")
        request._stream = Unread()
        assert webhook(request, provider=provider, token=token).status_code == 400, (provider, token)
    request = RequestFactory(SERVER_NAME="localhost").post("/", b"x" * 100, content_type="text/plain")
    request._stream = Unread()
    with pytest.raises(AssertionError, match="the body was read"):
        webhook(request, provider="fake", token=good.split("/")[3])
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("cap", [100, 300_000])
def test_a_body_over_the_adapters_cap_is_refused_and_nothing_of_it_is_kept(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, cap: int
) -> None:
    monkeypatch.setattr(FakeProvider, "webhook_max_bytes", cap)
    body = f"{attempt.external_id} event-1".ljust(cap + 1)
    assert send(path_of(attempt), body) == 413
    with pytest.raises(receiving.Refused, match="size"):
        receiving.receive(receiving.addressee("fake", path_of(attempt).split("/")[3]), {}, body.encode())
    assert (WebhookDelivery.objects.count(), hinted()) == (0, False)
    assert send(path_of(attempt), body[:-1].replace("event-1", "event-1"[:cap])) == 200
    assert (WebhookDelivery.objects.count(), hinted()) == (1, True)


def test_no_more_is_read_than_the_cap_whatever_the_header_says(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProvider, "webhook_max_bytes", 10)

    class Endless(io.BytesIO):
        given = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            Endless.given += size
            return b"x" * size

    request = RequestFactory(SERVER_NAME="localhost").post("/", b"", content_type="text/plain")
    request._stream = Endless()
    assert webhook(request, provider="fake", token=path_of(attempt).split("/")[3]).status_code == 413
    assert Endless.given == 11


def test_a_delivery_for_a_whole_account_finds_its_attempt_by_the_vendors_id(
    fakes: Fakes, attempt: Attempt, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(ACCOUNTS_ADDRESS, str(attempt.external_id)) == 400
    monkeypatch.setattr(FakeProvider, "webhooks_of_account", True)
    assert send(ACCOUNTS_ADDRESS, "a-stranger event-1") == 200
    assert (WebhookDelivery.objects.count(), hinted()) == (0, False)
    assert send(ACCOUNTS_ADDRESS, str(attempt.external_id), key="forged") == 400
    assert not hinted()

    fakes.fake.set_all(RenderState.SUCCEEDED)
    assert send(ACCOUNTS_ADDRESS, f"{attempt.external_id} event-2") == 200
    assert (WebhookDelivery.objects.get().attempt_id, hinted()) == (attempt.id, True)
    assert followed(api, worker, str(attempt.generation_id))["status"] == "completed"


def test_the_signature_of_each_of_our_accounts_counts_at_the_address_of_the_account(
    fakes: Fakes, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.accounts("second")
    monkeypatch.setattr(FakeProvider, "webhooks_of_account", True)
    assert send(ACCOUNTS_ADDRESS, f"{attempt.external_id} 1", key="second") == 200
    assert send(ACCOUNTS_ADDRESS, f"{attempt.external_id} 2", key="third") == 400
    # At an attempt's own address only that of its account does.
    assert send(path_of(attempt), f"{attempt.external_id} 3", key="second") == 400
    assert send(path_of(attempt), f"{attempt.external_id} 4", key="main") == 200
    assert list(WebhookDelivery.objects.order_by("id").values_list("delivery_id", flat=True)) == ["1", "4"]


def test_an_account_without_a_key_takes_no_deliveries(
    fakes: Fakes, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProvider, "webhooks_of_account", True)
    fakes.settings.FAKE_API_KEY = ""
    assert send(ACCOUNTS_ADDRESS, str(attempt.external_id), key="") == 400
    assert send(path_of(attempt), str(attempt.external_id), key="") == 400
    assert not WebhookDelivery.objects.exists()


def test_an_id_that_another_attempt_has_is_not_taken_from_a_delivery(
    fakes: Fakes, owner: User, attempt: Attempt
) -> None:
    clip = fakes.ask(owner)
    other = Attempt.objects.create(generation_id=clip, number=1, provider="fake", model=FAKE, fence=1)
    Attempt.objects.filter(id=other.id).update(state=AttemptState.UNKNOWN)
    assert send(path_of(other), f"{attempt.external_id} 1") == 200
    other.refresh_from_db()
    assert (other.external_id, other.other_external_ids) == (None, [])


@pytest.mark.parametrize(
    ("webhooks", "state", "believed"),
    [
        (Webhooks.SIGNED, AttemptState.INTENDED, True),
        (Webhooks.SIGNED, AttemptState.UNKNOWN, True),
        (Webhooks.TOKEN, AttemptState.INTENDED, False),
        (Webhooks.TOKEN, AttemptState.UNKNOWN, True),
    ],
)
def test_whose_word_on_an_attempts_id_counts(
    fakes: Fakes,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
    webhooks: Webhooks,
    state: AttemptState,
    believed: bool,
) -> None:
    monkeypatch.setattr(FakeProvider, "webhooks", webhooks)
    clip = fakes.ask(owner)
    attempt = Attempt.objects.create(
        generation_id=clip, number=1, provider="fake", model=FAKE, fence=1, state=state
    )
    assert send(path_of(attempt), "the-id 1") == 200
    attempt.refresh_from_db()
    assert attempt.external_id == ("the-id" if believed else None)
    assert receiving.told_id(attempt) == "the-id"
    # A second id, from whoever has the address, is nobody's once there is one.
    assert send(path_of(attempt), "another 2") == 200
    attempt.refresh_from_db()
    assert attempt.external_id == ("the-id" if believed else None)


def test_early_deliveries_and_a_lost_answer_are_one_job(
    fakes: Fakes, owner: User, api: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen at once, while the submission's answer is on its way and then lost."""
    monkeypatch.setattr(FakeProvider, "webhooks", Webhooks.TOKEN)
    codes: list[int] = []

    def during(render: Any, url: str | None) -> None:
        assert url is not None
        path = url.removeprefix(settings.PUBLIC_URL)
        codes.extend(together(16, lambda number: send(path, f"{render.external_id} {number % 4}")))
        raise OutcomeUnknown("fake")

    fakes.fake.during = during
    ended = followed(api, worker, str(fakes.ask(owner)))
    assert (ended["status"], set(codes)) == ("completed", {200})
    assert WebhookDelivery.objects.count() == 4
    assert len(fakes.fake.submitted()) == 1
    assert Attempt.objects.get().other_external_ids == []


def test_what_is_kept_of_a_body_has_no_link_prompt_or_secret() -> None:
    body = {
        "id": "x",
        "output": ["https://files.example.com/a.mp4"],
        "prompt": "a secret plan",
        "data": {"access_token": "t0k3n", "video_url": "u", "progress": 5},
    }
    kept = receiving.redacted(json.dumps(body).encode())
    assert json.loads(kept)["data"]["progress"] == 5
    for word in ("example.com", "plan", "t0k3n", '"u"'):
        assert word not in kept
    assert receiving.redacted(b"\xff no json") == ""
