"""Our accounts at vendors and the daily comparison with them, as an operator sees them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from generations.models import AccountHealth, DriftReport
from tests.factories import UserFactory
from workers.clock import AppNow

ACCOUNTS = "admin:generations_accounthealth_changelist"
UNTIL = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def viewer(transactional_db: None) -> Client:
    """One who may look and do nothing."""
    user = UserFactory.create(is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def failing(transactional_db: None) -> AccountHealth:
    return AccountHealth.objects.create(
        provider="luma",
        account="second",
        failures=7,
        open_until=AppNow() + timedelta(minutes=2),
        paused_until=AppNow() + timedelta(minutes=1),
        last_error="provider_unreachable",
        last_error_at=AppNow(),
        balance=Decimal("12.5"),
        balance_currency="USD",
    )


def report(*findings: dict[str, Any]) -> DriftReport:
    return DriftReport.objects.create(
        provider="luma",
        account="main",
        since=UNTIL - timedelta(days=1),
        until=UNTIL,
        listed=True,
        attempts=3,
        vendor_renders=4,
        drift=len(findings),
        findings=list(findings),
    )


def close(client: Client, row: AccountHealth) -> Any:
    return client.post(reverse(ACCOUNTS), {"action": "close", "_selected_action": [str(row.pk)]}, follow=True)


def test_the_accounts_tell_their_breaker_pause_and_balance(operator: Client, failing: AccountHealth) -> None:
    page = operator.get(reverse(ACCOUNTS)).content.decode()
    for word in ("luma", "second", "open", "12.5", "provider_unreachable"):
        assert word in page
    assert (
        "open"
        in operator.get(reverse("admin:generations_accounthealth_change", args=[failing.pk])).content.decode()
    )
    AccountHealth.objects.update(open_until=AppNow() - timedelta(seconds=1))
    assert "half_open" in operator.get(reverse(ACCOUNTS)).content.decode()


def test_an_operator_lets_submissions_through_again(operator: Client, failing: AccountHealth) -> None:
    answer = close(operator, failing)
    assert b"1 may be submitted to again" in answer.content
    failing.refresh_from_db()
    assert (failing.failures, failing.open_until, failing.paused_until) == (0, None, None)
    assert (failing.last_error, failing.balance) == ("provider_unreachable", Decimal("12.5"))
    logged = LogEntry.objects.get()
    assert logged.user.email == "operator@example.com"
    assert (logged.object_id, "closed" in logged.change_message) == (str(failing.pk), True)


def test_who_may_only_look_sees_the_accounts_and_can_close_nothing(
    viewer: Client, failing: AccountHealth
) -> None:
    page = viewer.get(reverse(ACCOUNTS))
    assert page.status_code == 200
    assert b"Submit again" not in page.content
    close(viewer, failing)
    failing.refresh_from_db()
    assert (failing.failures, failing.open_until is not None) == (7, True)


def test_a_report_shows_what_differs_and_runs_nothing_of_it(operator: Client) -> None:
    attempt = str(uuid4())
    one = report(
        {
            "kind": "paid_not_delivered",
            "attempt": attempt,
            "external_id": "mine",
            "detail": "Made, and lost.",
        },
        {
            "kind": "unknown_render",
            "attempt": None,
            "external_id": "<script>alert(1)</script>",
            "detail": "Nobody's.",
        },
    )
    listed = operator.get(reverse("admin:generations_driftreport_changelist")).content.decode()
    assert "luma" in listed
    page = operator.get(reverse("admin:generations_driftreport_change", args=[one.pk])).content.decode()
    for word in (
        "paid_not_delivered",
        attempt,
        "Made, and lost.",
        "unknown_render",
        "&lt;script&gt;alert(1)",
    ):
        assert word in page
    assert "<script>alert(1)" not in page


def test_a_clean_report_says_so(operator: Client) -> None:
    one = report()
    page = operator.get(reverse("admin:generations_driftreport_change", args=[one.pk])).content.decode()
    assert "Both sides agree." in page


@pytest.mark.parametrize("model", ["accounthealth", "driftreport"])
def test_neither_page_is_a_form(operator: Client, failing: AccountHealth, model: str) -> None:
    row = failing if model == "accounthealth" else report()
    address = reverse(f"admin:generations_{model}_change", args=[row.pk])
    assert operator.get(address).status_code == 200
    assert operator.post(address, {"failures": 0, "drift": 0}).status_code == 403
    assert operator.post(reverse(f"admin:generations_{model}_delete", args=[row.pk])).status_code == 403
    assert operator.get(reverse(f"admin:generations_{model}_add")).status_code == 403
