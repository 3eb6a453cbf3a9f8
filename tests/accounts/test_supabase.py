"""Supabase's tokens: who is let in, who isn't, and what happens while the project can't be asked."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts import supabase
from accounts.errors import IdentityProviderAway
from accounts.models import Identity, User
from accounts.supabase import KeySet
from tests.accounts.conftest import STATEMENTS_OF_ME
from tests.accounts.project import Project, me

SECRET = "a secret of a project, thirty-two bytes or more"


@pytest.mark.django_db
class TestWhoIsLetIn:
    @pytest.mark.parametrize("audience", ["authenticated", ["other", "authenticated"]])
    def test_a_user_of_the_project(self, client: APIClient, project: Project, audience: object) -> None:
        subject = str(uuid4())

        answer = me(client, project.token(sub=subject, aud=audience))

        assert answer.status_code == 200
        assert Identity.objects.get(issuer=project.issuer, subject=subject).user_id is not None

    def test_one_who_signs_with_rsa(self, client: APIClient, project: Project) -> None:
        project.publish("two", rsa.generate_private_key(65537, 2048))

        assert me(client, project.token("two")).status_code == 200

    def test_by_the_legacy_secret_where_the_settings_say_so(
        self, client: APIClient, project: Project, settings: Settings
    ) -> None:
        settings.SUPABASE_JWT_SECRET = SECRET
        supabase.verifier.cache_clear()

        assert me(client, jwt.encode(project.claims(), SECRET, algorithm="HS256")).status_code == 200
        assert project.asked == []

    def test_an_anonymous_user_where_the_settings_allow_it(
        self, client: APIClient, project: Project, settings: Settings
    ) -> None:
        settings.SUPABASE_ALLOW_ANONYMOUS = True

        assert me(client, project.token(is_anonymous=True, email="")).status_code == 200

    def test_a_known_user_costs_one_statement(
        self, client: APIClient, project: Project, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        token = project.token()
        me(client, token)

        with django_assert_num_queries(1 + STATEMENTS_OF_ME):
            assert me(client, token).status_code == 200


REFUSED: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 60},
    "without an expiry": {"exp": None},
    "not yet issued": {"iat": int(time.time()) + 600},
    "without a time of issue": {"iat": None},
    "not valid yet": {"nbf": int(time.time()) + 600},
    "of another issuer": {"iss": "https://other.supabase.co/auth/v1"},
    "of the issuer with a slash": {"iss": "slash"},
    "without an issuer": {"iss": None},
    "for another audience": {"aud": "other"},
    "without an audience": {"aud": None},
    "of a service": {"role": "service_role"},
    "of nobody": {"role": "anon"},
    "without a role": {"role": None},
    "whose subject is no UUID": {"sub": "ana"},
    "without a subject": {"sub": None},
    "of an anonymous user": {"is_anonymous": True},
    "of a third party's application": {"client_id": "some-application"},
    "that is one of the project's old API keys": {
        "iss": "supabase", "ref": "abcd", "role": "anon", "sub": None, "aud": None,
        "exp": int(time.time()) + 10**8,
    },
    "that is the project's old service key": {
        "iss": "supabase", "ref": "abcd", "role": "service_role", "sub": None, "aud": None,
    },
    "that is an old API key dressed up with the issuer": {"role": "anon", "sub": None, "aud": None},
}  # fmt: skip


@pytest.mark.django_db
class TestWhoIsRefused:
    def assert_refused(self, answer: Any) -> None:
        assert answer.status_code == 401, answer.content
        assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert User.objects.count() == 0
        assert Identity.objects.count() == 0

    @pytest.mark.parametrize("kind", REFUSED)
    def test_a_token(self, client: APIClient, project: Project, kind: str) -> None:
        changes = dict(REFUSED[kind])
        if changes.get("iss") == "slash":
            changes["iss"] = project.issuer + "/"

        self.assert_refused(me(client, project.token(**changes)))

    @pytest.mark.parametrize("kind", REFUSED)
    def test_a_token_signed_by_the_legacy_secret(
        self, client: APIClient, project: Project, settings: Settings, kind: str
    ) -> None:
        settings.SUPABASE_JWT_SECRET = SECRET
        supabase.verifier.cache_clear()
        changes = dict(REFUSED[kind])
        if changes.get("iss") == "slash":
            changes["iss"] = project.issuer + "/"

        self.assert_refused(me(client, jwt.encode(project.claims(**changes), SECRET, algorithm="HS256")))

    def test_a_token_signed_with_the_public_key_as_a_secret(
        self, client: APIClient, project: Project
    ) -> None:
        public = (
            project.private["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT","kid":"one"}')
        body = jwt.utils.base64url_encode(json.dumps(project.claims()).encode())
        signature = hmac.digest(public, header + b"." + body, hashlib.sha256)
        forged = b".".join([header, body, jwt.utils.base64url_encode(signature)])

        self.assert_refused(me(client, forged.decode()))

    def test_an_unsigned_token(self, client: APIClient, project: Project) -> None:
        token = jwt.encode(project.claims(), "", algorithm="none", headers={"kid": "one"})

        self.assert_refused(me(client, token))

    def test_a_token_that_names_no_key(self, client: APIClient, project: Project) -> None:
        self.assert_refused(
            me(client, jwt.encode(project.claims(), project.private["one"], algorithm="ES256"))
        )

    def test_a_token_signed_by_a_key_of_ones_own(self, client: APIClient, project: Project) -> None:
        own = ec.generate_private_key(ec.SECP256R1())

        self.assert_refused(
            me(client, jwt.encode(project.claims(), own, algorithm="ES256", headers={"kid": "one"}))
        )

    def test_a_token_by_the_legacy_secret_where_keys_are_published(
        self, client: APIClient, project: Project
    ) -> None:
        token = jwt.encode(project.claims(), SECRET, algorithm="HS256", headers={"kid": "one"})

        self.assert_refused(me(client, token))

    def test_a_published_shared_secret_signs_nothing(self, client: APIClient, project: Project) -> None:
        secret = jwt.utils.base64url_encode(SECRET.encode()).decode()
        project.keys.append({"kty": "oct", "kid": "shared", "alg": "HS256", "k": secret})
        token = jwt.encode(project.claims(), SECRET, algorithm="HS256", headers={"kid": "shared"})

        self.assert_refused(me(client, token))

    def test_anybody_where_no_project_is_configured(
        self, client: APIClient, project: Project, settings: Settings
    ) -> None:
        settings.SUPABASE_ISSUER = ""

        self.assert_refused(me(client, project.token()))
        self.assert_refused(me(client, project.token(iss="")))

    @pytest.mark.parametrize("value", ["", "x", "a.b", "a.b.c", "a b", "x" * 9000, "\u00e9.a.b"])
    def test_what_is_no_token(self, client: APIClient, project: Project, value: str) -> None:
        answer = client.get("/api/v1/me/", HTTP_AUTHORIZATION=f"Bearer {value}")

        self.assert_refused(answer)


@pytest.mark.django_db
class TestKeys:
    def test_an_unknown_key_asks_the_project_once_more(self, client: APIClient, project: Project) -> None:
        me(client, project.token())
        stray = ec.generate_private_key(ec.SECP256R1())

        for _ in range(5):
            token = jwt.encode(project.claims(), stray, algorithm="ES256", headers={"kid": str(uuid4())})
            assert me(client, token).status_code == 401

        assert len(project.asked) == 2

    def test_a_rotated_key_is_known_at_once(self, client: APIClient, project: Project) -> None:
        me(client, project.token())
        project.publish("two")

        assert me(client, project.token("two")).status_code == 200
        assert me(client, project.token("one")).status_code == 200

    def test_the_project_away_and_no_key_known_is_503(self, client: APIClient, project: Project) -> None:
        project.away = True

        answer = me(client, project.token())

        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
        assert answer.json()["error"]["code"] == "identity_provider_unavailable"
        assert answer.json()["error"]["retryable"] is True

    def test_the_project_away_is_asked_at_most_every_5_seconds(self, project: Project) -> None:
        project.away = True

        for _ in range(5):
            with pytest.raises(IdentityProviderAway):
                supabase.verifier().verify(project.token())

        # Once for the list, once more for the key that isn't in it.
        assert len(project.asked) == 2

    def test_the_project_away_and_the_key_known_is_no_matter(
        self, client: APIClient, project: Project
    ) -> None:
        me(client, project.token())
        project.away = True

        assert me(client, project.token()).status_code == 200

    def test_a_project_that_publishes_no_key_is_503(self, client: APIClient, project: Project) -> None:
        project.keys.clear()

        assert me(client, project.token()).status_code == 503


class TestKeySet:
    """The cache by itself, on a clock that the test moves."""

    def key_set(self, project: Project) -> tuple[KeySet, list[float], list[float]]:
        clock, asked = [0.0], []

        def fetch() -> Mapping[str, Any]:
            asked.append(clock[0])
            if project.away:
                raise IdentityProviderAway()
            return {"keys": list(project.keys)}

        return KeySet(fetch, clock=lambda: clock[0]), clock, asked

    def test_the_list_is_fetched_anew_after_ten_minutes(self, project: Project) -> None:
        keys, clock, asked = self.key_set(project)
        for clock[0] in (0.0, 599.0, 601.0, 700.0):
            keys.find("one")

        assert asked == [0.0, 601.0]

    def test_a_revoked_key_is_refused_once_the_list_is_fetched_anew(self, project: Project) -> None:
        project.publish("two")
        keys, clock, _ = self.key_set(project)
        keys.find("one")
        project.keys.pop(0)
        clock[0] = 601.0

        with pytest.raises(jwt.InvalidTokenError):
            keys.find("one")

    def test_in_an_outage_the_last_list_is_good_for_an_hour(self, project: Project) -> None:
        keys, clock, asked = self.key_set(project)
        keys.find("one")
        project.away = True
        for clock[0] in (1200.0, 1201.0, 3599.0):
            keys.find("one")
        clock[0] = 3601.0

        with pytest.raises(IdentityProviderAway):
            keys.find("one")
        assert asked == [0.0, 1200.0, 3599.0]

    def test_unknown_keys_ask_again_at_most_every_30_seconds(self, project: Project) -> None:
        keys, clock, asked = self.key_set(project)
        for clock[0] in (0.0, 1.0, 29.0, 31.0, 32.0):
            with pytest.raises(jwt.InvalidTokenError):
                keys.find("unknown")

        assert asked == [0.0, 0.0, 31.0]
