"""Supabase's tokens: who is let in, who isn't, and what happens while the project can't be asked."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import jwt
import pytest
from allauth.account.models import EmailAddress
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts import supabase
from accounts.errors import AccountErased, IdentityProviderAway
from accounts.identities import digest, user_of_identity
from accounts.models import Identity, User
from accounts.signals import user_joined
from accounts.supabase import KeySet
from providers import http
from tests.accounts.test_event_log import at_once
from tests.factories import UserFactory

SECRET = "a secret of a project, thirty-two bytes or more"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Project:
    """A Supabase project: its published keys and its `/user`, over HTTP on this machine."""

    issuer: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    private: dict[str, PrivateKey] = field(default_factory=dict)

    def publish(self, key_id: str, key: PrivateKey | None = None) -> PrivateKey:
        key = key or ec.generate_private_key(ec.SECP256R1())
        algorithm = jwt.algorithms.get_default_algorithms()["ES256" if _is_curve(key) else "RS256"]
        public = algorithm.to_jwk(key.public_key(), as_dict=True)  # type: ignore[call-arg]
        self.keys.append(
            {**public, "kid": key_id, "alg": "ES256" if _is_curve(key) else "RS256", "use": "sig"}
        )
        self.private[key_id] = key
        return key

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "authenticated",
            "sub": str(uuid4()),
            "role": "authenticated",
            "iat": now,
            "exp": now + 3600,
            "email": "ana@example.com",
            "phone": "",
            "is_anonymous": False,
            "aal": "aal1",
            "session_id": str(uuid4()),
            "user_metadata": {"email_verified": True},
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key_id: str = "one", **changes: Any) -> str:
        key = self.private[key_id]
        algorithm = "ES256" if _is_curve(key) else "RS256"
        return jwt.encode(self.claims(**changes), key, algorithm=algorithm, headers={"kid": key_id})


def _is_curve(key: PrivateKey) -> bool:
    return isinstance(key, ec.EllipticCurvePrivateKey)


@pytest.fixture
def project(settings: Settings) -> Iterator[Project]:
    project = Project()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            project.asked.append(self.path)
            user = project.users.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            if project.away:
                self.answer(503, {})
            elif self.path.endswith("/jwks.json"):
                self.answer(200, {"keys": project.keys})
            elif user is None or self.headers.get("apikey") != "publishable":
                self.answer(401, {})
            else:
                self.answer(200, user)

        def answer(self, status: int, body: Mapping[str, Any]) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    project.issuer = f"{origin}/auth/v1"
    project.publish("one")
    settings.SUPABASE_ISSUER = project.issuer
    before = http.client().config
    http.configure(http.ClientConfig(allowed_origins=frozenset({origin})))
    supabase.verifier.cache_clear()
    yield project
    supabase.verifier.cache_clear()
    http.configure(before)
    server.shutdown()
    thread.join()
    server.server_close()


def me(client: APIClient, token: str) -> Any:
    return client.get("/api/v1/me/", headers={"Authorization": f"Bearer {token}"})


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

        with django_assert_num_queries(1):
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
        token = jwt.encode(project.claims(), None, algorithm="none", headers={"kid": "one"})

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

        with pytest.raises(IdentityProviderAway):
            supabase.verifier().verify(project.token())
        assert IdentityProviderAway.retryable

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

    def test_a_project_that_publishes_no_key_is_503(self, project: Project) -> None:
        project.keys.clear()

        with pytest.raises(IdentityProviderAway):
            supabase.verifier().verify(project.token())


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


@pytest.fixture
def arrivals() -> Iterator[list[tuple[User, str]]]:
    seen: list[tuple[User, str]] = []

    def note(sender: object, *, user: User, identity_key: str, **_: object) -> None:
        seen.append((user, identity_key))

    user_joined.connect(note)
    yield seen
    user_joined.disconnect(note)


@pytest.mark.django_db
class TestFirstSight:
    """Who a new identity becomes."""

    @pytest.fixture(autouse=True)
    def can_ask(self, settings: Settings) -> None:
        settings.SUPABASE_API_KEY = "publishable"

    def known_to(self, project: Project, *, email: str, confirmed: bool) -> str:
        subject = str(uuid4())
        token = project.token(sub=subject, email=email)
        at = "2026-01-01T00:00:00Z" if confirmed else None
        project.users[token] = {"id": subject, "email": email, "email_confirmed_at": at}
        return token

    def test_a_confirmed_address_becomes_the_users_own(
        self, client: APIClient, project: Project, arrivals: list[tuple[User, str]]
    ) -> None:
        answer = me(client, self.known_to(project, email="Ana@Example.com", confirmed=True))

        user = User.objects.get()
        assert (answer.json()["id"], user.email) == (str(user.pk), "ana@example.com")
        assert EmailAddress.objects.get(user=user).verified
        assert [who for who, _ in arrivals] == [user]

    def test_an_unconfirmed_address_is_never_taken(self, client: APIClient, project: Project) -> None:
        assert me(client, self.known_to(project, email="ana@example.com", confirmed=False)).status_code == 200

        assert User.objects.get().email is None
        assert Identity.objects.get().email == "ana@example.com"

    def test_both_addresses_confirmed_join_one_account(
        self, client: APIClient, project: Project, arrivals: list[tuple[User, str]]
    ) -> None:
        owner = UserFactory(email="ana@example.com")

        answer = me(client, self.known_to(project, email="ana@example.com", confirmed=True))

        assert answer.json()["id"] == str(owner.pk)
        assert arrivals == []

    @pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (False, False)])
    def test_one_address_unconfirmed_joins_nothing(
        self, client: APIClient, project: Project, ours: bool, theirs: bool
    ) -> None:
        owner = UserFactory(email="ana@example.com")
        EmailAddress.objects.filter(user=owner).update(verified=ours)

        answer = me(client, self.known_to(project, email="ana@example.com", confirmed=theirs))

        assert answer.status_code == 200
        assert answer.json()["id"] != str(owner.pk)
        assert answer.json()["email"] is None

    def test_without_the_key_to_ask_nothing_counts_as_confirmed(
        self, client: APIClient, project: Project, settings: Settings
    ) -> None:
        settings.SUPABASE_API_KEY = ""
        owner = UserFactory(email="ana@example.com")

        answer = me(client, self.known_to(project, email="ana@example.com", confirmed=True))

        assert answer.json()["id"] != str(owner.pk)

    def test_an_answer_about_somebody_else_confirms_nothing(
        self, client: APIClient, project: Project
    ) -> None:
        token = self.known_to(project, email="ana@example.com", confirmed=True)
        project.users[token]["id"] = str(uuid4())

        assert me(client, token).json()["email"] is None

    def test_a_session_that_the_project_ended_is_refused(self, client: APIClient, project: Project) -> None:
        assert me(client, project.token()).status_code == 401
        assert User.objects.count() == 0

    def test_an_erased_identity_does_not_bring_the_account_back(self, project: Project) -> None:
        subject = str(uuid4())
        Identity.objects.create(issuer=project.issuer, subject=digest(project.issuer, subject), user=None)
        with pytest.raises(AccountErased):
            user_of_identity(supabase.verifier().verify(project.token(sub=subject)))
        assert User.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("confirmed", [True, False])
def test_sixteen_first_requests_at_once_make_one_user(
    project: Project, settings: Settings, arrivals: list[tuple[User, str]], confirmed: bool
) -> None:
    settings.SUPABASE_API_KEY = "publishable"
    subject = str(uuid4())
    token = project.token(sub=subject)
    at = "2026-01-01T00:00:00Z" if confirmed else None
    project.users[token] = {"id": subject, "email": "ana@example.com", "email_confirmed_at": at}
    answers: list[int] = []

    def request() -> None:
        answers.append(me(APIClient(), token).status_code)

    assert at_once(*[request] * 16) == []
    assert answers == [200] * 16
    assert (User.objects.count(), Identity.objects.count(), len(arrivals)) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_an_arrival_whose_receiver_fails_is_no_arrival(project: Project) -> None:
    def fail(sender: object, **_: object) -> None:
        raise LookupError

    user_joined.connect(fail)
    try:
        with pytest.raises(LookupError):
            me(APIClient(), project.token())
    finally:
        user_joined.disconnect(fail)

    assert (User.objects.count(), Identity.objects.count()) == (0, 0)
