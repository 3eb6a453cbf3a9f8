"""What an account may do, by its tier: operators set an account's tier, a setting says what each allows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from accounts.models import User

GB = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The limits of a tier."""

    name: str
    # A higher rank may do all that a lower one may.
    rank: int
    running_jobs: int
    queued_jobs: int
    creates_per_minute: int
    storage_bytes: int
    credits_per_day: int
    # The highest, by the name that requests use.
    max_resolution: str


DEFAULTS = (
    Tier(
        name="free",
        rank=0,
        running_jobs=3,
        queued_jobs=20,
        creates_per_minute=10,
        storage_bytes=5 * GB,
        credits_per_day=100_000,
        max_resolution="1080p",
    ),
    Tier(
        name="pro",
        rank=1,
        running_jobs=10,
        queued_jobs=100,
        creates_per_minute=60,
        storage_bytes=50 * GB,
        credits_per_day=1_000_000,
        max_resolution="4K",
    ),
    Tier(
        name="business",
        rank=2,
        running_jobs=50,
        queued_jobs=1000,
        creates_per_minute=300,
        storage_bytes=500 * GB,
        credits_per_day=10_000_000,
        max_resolution="4K",
    ),
)

_TYPES: Mapping[str, type] = {
    field.name: str if field.name == "max_resolution" else int
    for field in fields(Tier)
    if field.name != "name"
}

# What their columns hold.
_LARGEST = 2**63 - 1
_MOST = {"running_jobs": 2**15 - 1, "queued_jobs": 2**31 - 1}


def read_tiers(changes: object) -> dict[str, Tier]:
    """The defaults with `changes` over them: {tier: {limit: value}}; a new tier names every limit.

    Raises ImproperlyConfigured, which names what is wrong.
    """
    if not isinstance(changes, dict):
        raise ImproperlyConfigured("TIERS is a JSON object of tiers")
    tiers = {tier.name: asdict(tier) for tier in DEFAULTS}
    for name, limits in changes.items():
        if not isinstance(limits, dict):
            raise ImproperlyConfigured(f"TIERS: {name!r} is not an object of limits")
        tiers.setdefault(name, {"name": name}).update(_checked(name, limits))
    for name, limits in tiers.items():
        if missing := sorted(_TYPES.keys() - limits.keys()):
            raise ImproperlyConfigured(f"TIERS: {name!r} lacks {', '.join(missing)}")
    return {name: Tier(**limits) for name, limits in tiers.items()}


def _checked(name: str, limits: Mapping[str, Any]) -> Mapping[str, Any]:
    for limit, value in limits.items():
        wanted = _TYPES.get(limit)
        if wanted is None:
            raise ImproperlyConfigured(f"TIERS: {name!r} has no limit {limit!r}")
        # bool is an int to Python, not to an operator.
        if type(value) is not wanted or not _possible(limit, value):
            raise ImproperlyConfigured(f"TIERS: {name!r}: {limit} can't be {value!r}")
    return limits


def _possible(limit: str, value: Any) -> bool:
    return bool(value) if isinstance(value, str) else bool(0 <= value <= _MOST.get(limit, _LARGEST))


@cache
def tiers() -> Mapping[str, Tier]:
    """Every tier by name, as settings.TIERS says."""
    return read_tiers(settings.TIERS)


def tier_of(user: "User") -> Tier:
    """The user's tier; a tier that is no longer configured counts as the lowest."""
    by_name = tiers()
    return by_name.get(user.tier) or min(by_name.values(), key=lambda tier: tier.rank)
