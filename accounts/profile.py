"""What an account's profile shows. Other apps add their part: this one can't import them."""

from collections.abc import Callable, Mapping
from typing import Any

from accounts.models import User

Part = Callable[[User], Mapping[str, Any]]

_PARTS: dict[str, Part] = {}


def register(name: str, part: Part) -> None:
    """Show `part(user)`, JSON-ready, as `name` in the profile. Called in `AppConfig.ready`."""
    _PARTS[name] = part


def parts_of(user: User) -> dict[str, Mapping[str, Any]]:
    """Every registered part for this user, by name."""
    return {name: part(user) for name, part in _PARTS.items()}
