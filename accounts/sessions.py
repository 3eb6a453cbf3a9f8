"""The sign-in sessions behind access and refresh tokens."""

from django.contrib.sessions.models import Session

from workers.clock import AppNow


def forget_expired() -> int:
    """Delete sessions that have lapsed, at most 1,000. Safe to repeat. Returns how many."""
    lapsed = Session.objects.filter(expire_date__lt=AppNow()).values("session_key")[:1000]
    return Session.objects.filter(session_key__in=lapsed).delete()[0]
