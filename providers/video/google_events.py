"""What the Gemini API sends to the address of one call: a hint, whose layout the vendor has not settled in writing.

    {"type": "interaction.completed", "data": {"id": …}, "user_metadata": {"job": <our token>}}

`data` may be the whole object instead, and the metadata may stand inside it: both are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any

from providers.errors import ReadFailed
from providers.signatures import verify

# The key under which our token travels, in user_metadata and in labels.
TOKEN_KEY = "job"  # noqa: S105 - a name, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    kind: str
    id: str
    data: Mapping[str, Any]
    token: str | None
    delivery: str | None


def webhook_config(callback_url: str, client_token: str) -> dict[str, object]:
    """What asks for calls at one address, instead of those registered for the account."""
    return {"uris": [callback_url], "user_metadata": {TOKEN_KEY: client_token}}


def read_event(provider: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> Event:
    """What a delivery says. Raises BadSignature, or ReadFailed for a body that makes no sense.

    A Standard Webhooks signature is checked where there is one and a secret to check it with. A signature of
    another form, or none, leaves it to the token in our URL.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    signed = any(item.startswith("v1,") for item in lower.get("webhook-signature", "").split(" "))
    if secrets and signed:
        verify(provider, secrets, headers, body)
    try:
        message = loads(body)
    except (ValueError, RecursionError):
        raise ReadFailed(provider) from None
    match message:
        case {"type": str(kind), "data": {"id": str(identity)} | {"name": str(identity)}} if identity:
            data: Mapping[str, Any] = message["data"]
        case _:
            raise ReadFailed(provider)
    return Event(
        kind=kind,
        id=identity,
        data=data,
        token=token_in(message.get("user_metadata")) or token_in(data.get("user_metadata")),
        delivery=lower.get("webhook-id") or None,
    )


def token_in(labels: object) -> str | None:
    match labels:
        case {"job": str(token)}:
            return token
        case _:
            return None
