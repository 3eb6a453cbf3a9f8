"""Access tokens of one Supabase project: checked here, never issued or refreshed.

A project signs either with keys it publishes (ES256 or RS256) or with the legacy shared secret (HS256). The
settings say which; a token's own header never does.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings

from accounts.errors import IdentityProviderAway
from providers import http

logger = logging.getLogger(__name__)

AUDIENCE = ROLE = "authenticated"
LEEWAY_SECONDS = 15
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "role"]
_PUBLIC_KEY_ALGORITHMS = ("ES256", "RS256")

_TIMEOUT_SECONDS = 3.0

# The list may be 10 minutes old at the issuer's edge as well.
_FRESH_SECONDS = 600.0
# How long the last list is good for while the issuer can't be reached.
_STALE_SECONDS = 3600.0
# An unknown key id asks again, but forged ids can't flood the issuer.
_UNKNOWN_KEY_SECONDS = 30.0
_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a verified token names."""

    issuer: str
    # A UUID as text: the only stable name.
    subject: str
    # As the token says it: unconfirmed.
    email: str
    token: str


class Verifier(ABC):
    """Checks access tokens of the project at `issuer`."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    @abstractmethod
    def _decode(self, token: str, **checks: Any) -> dict[str, Any]:
        """The claims, after the signature and `checks`, by this verifier's key and algorithms alone."""

    @abstractmethod
    def check(self) -> None:
        """Whether the key is at hand. Raises IdentityProviderAway."""

    def verify(self, token: str) -> Person:
        """Whom the token names. Raises jwt.InvalidTokenError, IdentityProviderAway."""
        claims = self._decode(
            token,
            issuer=self.issuer,
            audience=AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED},
        )
        # The project's `anon` and `service_role` keys are validly signed tokens too.
        if claims["role"] != ROLE:
            raise jwt.InvalidTokenError("not a user's token")
        # Issued through Supabase to a third party's application.
        if claims.get("client_id"):
            raise jwt.InvalidTokenError("another application's token")
        if claims.get("is_anonymous") and not settings.SUPABASE_ALLOW_ANONYMOUS:
            raise jwt.InvalidTokenError("an anonymous user")
        try:
            subject = UUID(claims["sub"])
        except (ValueError, TypeError, AttributeError) as error:
            raise jwt.InvalidTokenError("the subject is not a UUID") from error
        email = claims.get("email")
        return Person(
            issuer=self.issuer,
            subject=str(subject),
            email=email.lower() if isinstance(email, str) else "",
            token=token,
        )


class SecretVerifier(Verifier):
    """By the project's legacy secret, which is used as the raw bytes of its text."""

    def __init__(self, issuer: str, secret: str) -> None:
        super().__init__(issuer)
        self._secret = secret

    def check(self) -> None:
        """It is: the secret is a setting."""

    def _decode(self, token: str, **checks: Any) -> dict[str, Any]:
        return jwt.decode(token, self._secret, algorithms=["HS256"], **checks)


class KeySetVerifier(Verifier):
    """By the keys that the project publishes."""

    def __init__(self, issuer: str) -> None:
        super().__init__(issuer)
        self._keys = KeySet(lambda: _get(f"{issuer}/.well-known/jwks.json"))

    def check(self) -> None:
        self._keys.check()

    def _decode(self, token: str, **checks: Any) -> dict[str, Any]:
        key_id = jwt.get_unverified_header(token).get("kid")
        if not isinstance(key_id, str):
            raise jwt.InvalidTokenError("the token names no key")
        key = self._keys.find(key_id)
        # The key decides the algorithm, not the token.
        return jwt.decode(token, key, algorithms=[key.algorithm_name], **checks)


