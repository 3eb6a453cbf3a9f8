"""The URL a vendor calls back, made of the attempt's id and our signature over it."""

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer

_signer = Signer(salt="generations.callbacks")


def callback_url(provider: str, attempt_id: UUID) -> str:
    """Where the vendor tells us about this attempt; nobody can make one without our key."""
    return f"{settings.PUBLIC_URL}/webhooks/{provider}/{_signer.sign(attempt_id.hex)}/"


def attempt_of(token: str) -> UUID | None:
    """The attempt whose callback this is; None if we didn't sign it."""
    try:
        return UUID(_signer.unsign(token))
    except (BadSignature, ValueError):
        return None
