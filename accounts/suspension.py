"""An operator's stop for one account: it can read and sign in, but not spend."""

from django.db import transaction

from accounts.events.log import EventEntry, append
from accounts.models import User
from workers.clock import AppNow


def suspend(user: User, *, reason: str, operator: User) -> bool:
    """Stop the account from spending, at once. False: it was suspended already; the first reason stays."""
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, suspended_at=None).update(
            suspended_at=AppNow(), suspension_reason=reason, suspended_by=operator
        )
        if changed:
            append(
                [
                    EventEntry(
                        owner_id=user.pk,
                        kind="account.suspended",
                        subject_id=user.pk,
                        data={"reason": reason},
                    )
                ]
            )
    return bool(changed)


def lift(user: User) -> bool:
    """Let the account spend again. False: it wasn't suspended."""
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, suspended_at__isnull=False).update(
            suspended_at=None, suspension_reason="", suspended_by=None
        )
        if changed:
            append([EventEntry(owner_id=user.pk, kind="account.reinstated", subject_id=user.pk, data={})])
    return bool(changed)
