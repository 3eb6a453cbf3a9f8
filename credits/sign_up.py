"""What a person is given on joining."""

from typing import Any

from django.conf import settings

from accounts.models import User

from . import ledger
from .errors import KeyReused


def welcome(*, user: User, identity_key: str, **_: Any) -> None:
    """Open the account and grant settings.SIGNUP_CREDITS, once per identity whatever account it comes back with."""
    ledger.open_account(user.pk)
    if not settings.SIGNUP_CREDITS:
        return
    try:
        ledger.grant(
            owner_id=user.pk, amount=settings.SIGNUP_CREDITS, key=f"sign-up:{identity_key}", note="welcome"
        )
    except KeyReused:
        # Another account had this identity's free credits, or this one had them when they were more or fewer.
        return