class KeySet:
    """The public keys by id, fetched when needed and kept for this process.

    Each process has its own: one fetch in ten minutes costs less than a shared copy would. Thread-safe.
    """

    def __init__(
        self, fetch: Callable[[], Mapping[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = self._asked_again_at = float("-inf")

    def find(self, key_id: str) -> jwt.PyJWK:
        """The key with this id. Raises IdentityProviderAway, or jwt.InvalidTokenError if there is none."""
        if self._clock() - self._fetched_at > _FRESH_SECONDS:
            self._refresh(unknown_key=False)
        if key_id not in self._keys:
            self._refresh(unknown_key=True)
        if self._clock() - self._fetched_at > _STALE_SECONDS:
            raise IdentityProviderAway()
        if not self._keys:
            logger.error(
                "the issuer publishes no usable key: does the project still sign with its legacy secret?"
            )
            raise IdentityProviderAway()
        try:
            return self._keys[key_id]
        except KeyError as error:
            raise jwt.InvalidTokenError("unknown key") from error

    def check(self) -> None:
        """Fetch them if they are no longer fresh. Raises IdentityProviderAway where there are none that hold."""
        if self._clock() - self._fetched_at > _FRESH_SECONDS:
            self._refresh(unknown_key=False)
        if not self._keys or self._clock() - self._fetched_at > _STALE_SECONDS:
            raise IdentityProviderAway()

    def _refresh(self, *, unknown_key: bool) -> None:
        with self._lock:
            now = self._clock()
            if unknown_key:
                if now - self._asked_again_at < _UNKNOWN_KEY_SECONDS:
                    return
                self._asked_again_at = now
            # Another thread may have fetched it while this one waited for the lock.
            elif now - self._fetched_at < _FRESH_SECONDS or now - self._tried_at < _RETRY_SECONDS:
                return
            self._tried_at = now
            try:
                answer = self._fetch()
            except IdentityProviderAway:
                return
            self._keys = dict(_usable(answer))
            self._fetched_at = self._clock()


def _usable(answer: Mapping[str, Any]) -> list[tuple[str, jwt.PyJWK]]:
    """The keys of a JWKS that may sign a user's token. Others, and unreadable ones, are left out."""
    keys = []
    listed = answer.get("keys")
    for entry in listed if isinstance(listed, list) else []:
        try:
            key = jwt.PyJWK.from_dict(entry)
        except (jwt.PyJWTError, AttributeError, TypeError):
            continue
        if (
            key.key_id
            and key.algorithm_name in _PUBLIC_KEY_ALGORITHMS
            and key.public_key_use in ("sig", None)
        ):
            keys.append((key.key_id, key))
    return keys


@cache
def verifier() -> Verifier:
    """The one verifier of this process, as the settings choose it."""
    if settings.SUPABASE_JWT_SECRET:
        return SecretVerifier(settings.SUPABASE_ISSUER, settings.SUPABASE_JWT_SECRET)
    return KeySetVerifier(settings.SUPABASE_ISSUER)


def check_keys() -> None:
    """Whether tokens can be verified now. Raises IdentityProviderAway. At most one network call in ten minutes."""
    verifier().check()


def confirmed_email(person: Person) -> str | None:
    """The person's e-mail, in lower case, if Supabase says that it is confirmed. A network call.

    A token doesn't tell: what it says of the e-mail may be unconfirmed or written by the user. So without
    SUPABASE_API_KEY the answer is None. Raises IdentityProviderAway, or jwt.InvalidTokenError if the session
    is gone.
    """
    if not settings.SUPABASE_API_KEY:
        return None
    answer = _get(
        f"{person.issuer}/user",
        {"apikey": settings.SUPABASE_API_KEY, "Authorization": f"Bearer {person.token}"},
    )
    email = answer.get("email")
    if (
        answer.get("id") != person.subject
        or not answer.get("email_confirmed_at")
        or not isinstance(email, str)
    ):
        return None
    return email.lower() or None


def _get(url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """The JSON object at this address of the issuer's."""
    try:
        answer = http.client().request("GET", url, headers=headers, total_seconds=_TIMEOUT_SECONDS)
        if answer.status in (401, 403):
            raise jwt.InvalidTokenError("the issuer no longer knows the session")
        content = answer.json() if answer.ok else None
    except http.HttpError as error:
        logger.warning("Supabase can't be asked: %s", error)
        raise IdentityProviderAway() from error
    if not isinstance(content, dict):
        logger.warning("Supabase can't be asked: status %s", answer.status)
        raise IdentityProviderAway()
    return content
