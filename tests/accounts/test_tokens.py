"""Our own tokens: none passes that isn't wholly ours, and a refresh token works once."""

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import psycopg
import pytest
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.sessions import forget_expired
from tests.accounts.races import at_once
from tests.accounts.test_sign_in import me, post, sign_in
from tests.factories import UserFactory
from tests.scratch import database_url
from workers import clock

pytestmark = pytest.mark.django_db

FORGED: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 1},
    "without an expiry": {"exp": None},
    "for another audience": {"aud": "elsewhere"},
    "of another issuer": {"iss": "https://elsewhere.example"},
    "that is a refresh token": {"token_use": "refresh"},
    "of no session": {"sid": "AAAAAAAAAAAAAAAAAAAAAAAA"},
    "of a session that can't be": {"sid": "!"},
    "of nobody": {"sub": str(uuid4())},
    "whose subject is no id": {"sub": "ana"},
    "made under another password": {"password": "0" * 16},
}


@pytest.mark.parametrize("kind", FORGED)
def test_even_with_our_key_no_token_passes(
    client: APIClient, owner: User, settings: Settings, kind: str
) -> None:
    token = sign_in(client, owner)["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    changed = {name: value for name, value in {**claims, **FORGED[kind]}.items() if value is not None}

    assert me(client, _signed(claims, settings.HEADLESS_JWT_PRIVATE_KEY)).status_code == 200
    assert me(client, _signed(changed, settings.HEADLESS_JWT_PRIVATE_KEY)).status_code == 401


def test_a_token_by_another_key_or_algorithm_is_refused(
    client: APIClient, owner: User, settings: Settings
) -> None:
    claims = jwt.decode(sign_in(client, owner)["access_token"], options={"verify_signature": False})

    assert me(client, _signed(claims, "another key of thirty-two bytes or more")).status_code == 401
    assert me(client, _signed(claims, settings.HEADLESS_JWT_PRIVATE_KEY * 2, "HS512")).status_code == 401
    assert me(client, _signed(claims, "", "none")).status_code == 401


def _signed(claims: dict[str, Any], key: str, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


@pytest.mark.django_db(transaction=True)
def test_of_eight_uses_of_a_refresh_token_at_once_one_succeeds() -> None:
    tokens = sign_in(APIClient(), UserFactory.create())
    statuses: list[int] = []

    def refresh() -> None:
        answer = post(APIClient(), "refresh", {"refresh_token": tokens["refresh_token"]})
        statuses.append(answer.status_code)

    def hold_until_all_wait() -> None:
        # Whoever has read the session before waiting for its lock would go by what was there before.
        # Not from the pool: the eight need nearly all of it.
        with psycopg.connect(database_url()) as holder:
            holder.execute("SELECT 1 FROM django_session FOR UPDATE")
            holding.set()
            deadline = time.monotonic() + 5
            while _waiting_for_locks() < 8 and time.monotonic() < deadline:
                time.sleep(0.01)

    def refresh_when_held() -> None:
        holding.wait(10)
        refresh()

    holding = threading.Event()
    assert at_once(hold_until_all_wait, *[refresh_when_held] * 8) == []
    assert sorted(statuses) == [200] + [400] * 7


def _waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def test_sessions_that_have_lapsed_are_forgotten(client: APIClient, owner: User, settings: Settings) -> None:
    token = sign_in(client, owner)["access_token"]
    assert forget_expired() == 0

    clock.advance(timedelta(seconds=settings.SESSION_COOKIE_AGE + 1))

    assert me(client, token).status_code == 401
    assert forget_expired() == 1
