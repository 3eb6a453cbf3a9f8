"""Our own tokens: made by allauth's JWT strategy, access tokens checked here.

An access token lives for minutes and names the session it came from; whoever checks one looks the session up in
the statement that loads the user, so that signing out is effective at once and costs no statement more. So is a
new password: a token carries the fingerprint of the one it was made under.
"""

from typing import Any, cast
from uuid import UUID

import jwt
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy
from allauth.headless.tokens.strategies.jwt.internal import decode_token, session_key_from_sid
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists
from django.utils.crypto import constant_time_compare

from accounts.models import User
from workers.clock import AppNow

ALGORITHM = "HS256"
AUDIENCE = "api"
_ACCESS = "access"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "token_use", "password"]


class TokenStrategy(JWTTokenStrategy):
    """allauth's JWT strategy, with more in each access token and refresh tokens that work once."""

    def get_claims(self, user: AbstractBaseUser) -> dict[str, Any]:
        return {"iss": settings.JWT_ISSUER, "aud": AUDIENCE, "password": _fingerprint(user)}

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """A new access and refresh token for this one, which is used up. None: it isn't valid."""
        payload = decode_token(refresh_token, "refresh")
        if payload is None:
            return None
        with transaction.atomic():
            # The tokens that are good are listed in the session: of two uses at once, one comes first.
            session_key = session_key_from_sid(payload["sid"])
            if not Session.objects.select_for_update().filter(session_key=session_key).exists():
                return None
            return cast("tuple[str, str] | None", super().refresh_token(refresh_token))


def user_of_token(token: str) -> User | None:
    """The user who holds this access token, if their session still lives. One statement.

    Raises jwt.InvalidTokenError for a token that isn't a live access token of ours.
    """
    claims = jwt.decode(
        token,
        settings.HEADLESS_JWT_PRIVATE_KEY,
        algorithms=[ALGORITHM],
        issuer=settings.JWT_ISSUER,
        audience=AUDIENCE,
        options={"require": _REQUIRED},
    )
    # A refresh token is signed with the same key.
    if claims["token_use"] != _ACCESS:
        raise jwt.InvalidTokenError("not an access token")
    try:
        user_id = UUID(claims["sub"])
    except ValueError as error:
        raise jwt.InvalidTokenError("the subject is not a user id") from error
    sessions = Session.objects.filter(
        session_key=session_key_from_sid(claims["sid"]), expire_date__gt=AppNow()
    )
    user = User.objects.filter(Exists(sessions), pk=user_id).first()
    if user is not None and not constant_time_compare(claims["password"], _fingerprint(user)):
        raise jwt.InvalidTokenError("made under another password")
    return user


def _fingerprint(user: AbstractBaseUser) -> str:
    """Changes with the password, and says nothing about it."""
    return user.get_session_auth_hash()[:16]
