"""GET /api/v1/status/: how the system and each vendor fare, for those who may use it, and no secrets."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import supabase
from accounts.errors import IdentityProviderAway
from accounts.models import User
from config import status
from generations import vendor_health
from generations.models import AccountHealth
from tests.generations.conftest import api, fakes, get, owner
from tests.generations.fake_vendor import FAKE, Fakes
from workers import clock, heartbeats
from workers.clock import AppNow

__all__ = ["api", "fakes", "owner"]

QUEUES = ("io", "slow", "media")


@pytest.fixture
def alive(fakes: Fakes) -> Iterator[None]:
    """A worker of each kind tells that it lives."""
    for queue in QUEUES:
        heartbeats.write(f"here:{queue}", queue)
    yield
    clock.reset()


def vendor(answer: Any, name: str) -> dict[str, Any]:
    [one] = [one for one in answer.json()["vendors"] if one["provider"] == name]
    return dict(one)


def test_a_stranger_to_the_api_is_told_nothing(fakes: Fakes) -> None:
    answer = Client(SERVER_NAME="localhost").get("/api/v1/status/")
    assert answer.status_code == 401
    assert "fake" not in answer.content.decode()


def test_a_system_that_is_well_says_so_part_by_part(alive: None, api: Client) -> None:
    answer = get(api, "status/")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ok")
    assert set(body["parts"]) == {"database", "storage", "workers"}
    assert {(part["ok"], part["detail"]) for part in body["parts"].values()} == {(True, "")}
    assert [one["provider"] for one in body["vendors"]] == ["sandbox", "fake", "other"]
    assert vendor(answer, "fake") == {
        "provider": "fake",
        "status": "available",
        "accounts": [
            {
                "account": "main",
                "breaker": "closed",
                "open_until": None,
                "paused_until": None,
                "last_success_at": None,
                "last_error_at": None,
                "last_error": "",
            }
        ],
    }


def test_a_vendor_without_a_key_is_unavailable(alive: None, api: Client, fakes: Fakes) -> None:
    fakes.settings.FAKE_API_KEY = ""
    answer = get(api, "status/")
    assert vendor(answer, "fake") == {"provider": "fake", "status": "unavailable", "accounts": []}
    assert answer.json()["status"] == "ok"


def test_an_open_breaker_and_a_pause_are_told_with_their_times(
    alive: None, api: Client, fakes: Fakes
) -> None:
    fakes.accounts("second")
    until = clock.now() + timedelta(seconds=30)
    AccountHealth.objects.create(
        provider="fake",
        account="main",
        failures=6,
        open_until=until,
        last_error="provider_unreachable",
        last_error_at=AppNow(),
        last_success_at=until - timedelta(hours=1),
    )
    answer = get(api, "status/")
    assert vendor(answer, "fake")["status"] == "available"  # by the other account
    main, second = vendor(answer, "fake")["accounts"]
    assert (main["breaker"], second["breaker"]) == ("open", "closed")
    assert main["open_until"] is not None
    assert main["last_success_at"] < main["last_error_at"] < main["open_until"]
    assert main["last_error"] == "provider_unreachable"

    vendor_health.pause("fake", "second", "", timedelta(seconds=20), "rate_limited")
    answer = get(api, "status/")
    assert vendor(answer, "fake")["status"] == "failing"
    assert vendor(answer, "fake")["accounts"][1]["paused_until"] is not None
    assert answer.json()["status"] == "ok"  # there are others

    clock.advance(timedelta(seconds=31))
    for queue in QUEUES:
        heartbeats.write(f"here:{queue}", queue)
    answer = get(api, "status/")
    main, second = vendor(answer, "fake")["accounts"]
    assert (main["breaker"], main["open_until"], second["paused_until"]) == ("half_open", None, None)
    assert vendor(answer, "fake")["status"] == "available"


def test_a_model_that_fails_is_not_the_vendors_whole(alive: None, api: Client) -> None:
    AccountHealth.objects.create(
        provider="fake", account="main", model=FAKE, failures=9, open_until=AppNow() + timedelta(hours=1)
    )
    assert vendor(get(api, "status/"), "fake")["status"] == "available"


def test_it_is_degraded_where_no_vendor_is_left_or_a_part_is_not_well(
    alive: None, api: Client, fakes: Fakes, settings: Settings
) -> None:
    settings.FAKE_API_KEY = settings.OTHER_API_KEY = ""
    assert get(api, "status/").json()["status"] == "ok"
    settings.SANDBOX_API_KEY = ""
    assert get(api, "status/").json()["status"] == "degraded"


def test_missing_workers_and_keys_of_the_issuer_degrade_it(
    fakes: Fakes, api: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeats.write("here:io", "io")
    assert "sign_in_keys" not in status.probes()
    settings.SUPABASE_ISSUER = "https://issuer.example.com/auth/v1"

    def away() -> None:
        raise IdentityProviderAway()

    monkeypatch.setattr(supabase, "check_keys", away)
    body = get(api, "status/").json()
    assert body["status"] == "degraded"
    assert body["parts"]["workers"]["detail"] == "no live worker for: slow, media"
    keys = body["parts"]["sign_in_keys"]
    assert (keys["ok"], keys["detail"]) == (False, "the issuer's keys can't be had")


def test_no_secret_balance_budget_or_limit_is_in_it(
    alive: None, api: Client, owner: User, settings: Settings
) -> None:
    settings.FAKE_API_KEY = "sk-very-secret"
    settings.PROVIDER_BUDGETS = {"fake": {"day": 4711}}
    settings.PROVIDER_LIMITS = {"fake": {"concurrent": 4712}}
    AccountHealth.objects.create(
        provider="fake",
        account="main",
        balance=Decimal("4713.25"),
        balance_currency="USD",
        balance_read_at=AppNow(),
        per_minute=4714,
    )
    text = get(api, "status/").content.decode()
    for word in (
        "secret",
        "4711",
        "4712",
        "4713",
        "4714",
        "balance",
        "budget",
        settings.SANDBOX_API_KEY,
        settings.SANDBOX_URL,
    ):
        assert word not in text, word
