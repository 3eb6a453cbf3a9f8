"""What an account's profile shows. Other apps add their part: this one can't import them."""

from rest_framework.serializers import BaseSerializer

from accounts.models import User

_PARTS: dict[str, type[BaseSerializer[User]]] = {}


def register(name: str, part: type[BaseSerializer[User]]) -> None:
    """Show the user as `part` sees it, as `name` in the profile. Called in `AppConfig.ready`."""
    _PARTS[name] = part


def parts() -> dict[str, BaseSerializer[User]]:
    """A field of the profile for every registered part, by name."""
    return {name: part(source="*", read_only=True) for name, part in _PARTS.items()}
