"""Webhooks that a vendor did not send, in every way somebody may try."""

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1

from providers.signatures import sign


@dataclass(frozen=True)
class Forgery:
    name: str
    headers: dict[str, str]
    body: bytes


def signed(
    secret: str, body: bytes, *, message_id: str = "msg_1", late: timedelta = timedelta()
) -> dict[str, str]:
    return sign(secret, message_id=message_id, at=datetime.now(UTC) - late, body=body)


def standard_webhook_forgeries(secret: str, body: bytes) -> Iterator[Forgery]:
    """`body` is a true one; none of these may be believed."""
    good = signed(secret, body)
    other = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
    signature = good["webhook-signature"]
    tampered = json.dumps({**json.loads(body), "type": "video.done", "more": True}).encode()

    def with_signature(value: str) -> dict[str, str]:
        return {**good, "webhook-signature": value}

    yield Forgery("no headers at all", {}, body)
    for name in good:
        yield Forgery(f"no {name}", {key: value for key, value in good.items() if key != name}, body)
        yield Forgery(f"empty {name}", {**good, name: ""}, body)
    yield Forgery("another body", good, tampered)
    yield Forgery("a byte more", good, body + b" ")
    yield Forgery("an empty body", good, b"")
    yield Forgery("a body that is no text", good, b"\xff\xfe" + body)
    yield Forgery("another id", {**good, "webhook-id": "msg_2"}, body)
    yield Forgery("another secret", signed(other, body), body)
    yield Forgery("the empty secret's signature", with_signature(_raw(b"", good, body)), body)
    yield Forgery("the secret's text as the key", with_signature(_raw(secret.encode(), good, body)), body)
    yield Forgery("ten minutes old", signed(secret, body, late=timedelta(minutes=10)), body)
    yield Forgery("ten minutes ahead", signed(secret, body, late=-timedelta(minutes=10)), body)
    yield Forgery(
        "another time", {**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}, body
    )
    yield Forgery("a time that is no number", {**good, "webhook-timestamp": "now"}, body)
    yield Forgery("a time that is not a number", {**good, "webhook-timestamp": "nan"}, body)
    yield Forgery("another version", with_signature(signature.replace("v1,", "v2,")), body)
    yield Forgery("no version", with_signature(signature.removeprefix("v1,")), body)
    yield Forgery("the signature cut short", with_signature(signature[:-4]), body)
    yield Forgery("a signature that is no base64", with_signature("v1,%%%"), body)
    yield Forgery("an empty signature", with_signature("v1,"), body)
    yield Forgery("commas", with_signature("v1,,,"), body)
    yield Forgery("SHA-1", with_signature(_raw(b"x", good, body, algorithm="sha1")), body)
    yield Forgery("many wrong signatures", with_signature(" ".join(["v1,AAAA"] * 1_000)), body)


def _raw(key: bytes, headers: dict[str, str], body: bytes, algorithm: str = "sha256") -> str:
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(key, text, sha1 if algorithm == "sha1" else algorithm).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
