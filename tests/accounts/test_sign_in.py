"""Sign-up to password reset, through HTTP as a browser's application does it."""

import re
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import OperationalError, connection
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.signals import user_joined
from tests.accounts.conftest import STATEMENTS_OF_ME
from tests.factories import PASSWORD, UserFactory, api_key

EMAIL = "ana@example.com"
pytestmark = pytest.mark.django_db


def post(client: APIClient, path: str, body: object, **headers: str) -> Any:
    return client.post(f"/api/v1/auth/{path}", body, format="json", headers=headers)


def key_in(message: mail.EmailMessage) -> str:
    """The key in the link that a mail carries."""
    found = re.search(r"http://localhost:3000/(?:verify-email|password/reset)/(\S+)", str(message.body))
    assert found is not None, message.body
    return unquote(found[1])


def sign_in(client: APIClient, user: User, password: str = PASSWORD) -> dict[str, str]:
    answer = post(client, "login", {"email": user.email, "password": password})
    assert answer.status_code == 200, answer.json()
    meta: dict[str, str] = answer.json()["meta"]
    return meta


def me(client: APIClient, token: str) -> Any:
    return client.get("/api/v1/me/", headers={"Authorization": f"Bearer {token}"})


def test_from_sign_up_to_a_signed_in_request(client: APIClient) -> None:
    signed_up = post(client, "signup", {"email": "Ana@Example.com", "password": PASSWORD})
    assert signed_up.status_code == 401
    assert signed_up.json()["error"]["code"] == "email_verification_pending"
    assert "access_token" not in signed_up.json()["meta"]

    verified = post(
        client,
        "email/verify",
        {"key": key_in(mail.outbox[0])},
        **{"X-Session-Token": signed_up.json()["meta"]["session_token"]},
    )

    assert verified.status_code == 200
    profile = me(client, verified.json()["meta"]["access_token"])
    assert profile.status_code == 200
    assert profile.json()["email"] == EMAIL


def test_nobody_signs_in_before_the_address_is_confirmed(client: APIClient) -> None:
    post(client, "signup", {"email": EMAIL, "password": PASSWORD})

    answer = post(client, "login", {"email": EMAIL, "password": PASSWORD})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "email_verification_pending"
    assert "access_token" not in answer.json()["meta"]


def test_confirming_without_a_session_confirms_but_signs_nobody_in(client: APIClient) -> None:
    post(client, "signup", {"email": EMAIL, "password": PASSWORD})

    answer = post(client, "email/verify", {"key": key_in(mail.outbox[0])})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert EmailAddress.objects.get(email=EMAIL).verified
    assert sign_in(client, User.objects.get(email=EMAIL))["access_token"]


def test_a_forged_key_confirms_nothing(client: APIClient) -> None:
    post(client, "signup", {"email": EMAIL, "password": PASSWORD})

    answer = post(client, "email/verify", {"key": key_in(mail.outbox[0])[:-2] + "xx"})

    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]["fields"]) == ["key"]
    assert not EmailAddress.objects.get(email=EMAIL).verified


def test_a_wrong_password_is_refused_with_our_error(client: APIClient, owner: User) -> None:
    answer = post(client, "login", {"email": owner.email, "password": "not the password"})

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["retryable"]) == ("invalid", False)
    assert list(error["details"]["fields"]) == ["password"]


def test_a_taken_address_is_not_given_away(client: APIClient, owner: User) -> None:
    answer = post(client, "signup", {"email": owner.email, "password": PASSWORD})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "email_verification_pending"
    assert User.objects.count() == 1
    assert "already" in str(mail.outbox[0].body)


