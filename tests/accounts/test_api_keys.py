"""API keys: made once, shown once, checked cheaply, revoked for good."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts.credentials import EVERY_SCOPE, MAX_API_KEYS, Credential, find_api_key, make_api_key
from accounts.errors import TooManyApiKeys
from accounts.models import ApiKey, IdempotencyRecord, User
from tests.accounts.conftest import STATEMENTS_OF_ME
from tests.accounts.races import at_once
from tests.accounts.test_sign_in import sign_in
from tests.factories import UserFactory, api_key
from workers import clock

pytestmark = pytest.mark.django_db
KEYS = "/api/v1/me/api-keys/"


def headers(secret: str) -> dict[str, str]:
    return {"Authorization": f"Api-Key {secret}"}


@pytest.fixture
def signed_in(client: APIClient, owner: User) -> APIClient:
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {sign_in(client, owner)['access_token']}")
    return client


def make(client: APIClient, **body: Any) -> Any:
    return client.post(KEYS, {"name": "robot", **body}, format="json")


def test_a_key_is_made_shown_once_and_signs_requests(signed_in: APIClient, owner: User) -> None:
    made = make(signed_in).json()

    answer = APIClient().get("/api/v1/me/", headers=headers(made["secret"]))

    assert answer.json()["id"] == str(owner.pk)
    assert made["secret"].startswith(made["prefix"])
    assert made["scopes"] == ["read", "write"]
    listed = signed_in.get(KEYS)
    assert [key["id"] for key in listed.json()["results"]] == [made["id"]]
    assert made["secret"] not in listed.content.decode()


def test_only_the_digest_is_kept(owner: User) -> None:
    secret = api_key(owner).secret

    (row,) = ApiKey.objects.values()
    assert bytes(row["digest"]) == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(row)
    assert len(secret) >= 43


def test_a_key_that_may_only_read_writes_nothing(client: APIClient, owner: User) -> None:
    sign = headers(api_key(owner, "read").secret)

    refused = client.patch("/api/v1/me/", {"name": "Eve"}, format="json", headers=sign)

    assert client.get("/api/v1/me/", headers=sign).status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_scope")
    assert User.objects.get(pk=owner.pk).name == "Ana"


def test_a_key_that_may_only_write_reads_nothing(client: APIClient, owner: User) -> None:
    sign = headers(api_key(owner, "write").secret)

    assert client.get("/api/v1/me/", headers=sign).status_code == 403
    assert client.patch("/api/v1/me/", {"name": "Eve"}, format="json", headers=sign).status_code == 200


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_a_key_manages_no_keys(client: APIClient, owner: User, method: str) -> None:
    made = api_key(owner)
    path = KEYS if method != "delete" else f"{KEYS}{made.key.pk}/"

    answer = getattr(client, method)(path, {"name": "more"}, format="json", headers=headers(made.secret))

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "interactive_only")
    assert ApiKey.objects.get().revoked_at is None


def test_a_revoked_key_is_refused_at_once(signed_in: APIClient) -> None:
    made = make(signed_in).json()

    assert signed_in.delete(f"{KEYS}{made['id']}/").status_code == 204

    assert APIClient().get("/api/v1/me/", headers=headers(made["secret"])).status_code == 401
    assert signed_in.delete(f"{KEYS}{made['id']}/").status_code == 404
    assert signed_in.get(KEYS).json()["results"][0]["revoked_at"] is not None


def test_a_key_is_refused_from_the_moment_it_expires(client: APIClient, owner: User) -> None:
    made = make_api_key(owner, name="short", scopes=["read"], expires_at=clock.now() + timedelta(hours=1))
    assert find_api_key(made.secret) is not None

    clock.advance(timedelta(hours=1, seconds=1))

    assert client.get("/api/v1/me/", headers=headers(made.secret)).status_code == 401


def test_a_key_of_a_user_switched_off_is_refused(client: APIClient, owner: User) -> None:
    secret = api_key(owner).secret
    User.objects.filter(pk=owner.pk).update(is_active=False)

    assert client.get("/api/v1/me/", headers=headers(secret)).status_code == 401


@pytest.mark.parametrize("secret", ["", "vk_", "vk_nothing", "x" * 9000, "two words"])
def test_what_is_no_key_is_refused(client: APIClient, owner: User, secret: str) -> None:
    api_key(owner)

    assert client.get("/api/v1/me/", headers=headers(secret)).status_code == 401


def test_trying_keys_is_limited_per_address(client: APIClient, owner: User, settings: Settings) -> None:
    settings.RATE_PER_ADDRESS = 3

    answers = [client.get("/api/v1/me/", headers=headers(f"vk_{number}")) for number in range(4)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert client.get("/api/v1/me/", headers=headers(api_key(owner).secret)).status_code == 200


def test_a_key_costs_one_statement_and_a_second_once_a_minute(
    client: APIClient, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sign = headers(api_key(owner).secret)
    with django_assert_num_queries(2 + STATEMENTS_OF_ME):
        client.get("/api/v1/me/", headers=sign)
    first_use = ApiKey.objects.get().last_used_at

    with django_assert_num_queries(1 + STATEMENTS_OF_ME):
        client.get("/api/v1/me/", headers=sign)
    assert ApiKey.objects.get().last_used_at == first_use

    clock.advance(timedelta(seconds=61))
    client.get("/api/v1/me/", headers=sign)
    last_use = ApiKey.objects.get().last_used_at
    assert first_use is not None
    assert last_use is not None
    assert last_use - first_use > timedelta(seconds=60)


def test_strangers_keys_are_not_seen_and_not_revoked(signed_in: APIClient, stranger: User) -> None:
    theirs = api_key(stranger).key

    assert signed_in.get(KEYS).json()["results"] == []
    assert signed_in.delete(f"{KEYS}{theirs.pk}/").status_code == 404
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_an_odd_key_is_not_made(signed_in: APIClient, body: dict[str, Any], field: str) -> None:
    answer = make(signed_in, **body)

    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert ApiKey.objects.count() == 0


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "admin"]])
def test_the_database_refuses_unknown_scopes(owner: User, scopes: list[str]) -> None:
    with pytest.raises(IntegrityError):
        ApiKey.objects.create(owner=owner, name="odd", prefix="vk_", digest=b"x", scopes=scopes)


@pytest.mark.django_db(transaction=True)
def test_an_account_has_at_most_twenty_keys_however_many_are_asked_for_at_once() -> None:
    owner = UserFactory.create()

    errors = at_once(*[lambda: api_key(owner)] * (MAX_API_KEYS + 4))

    assert [type(error) for error in errors] == [TooManyApiKeys] * 4
    assert ApiKey.objects.count() == MAX_API_KEYS


def test_a_repeated_request_makes_one_key_and_tells_its_secret_once(client: APIClient, owner: User) -> None:
    client.force_authenticate(owner, Credential(kind="session", scopes=EVERY_SCOPE))  # type: ignore[arg-type]

    first, again = (
        client.post(
            "/api/v1/me/api-keys/", {"name": "Mine"}, format="json", headers={"Idempotency-Key": "once"}
        )
        for _ in range(2)
    )

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["secret"]
    assert again.json() == {**first.json(), "secret": None}
    assert ApiKey.objects.count() == 1
    recorded = str(list(IdempotencyRecord.objects.values()))
    assert first.json()["secret"] not in recorded
