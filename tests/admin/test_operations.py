"""What an operator does about a clip that is stuck, unknown or lost, on its page in the admin."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Event, User
from credits import verification
from credits.models import Account, Entry, Hold, RateCard
from generations.callbacks import callback_url
from generations.models import Asset, Attempt, AttemptState, Generation
from tests.factories import UserFactory
from tests.generations.conftest import CREDITS, Worker, a_result, followed, post
from workers import gates
from workers.clock import AppNow
from workers.models import Job


def operate(operator: Client, action: str, generation: Generation, **form: object) -> Any:
    address = reverse(f"admin:generations_generation_{action}", args=[generation.id])
    assert operator.get(address).status_code == 200
    return operator.post(address, {"note": "the vendor told us", "key": f"operator:{uuid.uuid4()}", **form})


def running(api: Client, worker: Worker, **controls: object) -> Generation:
    """A clip that the vendor works on and never finishes."""
    body = {"model": "sandbox/motion-1", "prompt": "A boat", "duration_seconds": 2, "resolution": "480p"}
    made = post(api, "generations/", {**body, "controls": {"fault": "stuck", **controls}})
    assert made.status_code == 201, made.content
    mine = Attempt.objects.filter(generation_id=made.json()["id"], external_id__isnull=False)
    worker.until(mine.exists)
    worker.until(idle)
    return Generation.objects.get(id=made.json()["id"])


def idle() -> bool:
    return not Job.objects.filter(lease_until__isnull=False).exists()


def test_a_stuck_clip_is_released_once_with_every_credit(
    operator: Client,
    api: Client,
    worker: Worker,
    owner: User,
) -> None:
    generation = running(api, worker)

    assert operate(operator, "release", generation).status_code == 302

    generation.refresh_from_db()
    assert (generation.status, generation.error_code) == ("failed", "released_by_operator")
    assert Attempt.objects.get().state == AttemptState.UNKNOWN
    assert Account.objects.get(owner=owner).balance == CREDITS
    assert Entry.objects.filter(subject_id=generation.id, kind="release").count() == 1
    assert Event.objects.filter(subject_id=generation.id, kind="generation.failed").count() == 1
    logged = LogEntry.objects.get()
    assert logged.user.email == "operator@example.com"
    assert "the vendor told us" in logged.change_message
    # Again it is refused, and nothing moves.
    assert b"has ended" in operate(operator, "release", generation).content
    worker.until(lambda: worker.engine.run_due() == 0 and idle())
    assert Entry.objects.filter(subject_id=generation.id).count() == 2
    assert verification.verify(owner.pk).agrees


def test_a_clip_that_a_worker_is_at_is_not_released(
    operator: Client,
    api: Client,
    worker: Worker,
) -> None:
    generation = running(api, worker)
    Job.objects.update(lease_until=AppNow() + timedelta(seconds=20))

    answer = operate(operator, "release", generation)

    assert b"A worker is at it right now" in answer.content
    assert Generation.objects.get().status != "failed"


def test_a_result_that_an_operator_names_is_delivered_and_charged_as_any_other(
    operator: Client,
    api: Client,
    worker: Worker,
    owner: User,
    clip: Callable[..., dict[str, Any]],
) -> None:
    url = a_result(clip()["id"])
    generation = running(api, worker)

    assert operate(operator, "give_result", generation, url=url).status_code == 302

    ended = followed(api, worker, str(generation.id))
    assert ended["status"] == "completed"
    assert Asset.objects.get(made_by=generation).sha256
    assert Hold.objects.get(id=generation.hold_id).captured == generation.credits_quoted
    assert url not in str(list(Attempt.objects.values()))
    assert verification.verify(owner.pk).agrees
    # One that is completed has its result.
    assert b"has ended" in operate(operator, "give_result", generation, url=url).content


def test_a_result_named_after_a_release_is_delivered_late_for_nothing(
    operator: Client,
    api: Client,
    worker: Worker,
    owner: User,
    clip: Callable[..., dict[str, Any]],
) -> None:
    url = a_result(clip()["id"])
    before = Account.objects.get(owner=owner).balance
    generation = running(api, worker)
    operate(operator, "release", generation)

    operate(operator, "give_result", generation, url=url)

    worker.until(lambda: Generation.objects.get(id=generation.id).status == "completed")
    generation.refresh_from_db()
    assert (generation.late, generation.credits_used) == (True, 0)
    assert Account.objects.get(owner=owner).balance == before


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/video.mp4", "http://169.254.169.254/latest", "ftp://x/y"]
)
def test_a_result_at_an_address_inside_our_network_is_not_fetched(
    operator: Client,
    api: Client,
    worker: Worker,
    url: str,
) -> None:
    generation = running(api, worker)

    answer = operate(operator, "give_result", generation, url=url)

    if answer.status_code == 302:
        worker.until(lambda: Attempt.objects.get().failed_calls > 0)
    assert not Asset.objects.filter(origin="generation").exists()
    assert Hold.objects.get().captured == 0


def test_what_was_captured_is_refunded_to_the_credit_and_no_further(
    operator: Client,
    clip: Any,
    owner: User,
) -> None:
    clip()
    hold = Hold.objects.get()
    address = reverse("admin:credits_hold_refund", args=[hold.pk])
    form = {"amount": hold.captured - 1, "note": "half a video", "key": "operator:1"}

    for _ in range(2):
        assert operator.post(address, form).status_code == 302
    refused = operator.post(address, {**form, "amount": 2, "key": "operator:2"})

    assert b"refund" in refused.content.lower()
    assert refused.status_code == 200
    entry = Entry.objects.get(kind="refund")
    assert (entry.amount, entry.note) == (hold.captured - 1, "half a video")
    assert entry.operator is not None
    assert Account.objects.get(owner=owner).balance == CREDITS - 1


@pytest.mark.parametrize("action", ["release", "give_result", "cancel_now", "ask_now", "refund"])
def test_who_may_only_look_can_do_nothing(
    api: Client,
    worker: Worker,
    action: str,
) -> None:
    generation = running(api, worker)
    viewer = UserFactory.create(is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")

    page = client.get(reverse("admin:generations_generation_change", args=[generation.id]))
    answer = client.post(
        reverse(f"admin:generations_generation_{action}", args=[generation.id]),
        {"note": "x", "key": "k", "url": "https://example.com/v.mp4"},
    )

    assert page.status_code == 200
    assert b"Mark succeeded" not in page.content
    assert answer.status_code == 403
    assert Generation.objects.get().ended_at is None


def test_the_page_of_a_clip_tells_its_job_attempts_and_events(
    operator: Client,
    api: Client,
    worker: Worker,
) -> None:
    generation = running(api, worker)

    page = operator.get(reverse("admin:generations_generation_change", args=[generation.id])).content.decode()

    attempt = Attempt.objects.get()
    assert attempt.external_id is not None
    assert attempt.external_id in page
    assert "generation.created" in page
    assert "poll, running" in page
    assert callback_url("sandbox", attempt.id) not in page


def test_the_first_page_tells_what_is_late_unknown_and_stopped(
    operator: Client,
    api: Client,
    worker: Worker,
) -> None:
    empty = operator.get("/admin/").content.decode()
    assert "Nothing is running" in empty
    assert "No clip was made" in empty
    running(api, worker)
    Job.objects.update(due_at=AppNow() - timedelta(minutes=5))
    Attempt.objects.update(state=AttemptState.UNKNOWN, reconcile_by=AppNow() + timedelta(minutes=5))
    gates.stop("submit:sandbox", "they are down")

    page = operator.get("/admin/").content.decode()

    assert "Submissions are stopped" in page
    assert "they are down" in page
    assert "1 late" in page
    assert "checked until" in page


def test_a_price_is_shown_before_it_is_published(operator: Client) -> None:
    card = RateCard.objects.get(subject="sandbox/motion-1")
    address = reverse("admin:credits_ratecard_publish", args=[card.pk])
    form: dict[str, object] = {
        "base_credits": 130,
        "base_seconds": 5,
        "modifiers": card.modifiers,
        "vendor_currency": "USD",
        "vendor_unit": "second",
        "markup": "3",
    }
    assert operator.get(address).status_code == 200

    shown = operator.post(address, form)
    assert b"Publish this price" in shown.content
    assert RateCard.objects.filter(subject=card.subject).count() == 1
    seen = shown.context["form"].data["seen"]
    # Changed after it was shown: it is shown again.
    assert operator.post(address, {**form, "base_credits": 131, "seen": seen}).status_code == 200
    assert operator.post(address, {**form, "base_credits": "", "seen": ""}).status_code == 200
    assert RateCard.objects.filter(subject=card.subject).count() == 1
    assert operator.post(address, {**form, "seen": seen}).status_code == 302

    newest = RateCard.objects.filter(subject=card.subject).latest("version")
    assert (newest.version, newest.base_credits) == (2, 130)
    assert newest.created_by is not None