@pytest.mark.parametrize("body", ["{", "[]", '"text"', ""])
def test_a_body_that_is_no_object_is_refused(client: APIClient, body: str) -> None:
    answer = client.post("/api/v1/auth/login", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid"


def test_a_huge_body_is_refused_unread(client: APIClient) -> None:
    answer = client.post("/api/v1/auth/login", "x" * 20_000, content_type="application/json")

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


def test_refreshing_gives_new_tokens_and_uses_up_the_old_one(client: APIClient, owner: User) -> None:
    tokens = sign_in(client, owner)

    refreshed = post(client, "refresh", {"refresh_token": tokens["refresh_token"]})

    assert refreshed.status_code == 200
    assert me(client, refreshed.json()["data"]["access_token"]).status_code == 200
    assert post(client, "refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 400
    again = post(client, "refresh", {"refresh_token": refreshed.json()["data"]["refresh_token"]})
    assert again.status_code == 200


def test_a_refresh_token_is_no_access_token(client: APIClient, owner: User) -> None:
    tokens = sign_in(client, owner)

    assert me(client, tokens["refresh_token"]).status_code == 401
    assert post(client, "refresh", {"refresh_token": tokens["access_token"]}).status_code == 400


def test_signing_out_is_effective_at_once(client: APIClient, owner: User) -> None:
    tokens = sign_in(client, owner)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert me(client, tokens["access_token"]).status_code == 200

    client.delete("/api/v1/auth/session", headers=bearer)

    refused = me(client, tokens["access_token"])
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert post(client, "refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 400


def test_signing_out_on_one_device_leaves_the_other(client: APIClient, owner: User) -> None:
    first, second = sign_in(client, owner), sign_in(client, owner)

    client.delete("/api/v1/auth/session", headers={"Authorization": f"Bearer {first['access_token']}"})

    assert me(client, second["access_token"]).status_code == 200


def test_an_access_token_costs_one_statement(
    client: APIClient, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = sign_in(client, owner)["access_token"]

    with django_assert_num_queries(1 + STATEMENTS_OF_ME):
        assert me(client, token).status_code == 200


def test_a_user_switched_off_is_refused_at_once(client: APIClient, owner: User) -> None:
    token = sign_in(client, owner)["access_token"]

    User.objects.filter(pk=owner.pk).update(is_active=False)

    assert me(client, token).status_code == 401


def test_a_forgotten_password_is_set_anew_by_mail(client: APIClient, owner: User) -> None:
    old = sign_in(client, owner)
    asked = post(client, "password/request", {"email": owner.email})
    assert asked.status_code == 200

    post(client, "password/reset", {"key": key_in(mail.outbox[0]), "password": "another fine password"})

    assert post(client, "login", {"email": owner.email, "password": PASSWORD}).status_code == 400
    assert sign_in(client, owner, "another fine password")["access_token"]
    assert me(client, old["access_token"]).status_code == 401
    assert post(client, "refresh", {"refresh_token": old["refresh_token"]}).status_code == 400


def test_a_password_reset_does_not_tell_who_has_an_account(client: APIClient, owner: User) -> None:
    known = post(client, "password/request", {"email": owner.email})
    unknown = post(client, "password/request", {"email": "nobody@example.com"})

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())


def test_a_signed_in_user_changes_the_password(client: APIClient, owner: User) -> None:
    token = sign_in(client, owner)["access_token"]

    answer = post(
        client,
        "password/change",
        {"current_password": PASSWORD, "new_password": "another fine password"},
        Authorization=f"Bearer {token}",
    )

    assert answer.status_code == 200, answer.json()
    assert sign_in(client, owner, "another fine password")
    assert me(client, token).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "session"),
        ("delete", "session"),
        ("get", "email"),
        ("post", "email"),
        ("delete", "email"),
        ("post", "password/change"),
        ("post", "reauthenticate"),
    ],
)
def test_an_api_key_reaches_nothing_of_sign_in(
    client: APIClient, owner: User, method: str, path: str
) -> None:
    secret = api_key(owner).secret
    body = {
        "email": "new@example.com",
        "password": PASSWORD,
        "current_password": PASSWORD,
        "new_password": "another fine password",
    }

    for header in ({"Authorization": f"Api-Key {secret}"}, {"Authorization": f"Bearer {secret}"}):
        answer = getattr(client, method)(f"/api/v1/auth/{path}", body, format="json", headers=header)
        # 409: changing the address of a sign-up under way, of which there is none.
        assert answer.status_code == (409 if (method, path) == ("post", "email") else 401), header
    assert list(EmailAddress.objects.filter(user=owner).values_list("email", flat=True)) == [owner.email]
    assert User.objects.get(pk=owner.pk).check_password(PASSWORD)


