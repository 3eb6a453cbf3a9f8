"""What happens here when allauth signs somebody in."""

from typing import Any

from allauth.account.models import EmailAddress

from accounts.identities import join_by_email
from accounts.models import User


def on_email_confirmed(sender: type, *, email_address: EmailAddress, **_: Any) -> None:
    join_by_email(email_address.user, email_address.email)


def on_logged_in(sender: type, *, user: User, **_: Any) -> None:
    """Where addresses needn't be confirmed, this is the arrival; elsewhere it repeats what is known."""
    if user.email:
        join_by_email(user, user.email)
