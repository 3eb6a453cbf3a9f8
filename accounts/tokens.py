"""Our own access tokens: made by allauth's JWT strategy, checked here.

They live for minutes and name the session they came from; whoever checks one looks the session up in the
statement that loads the user, so that signing out is effective at once and costs no statement more.
"""

from typing import Any
from uuid import UUID

import jwt
from allauth.headless.tokens.strategies.jwt import JWTTokenStrategy
from allauth.headless.tokens.strategies.jwt.internal import session_key_from_sid
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.db.models import Exists

from accounts.models import User
from workers.clock import AppNow

ALGORITHM = "HS256"
AUDIENCE = "api"
_ACCESS = "access"
_REQUIRED = ["exp", "iat", "iss", "aud", "sub", "sid", "token_use"]


class TokenStrategy(JWTTokenStrategy):
    """allauth's JWT strategy, with an issuer and an audience in each access token."""

    def get_claims(self, user: AbstractBaseUser) -> dict[str, Any]:
        return {"iss": settings.JWT_ISSUER, "aud": AUDIENCE}


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
    session_key = session_key_from_sid(claims["sid"])
    try:
        user_id = UUID(claims["sub"])
    except ValueError as error:
        raise jwt.InvalidTokenError("the subject is not a user id") from error
    sessions = Session.objects.filter(session_key=session_key, expire_date__gt=AppNow())
    return User.objects.filter(Exists(sessions), pk=user_id).first()
