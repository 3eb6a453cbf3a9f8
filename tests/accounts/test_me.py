"""`me/`: profile, preferences, tiers, suspension, throttles."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from pytest_django import Settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from accounts import profile
from accounts.api.serializers import ProfileSerializer
from accounts.errors import AccountSuspended
from accounts.events.log import events_of
from accounts.models import Preferences, User
from accounts.permissions import HasScope, IsNotSuspended
from accounts.suspension import lift, suspend
from accounts.throttles import CreateThrottle, address_of
from accounts.tiers import read_tiers, tier_of, tiers
from tests.factories import UserFactory, api_key

pytestmark = pytest.mark.django_db


class Again(serializers.Serializer[User]):
    """The tier, once more."""

    tier = serializers.CharField()


@pytest.fixture
def signed(client: APIClient, owner: User) -> APIClient:
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {api_key(owner).secret}")
    return client


class TestProfile:
    def test_it_shows_the_account_and_its_tier(self, signed: APIClient, owner: User) -> None:
        shown = signed.get("/api/v1/me/").json()

        assert (shown["id"], shown["email"], shown["name"]) == (str(owner.pk), owner.email, "Ana")
        assert shown["tier"]["name"] == "free"
        assert shown["tier"]["running_jobs"] == 3
        assert shown["storage"] == {"used_bytes": 0, "limit_bytes": 5_000_000_000}
        assert "password" not in shown

    def test_only_the_name_can_be_changed(self, signed: APIClient, owner: User) -> None:
        wanted = {"name": "Anna", "email": "other@example.com", "tier": "business", "is_staff": True}

        answer = signed.patch("/api/v1/me/", wanted, format="json")

        assert answer.json()["name"] == "Anna"
        after = User.objects.get(pk=owner.pk)
        assert (after.name, after.email, after.tier, after.is_staff) == ("Anna", owner.email, "free", False)

    def test_other_parts_of_the_system_add_theirs(self, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(profile, "_PARTS", {})
        profile.register("again", Again)

        assert ProfileSerializer(owner).data["again"] == {"tier": "free"}

    @pytest.mark.parametrize("path", ["", "preferences/", "api-keys/"])
    def test_nobody_in_particular_is_refused(self, client: APIClient, path: str) -> None:
        answer = client.get(f"/api/v1/me/{path}")

        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


class TestPreferences:
    def test_nothing_is_preferred_at_first(self, signed: APIClient) -> None:
        assert signed.get("/api/v1/me/preferences/").json() == {
            "resolution": None,
            "ratio": None,
            "model": None,
            "allow_fallback": None,
        }
        assert Preferences.objects.count() == 0

    def test_what_is_set_stays_and_null_unsets(self, signed: APIClient) -> None:
        signed.patch("/api/v1/me/preferences/", {"resolution": "1080p", "ratio": "9:16"}, format="json")
        signed.patch("/api/v1/me/preferences/", {"ratio": None, "allow_fallback": False}, format="json")

        shown = signed.get("/api/v1/me/preferences/").json()
        assert shown == {"resolution": "1080p", "ratio": None, "model": None, "allow_fallback": False}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("resolution", "8K"),
            ("resolution", 1080),
            ("ratio", "wide"),
            ("ratio", "0:16"),
            ("ratio", "16:9:1"),
            ("model", "no-vendor"),
            ("model", "a/" + "b" * 100),
            ("allow_fallback", "perhaps"),
        ],
    )
    def test_an_odd_value_is_refused_and_changes_nothing(
        self, signed: APIClient, field: str, value: object
    ) -> None:
        answer = signed.patch("/api/v1/me/preferences/", {"ratio": "1:1", field: value}, format="json")

        assert answer.status_code == 400
        assert list(answer.json()["error"]["details"]["fields"]) == [field]
        assert Preferences.objects.count() == 0

    def test_a_strangers_preferences_are_their_own(self, signed: APIClient, stranger: User) -> None:
        Preferences.objects.create(owner=stranger, ratio="1:1")

        signed.patch("/api/v1/me/preferences/", {"ratio": "9:16"}, format="json")

        assert Preferences.objects.get(owner=stranger).ratio == "1:1"


class TestTiers:
    def test_the_defaults(self) -> None:
        assert {name: tier.creates_per_minute for name, tier in read_tiers({}).items()} == {
            "free": 10,
            "pro": 60,
            "business": 300,
        }

    def test_a_setting_changes_one_limit_and_leaves_the_others(self) -> None:
        changed = read_tiers({"free": {"running_jobs": 5}})["free"]

        assert (changed.running_jobs, changed.queued_jobs) == (5, 20)

    def test_a_tier_that_is_gone_counts_as_the_lowest(self) -> None:
        assert tier_of(User(tier="platinum")).name == "free"

    @pytest.mark.parametrize(
        "odd",
        [
            [],
            {"free": 3},
            {"free": {"runing_jobs": 3}},
            {"free": {"running_jobs": "3"}},
            {"free": {"running_jobs": True}},
            {"free": {"running_jobs": -1}},
            {"free": {"running_jobs": 40_000}},
            {"free": {"running_jobs": 2.5}},
            {"free": {"max_resolution": ""}},
            {"free": {"name": "other"}},
            {"team": {"running_jobs": 3}},
        ],
    )
    def test_an_odd_setting_is_refused(self, odd: object) -> None:
        with pytest.raises(ImproperlyConfigured, match="TIERS"):
            read_tiers(odd)

    @pytest.mark.parametrize("value", ['{"free": {"running_jobs": -1}}', "not json"])
    def test_an_odd_variable_refuses_to_start_and_is_named(self, value: str) -> None:
        started = subprocess.run(
            [sys.executable, "-c", "import django; django.setup()"],
            env={**os.environ, "TIERS": value},
            capture_output=True,
            text=True,
        )

        assert started.returncode != 0
        assert "TIERS" in started.stderr


class TestSuspension:
    def test_a_suspended_account_reads_but_does_not_spend(self, signed: APIClient, owner: User) -> None:
        operator = UserFactory.create(is_staff=True)

        assert suspend(owner, reason="chargeback", operator=operator) is True

        shown = signed.get("/api/v1/me/").json()
        assert shown["suspended_at"] is not None
        assert shown["suspension_reason"] == "chargeback"
        with pytest.raises(AccountSuspended):
            allowed_to_spend(owner)

    def test_it_is_told_once_and_the_first_reason_stays(self, owner: User) -> None:
        operator = UserFactory.create(is_staff=True)
        suspend(owner, reason="chargeback", operator=operator)

        assert suspend(owner, reason="again", operator=operator) is False

        owner.refresh_from_db()
        assert (owner.suspension_reason, owner.suspended_by) == ("chargeback", operator)
        assert [event.kind for event in events_of(owner.pk)] == ["account.suspended"]

    def test_it_can_be_lifted(self, owner: User) -> None:
        suspend(owner, reason="chargeback", operator=UserFactory.create(is_staff=True))

        assert lift(owner) is True
        assert lift(owner) is False

        assert allowed_to_spend(owner)
        assert [event.kind for event in events_of(owner.pk)] == ["account.suspended", "account.reinstated"]


def allowed_to_spend(owner: User) -> bool:
    request = Request(APIRequestFactory().post("/"))
    request.user = User.objects.get(pk=owner.pk)
    return IsNotSuspended().has_permission(request, APIView())


class Creating(APIView):
    """A resource whose POST costs."""

    permission_classes = (HasScope, IsNotSuspended)
    throttle_classes = (CreateThrottle,)

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({}, status=201)


class TestThrottles:
    @pytest.fixture
    def few(self, settings: Settings) -> Iterator[None]:
        settings.TIERS = {"free": {"creates_per_minute": 3}}
        tiers.cache_clear()
        yield
        tiers.cache_clear()

    def send(self, secret: str, method: str = "POST", **headers: str) -> Any:
        request = APIRequestFactory().generic(
            method, "/", headers={"Authorization": f"Api-Key {secret}", **headers}
        )
        return Creating.as_view()(request)

    @pytest.mark.usefixtures("few")
    def test_creates_are_limited_per_account_whatever_the_key(self, owner: User, stranger: User) -> None:
        first, second = api_key(owner).secret, api_key(owner).secret

        answers = [self.send(secret) for secret in (first, second, first, second)]

        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert 0 < int(answers[-1]["Retry-After"]) <= 60
        assert answers[-1].data["error"]["code"] == "throttled"
        assert self.send(api_key(stranger).secret).status_code == 201

    @pytest.mark.usefixtures("few")
    def test_reading_is_not_limited_by_the_creates(self, owner: User) -> None:
        secret = api_key(owner).secret
        for _ in range(4):
            self.send(secret)

        assert self.send(secret, "GET").status_code == 200

    @pytest.mark.usefixtures("few")
    def test_the_same_request_again_counts_once(self, owner: User) -> None:
        secret = api_key(owner).secret

        again = [self.send(secret, **{"Idempotency-Key": "one"}).status_code for _ in range(8)]
        others = [
            self.send(secret, **{"Idempotency-Key": key}).status_code for key in ("two", "three", "four")
        ]

        assert again == [201] * 8
        assert others == [201, 201, 429]

    def test_polling_every_job_of_the_tier_every_five_seconds_passes(self, owner: User) -> None:
        secret, tier = api_key(owner).secret, tier_of(owner)
        polls = (tier.running_jobs + tier.queued_jobs) * 12

        assert {self.send(secret, "GET").status_code for _ in range(polls)} == {200}

    def test_without_an_account_the_address_is_limited(self, client: APIClient, settings: Settings) -> None:
        settings.RATE_PER_ADDRESS = 2

        class Open(APIView):
            permission_classes = ()

            def get(self, request: Request) -> Response:
                return Response({})

        def send(address: str) -> int:
            request = APIRequestFactory().get("/", REMOTE_ADDR=address)
            status: int = Open.as_view()(request).status_code
            return status

        assert [send("192.0.2.1") for _ in range(3)] == [200, 200, 429]
        assert send("192.0.2.2") == 200
        # One customer's IPv6 network is one address.
        assert [send(f"2001:db8::{number}") for number in range(1, 4)] == [200, 200, 429]

    def test_a_client_cannot_choose_its_address(self) -> None:
        request = APIRequestFactory().get(
            "/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": "198.51.100.7"}
        )

        assert address_of(request) == "192.0.2.1"


def test_the_openapi_description_has_the_sign_in_addresses(client: APIClient) -> None:
    generator = SchemaGenerator(urlconf="tests.accounts.urls")  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]

    validate_schema(schema)  # type: ignore[no-untyped-call]
    assert {"/api/v1/auth/signup", "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/me/"} <= set(
        schema["paths"]
    )
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    references = {part.split('"')[0] for part in json.dumps(schema).split('"#/components/')[1:]}
    for reference in references:
        section, name = reference.split("/")
        assert name in schema["components"][section]
