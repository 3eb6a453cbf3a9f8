"""Doing a POST once, however often it is sent: the Idempotency-Key header.

The record is written in the transaction of what it stands for, so either both are there or neither. A second
request with the same key waits on the unique key, then answers what the first did. Only success is kept: what
was refused leaves the key free.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from rest_framework.request import Request

from accounts.errors import IdempotencyKeyInvalid, IdempotencyKeyReused
from accounts.models import IdempotencyRecord, User
from workers.clock import AppNow

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a JSON-ready body."""

    status: int
    body: Any


_BEGIN = """
INSERT INTO accounts_idempotencyrecord (owner_id, key, digest, body, created_at) VALUES (%s, %s, %s, '', app_now())
ON CONFLICT (owner_id, key) DO NOTHING RETURNING id
"""
_END = "UPDATE accounts_idempotencyrecord SET status = %s, body = %s WHERE id = %s"


def once(request: Request, act: Callable[[], Answer]) -> Answer:
    """`act` in one transaction, once per key of this owner; without the header, each time.

    Two statements beside `act`'s own. Raises IdempotencyKeyReused for another request under the same key, and
    whatever `act` raises: then nothing is kept.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        with transaction.atomic():
            return act()
    if len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid(longest=LONGEST_KEY)
    owner_id = cast(User, request.user).pk
    digest = digest_of(request)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, [owner_id, key, digest])
            row = cursor.fetchone()
        if row is None:
            return _replay(owner_id, key, digest)
        answer = act()
        text = json.dumps(answer.body, cls=DjangoJSONEncoder)
        with connection.cursor() as cursor:
            cursor.execute(_END, [answer.status, text, row[0]])
        # From the text, so that the first answer and its repeats are the same to the letter.
        return Answer(status=answer.status, body=json.loads(text))


def digest_of(request: Request) -> str:
    """SHA-256 over method, path and the parsed body: the order of a JSON object's keys means nothing."""
    data = request.data
    canonical = json.dumps(
        data if isinstance(data, list) else dict(data), sort_keys=True, cls=DjangoJSONEncoder, default=str
    )
    return hashlib.sha256(f"{request.method} {request.path}\n{canonical}".encode()).hexdigest()


def _replay(owner_id: UUID, key: str, digest: str) -> Answer:
    record = IdempotencyRecord.objects.get(owner_id=owner_id, key=key)
    if record.digest != digest:
        raise IdempotencyKeyReused(key=key)
    return Answer(status=record.status or 200, body=json.loads(record.body))


def forget_old() -> int:
    """Drop records past their retention; how many."""
    old = IdempotencyRecord.objects.filter(created_at__lt=AppNow() - settings.IDEMPOTENCY_KEYS_KEPT)
    return IdempotencyRecord.objects.filter(id__in=old.values("id")[:5000]).delete()[0]
