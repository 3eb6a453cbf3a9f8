"""How often a client may ask: per account, per API key and per address, from the tier and the settings.

All limits of a request are counted in one call (`accounts.rates`); a refusal is 429 with `Retry-After`.
"""

import hashlib
import ipaddress
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.credentials import Credential
from accounts.rates import Limit, take
from accounts.tiers import Tier, tier_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

# A client polls each of its jobs every 5 seconds, and reads other things too.
_POLLS_PER_MINUTE = 12
_OTHER_READS_PER_MINUTE = 300
# Of the writes that create nothing that costs: renaming, cancelling, favourites.
_OTHER_WRITES_PER_MINUTE = 120


class _Throttle(BaseThrottle, ABC):
    """Allows a request when each of its limits does."""

    _wait = 0

    @abstractmethod
    def limits(self, request: Request) -> Sequence[Limit]:
        """What this request counts under."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self._wait = take(self.limits(request))
        return self._wait == 0

    def wait(self) -> float:
        return self._wait


class RequestThrottle(_Throttle):
    """For every request: reads and writes apart, per account and per API key; else per address.

    An account's reads are enough to poll every job that its tier lets it have, every 5 seconds.
    """

    def limits(self, request: Request) -> Sequence[Limit]:
        if not request.user.is_authenticated:
            return [address_limit(request)]
        user, credential = request.user, cast(Credential, request.auth)
        tier = tier_of(user)
        if request.method in SAFE_METHODS:
            kind, count = "reads", _reads_per_minute(tier)
        else:
            kind, count = "writes", tier.creates_per_minute + _OTHER_WRITES_PER_MINUTE
        limits = [Limit(key=f"{kind}:{user.pk}", count=count)]
        if credential.key_id is not None:
            # A program that ran wild leaves its owner room to stop it.
            limits.append(Limit(key=f"{kind}:{credential.key_id}", count=count * 3 // 4))
        return limits


class CreateThrottle(RequestThrottle):
    """For resources whose POST costs or creates: as many a minute as the account's tier says.

    A repeat under the same Idempotency-Key creates nothing, so it counts once. Reading counts as
    `RequestThrottle` says.
    """

    def limits(self, request: Request) -> Sequence[Limit]:
        limits = super().limits(request)
        if request.method != "POST" or not request.user.is_authenticated:
            return limits
        user = request.user
        creates = Limit(
            key=f"creates:{user.pk}",
            count=tier_of(user).creates_per_minute,
            mark=_digest(request.headers.get("Idempotency-Key", "")),
        )
        return [*limits, creates]


def address_limit(request: HttpRequest | Request) -> Limit:
    """What a request without an account counts under."""
    return Limit(key=f"address:{address_of(request)}", count=settings.RATE_PER_ADDRESS)


def sign_in_limits(request: HttpRequest, email: str) -> Sequence[Limit]:
    """What a request to sign up, sign in or reset a password counts under: address, e-mail, token.

    `email`: the one that the request names, or empty.
    """
    limits = [Limit(key=f"sign-in:{address_of(request)}", count=settings.RATE_SIGN_IN_PER_ADDRESS)]
    if email:
        # Over five minutes, so that guessing is slow and the owner isn't locked out for long.
        limits.append(
            Limit(key=f"sign-in:{_digest(email.lower())}", count=settings.RATE_SIGN_IN_PER_EMAIL, seconds=300)
        )
    if token := request.headers.get("X-Session-Token") or request.headers.get("Authorization"):
        limits.append(Limit(key=f"sign-in:{_digest(token)}", count=settings.RATE_SIGN_IN_PER_ADDRESS))
    return limits


def address_of(request: HttpRequest | Request) -> str:
    """Whence a request came, by our own proxies' word (NUM_PROXIES); of IPv6, the customer's network."""
    ident = BaseThrottle().get_ident(cast(Request, request)) or ""
    try:
        address = ipaddress.ip_address(ident)
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _reads_per_minute(tier: Tier) -> int:
    return (tier.running_jobs + tier.queued_jobs) * _POLLS_PER_MINUTE + _OTHER_READS_PER_MINUTE


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32] if text else ""
