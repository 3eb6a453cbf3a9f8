"""What a request was signed with, and the making and reading of API keys."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.errors import TooManyApiKeys
from accounts.models import ApiKey, Scope, User
from workers.clock import AppNow

MAX_API_KEYS = 20
EVERY_SCOPE = frozenset(Scope.values)

_KEY_START = "vk_"
_SHOWN_LENGTH = 11
# To the minute is enough to tell a key in use from a forgotten one, and spares a write per request.
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a request was signed with: `request.auth`."""

    kind: Literal["session", "supabase", "api_key"]
    scopes: frozenset[str]
    # The API key's id; None for people.
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key just made: the only moment its secret is known."""

    key: ApiKey
    secret: str


def live(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """Those that are neither revoked nor expired."""
    return keys.filter(Q(expires_at=None) | Q(expires_at__gt=AppNow()), revoked_at=None)


def make_api_key(
    owner: User, *, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> NewApiKey:
    """Make a key for `owner`. Raises TooManyApiKeys."""
    secret = _KEY_START + secrets.token_urlsafe(32)
    with transaction.atomic():
        # Counted under the owner's lock, so that two requests at once can't pass the limit together.
        User.objects.select_for_update(no_key=True).only("id").get(pk=owner.pk)
        if live(ApiKey.objects.filter(owner=owner)).count() >= MAX_API_KEYS:
            raise TooManyApiKeys(limit=MAX_API_KEYS)
        key = ApiKey.objects.create(
            owner=owner,
            name=name,
            prefix=secret[:_SHOWN_LENGTH],
            digest=_digest(secret),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
    return NewApiKey(key=key, secret=secret)


def revoke_api_key(owner: User, key_id: UUID) -> bool:
    """Revoke `owner`'s key at once and for good. False: there is none, or it was revoked before."""
    return bool(ApiKey.objects.filter(owner=owner, pk=key_id, revoked_at=None).update(revoked_at=AppNow()))


def find_api_key(secret: str) -> ApiKey | None:
    """The live key with this secret, and its owner. One statement, and one a minute to note the use."""
    key = (
        live(ApiKey.objects.filter(digest=_digest(secret)))
        .select_related("owner")
        .annotate(
            use_is_noted=Q(last_used_at__gt=AppNow() - _USE_NOTED_EVERY),
        )
        .first()
    )
    if key is not None and not key.use_is_noted:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=AppNow() - _USE_NOTED_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=AppNow())
    return key


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
