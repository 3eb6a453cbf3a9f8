"""Standard Webhooks signatures (standardwebhooks.com): HMAC-SHA256 over id, timestamp and raw body.

Vendors sign what they send us; we sign what we send to our users' endpoints.
"""

import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook, WebhookVerificationError

from .errors import BadSignature


def secrets_of(setting: str) -> tuple[str, ...]:
    """The secrets of a setting that holds more than one, separated by commas, while they rotate."""
    return tuple(secret.strip() for secret in setting.split(",") if secret.strip())


def sign(secret: str, *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of one delivery. `secret` is "whsec_" and base64; `at` is an aware time."""
    signature = Webhook(secret).sign(message_id, at.astimezone(UTC), body.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def verify(provider: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    """The delivery's id, once one of `secrets` (more than one while a secret rotates) has signed this body.

    Compared in constant time, every signature of the header is tried, and a timestamp more than five minutes
    from now is refused. Raises BadSignature for anything else, malformed headers included.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    for webhook in [Webhook(secret) for secret in secrets]:
        try:
            webhook.verify(body, _well_formed(lower), json_parse=False)
        except (WebhookVerificationError, UnicodeDecodeError):
            continue
        return lower["webhook-id"]
    raise BadSignature(provider)


def _well_formed(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` without the signatures that the library trips over, so that a good one beside them counts."""
    kept = [
        item
        for item in headers.get("webhook-signature", "").split(" ")
        if item.startswith("v1,") and _is_base64(item.removeprefix("v1,"))
    ]
    return {**headers, "webhook-signature": " ".join(kept)}


def _is_base64(text: str) -> bool:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True
