"""Who makes a request: a Bearer token (ours, or Supabase's) or an API key.

`request.auth` is a `Credential`. Each costs one SQL statement.
"""

import logging
from abc import ABC, abstractmethod
from typing import Literal, cast

import jwt
from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts import supabase
from accounts.credentials import EVERY_SCOPE, Credential, find_api_key
from accounts.identities import user_of_identity
from accounts.models import User
from accounts.rates import take
from accounts.throttles import address_limit
from accounts.tokens import user_of_token

logger = logging.getLogger(__name__)

LONGEST_TOKEN = 8192


class CredentialRefused(AuthenticationFailed):
    """401. One message for every cause: what was wrong is for the log, not for who tries."""

    default_detail = "The credential is not valid. Sign in again."
    default_code = "invalid_token"


def owner_of(request: Request) -> User:
    """The signed-in user."""
    return cast(User, request.user)


class _HeaderAuthentication(BaseAuthentication, ABC):
    """Reads `Authorization: <scheme> <credential>`."""

    scheme: str

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        scheme, _, value = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != self.scheme.lower():
            return None
        try:
            return self._checked(value.strip())
        except CredentialRefused:
            # Whoever tries credentials is a client without an account.
            wait = take([address_limit(request)])
            if wait:
                raise Throttled(wait) from None
            raise

    def _checked(self, value: str) -> tuple[User, Credential]:
        if not value or " " in value or len(value) > LONGEST_TOKEN or not value.isascii():
            raise CredentialRefused()
        user, credential = self.check(value)
        if not user.is_active:
            raise CredentialRefused()
        return user, credential

    @abstractmethod
    def check(self, value: str) -> tuple[User, Credential]:
        """Who holds this credential. Raises CredentialRefused."""

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer error="invalid_token"' if "Authorization" in request.headers else "Bearer"


class BearerAuthentication(_HeaderAuthentication):
    """`Authorization: Bearer …`: an access token of ours or of the configured Supabase project.

    The unverified `iss` only chooses the verifier; each verifier has its own key and its own fixed
    algorithms, and checks the issuer again.
    """

    scheme = "Bearer"

    def check(self, value: str) -> tuple[User, Credential]:
        kind: Literal["session", "supabase"]
        try:
            issuer = jwt.decode_complete(value, options={"verify_signature": False})["payload"].get("iss")
            if issuer == settings.JWT_ISSUER:
                kind = "session"
                user = user_of_token(value)
            elif settings.SUPABASE_ISSUER and issuer == settings.SUPABASE_ISSUER:
                kind = "supabase"
                user = user_of_identity(supabase.verifier().verify(value))
            else:
                raise jwt.InvalidIssuerError("nobody's token")
        except jwt.InvalidTokenError as error:
            # The class and our own words; never the token.
            logger.info("token refused: %s", type(error).__name__)
            raise CredentialRefused() from error
        if user is None:
            raise CredentialRefused()
        return user, Credential(kind=kind, scopes=EVERY_SCOPE)


class ApiKeyAuthentication(_HeaderAuthentication):
    """`Authorization: Api-Key …`"""

    scheme = "Api-Key"

    def check(self, value: str) -> tuple[User, Credential]:
        key = find_api_key(value)
        if key is None:
            raise CredentialRefused()
        return key.owner, Credential(kind="api_key", scopes=frozenset(key.scopes), key_id=key.pk)