def test_the_arrival_is_told_once_when_the_address_is_confirmed(client: APIClient) -> None:
    arrivals: list[tuple[User, str]] = []

    def note(sender: object, *, user: User, identity_key: str, **_: object) -> None:
        arrivals.append((user, identity_key))

    user_joined.connect(note)
    try:
        signed_up = post(client, "signup", {"email": EMAIL, "password": PASSWORD})
        assert arrivals == []
        session = {"X-Session-Token": signed_up.json()["meta"]["session_token"]}
        post(client, "email/verify", {"key": key_in(mail.outbox[0])}, **session)
        user = User.objects.get(email=EMAIL)
        sign_in(client, user)
        sign_in(client, user)
    finally:
        user_joined.disconnect(note)

    assert [user for user, _ in arrivals] == [user]
    assert EMAIL not in arrivals[0][1]


def test_the_arrival_is_told_at_sign_up_where_addresses_need_no_confirming(
    client: APIClient, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "none"
    arrivals: list[User] = []

    def note(sender: object, *, user: User, identity_key: str, **_: object) -> None:
        arrivals.append(user)

    user_joined.connect(note)
    try:
        answer = post(client, "signup", {"email": EMAIL, "password": PASSWORD})
        assert me(client, answer.json()["meta"]["access_token"]).status_code == 200
    finally:
        user_joined.disconnect(note)

    assert arrivals == [User.objects.get(email=EMAIL)]


def test_a_second_address_is_no_second_arrival(client: APIClient, owner: User) -> None:
    arrivals: list[User] = []

    def note(sender: object, *, user: User, identity_key: str, **_: object) -> None:
        arrivals.append(user)

    user_joined.connect(note)
    try:
        token = sign_in(client, owner)["access_token"]
        post(client, "email", {"email": "second@example.com"}, Authorization=f"Bearer {token}")
        post(client, "email/verify", {"key": key_in(mail.outbox[-1])})
    finally:
        user_joined.disconnect(note)

    assert EmailAddress.objects.get(email="second@example.com").verified
    assert arrivals == [owner]


def test_guessing_at_one_account_is_slowed_down(client: APIClient, settings: Settings) -> None:
    settings.RATE_SIGN_IN_PER_EMAIL = 3
    owner = UserFactory.create()

    answers = [post(client, "login", {"email": owner.email, "password": "guess"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert answers[-1].json()["error"]["code"] == "throttled"
    assert answers[-1].json()["error"]["retryable"] is True
    assert 0 < int(answers[-1]["Retry-After"]) <= 300
    assert (
        post(client, "login", {"email": UserFactory.create().email, "password": PASSWORD}).status_code == 200
    )


def test_sign_up_is_limited_per_address(client: APIClient, settings: Settings) -> None:
    settings.RATE_SIGN_IN_PER_ADDRESS = 2
    bodies = [{"email": f"someone{number}@example.com", "password": PASSWORD} for number in range(3)]

    answers = [
        client.post("/api/v1/auth/signup", body, format="json", REMOTE_ADDR="192.0.2.9") for body in bodies
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    elsewhere = client.post("/api/v1/auth/signup", bodies[2], format="json", REMOTE_ADDR="192.0.2.10")
    assert elsewhere.status_code == 401


def test_a_sign_up_whose_mail_can_not_be_sent_is_finished_by_signing_in(
    client: APIClient, settings: Settings
) -> None:
    delivers = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    answer = post(client, "signup", {"email": EMAIL, "password": PASSWORD})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "mail_unavailable")
    assert answer["Retry-After"] == "5"
    settings.EMAIL_BACKEND = delivers
    signed_in = post(client, "login", {"email": EMAIL, "password": PASSWORD})
    assert signed_in.json()["error"]["code"] == "email_verification_pending"
    session = {"X-Session-Token": signed_in.json()["meta"]["session_token"]}
    verified = post(client, "email/verify", {"key": key_in(mail.outbox[0])}, **session)
    assert verified.status_code == 200


def test_signing_in_while_the_database_is_away_says_so(client: APIClient, owner: User) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("terminating connection due to administrator command")

    with connection.execute_wrapper(away):
        answer = post(client, "login", {"email": owner.email, "password": PASSWORD})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
    assert answer.json()["error"]["retryable"] is True
