"""Access tokens of a Google service account: a signed statement for a token that lives an hour.

Source: Google's OAuth 2.0 for service accounts (RFC 7523), and google-auth.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlencode

import jwt

from providers.http import BadStatus, Client, HttpError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# What a statement is for, wherever it is posted to.
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_SECONDS = 3_600
# How long before its end a token is no longer used.
MARGIN_SECONDS = 300


class NoToken(Exception):
    """There is no token. `refused`: the account is to blame, and asking again is of no use."""

    def __init__(self, *, refused: bool) -> None:
        self.refused = refused
        super().__init__("refused" if refused else "not reached")


class Tokens(Protocol):
    def token(self, http: Client, *, instead_of: str = "") -> str:
        """A token that is good for five minutes at least, and not `instead_of`. Raises NoToken."""


def _clock() -> float:
    # Goes on while the machine sleeps.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ServiceAccount:
    """The tokens of one account; shared by threads, which wait for each other where one is fetched."""

    def __init__(self, text: str, *, clock: Callable[[], float] = _clock) -> None:
        """`text` is the JSON file of the account's key. One that makes no sense is told at the first token."""
        self._text = text
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def token(self, http: Client, *, instead_of: str = "") -> str:
        with self._lock:
            if not self._token or self._token == instead_of or self._clock() >= self._good_until:
                asked_at = self._clock()
                self._token, seconds = self._fetched(http)
                self._good_until = asked_at + seconds - MARGIN_SECONDS
            return self._token

    def _fetched(self, http: Client) -> tuple[str, int]:
        address, assertion = self._assertion()
        body = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = http.request("POST", address, headers=headers, body=body)
            if not answer.ok:
                raise BadStatus(answer.host, answer)
            granted = answer.json()
        except BadStatus as error:
            raise NoToken(refused=error.status in (400, 401, 403)) from None
        except HttpError:
            raise NoToken(refused=False) from None
        match granted:
            case {"access_token": str(token), "expires_in": int(seconds)} if token:
                return token, seconds
            case _:
                raise NoToken(refused=False)

    def _assertion(self) -> tuple[str, str]:
        """Where to ask, and what is signed."""
        now = int(time.time())
        try:
            key = json.loads(self._text)
            address = str(key["token_uri"])
            claims = {
                "iss": key["client_email"],
                "scope": SCOPE,
                "aud": AUDIENCE,
                "iat": now,
                "exp": now + LIFETIME_SECONDS,
            }
            headers = {"kid": str(key.get("private_key_id", ""))}
            return address, jwt.encode(claims, key["private_key"], algorithm="RS256", headers=headers)
        except (ValueError, LookupError, TypeError, AttributeError, jwt.PyJWTError):
            # The reason would have parts of the key in it.
            raise NoToken(refused=True) from None
