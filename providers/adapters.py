"""Tables of adapters: name to dotted path, loaded on first use, one for each process and configuration.

A vendor whose settings are empty is not configured: listed, but unavailable.
"""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from django.conf import settings

from .errors import NotConfigured

# The account that the plain settings are of.
MAIN = "main"


class UnknownProvider(LookupError):
    """No provider has this name."""


class Adapter(Protocol):
    """What a table needs of an adapter: the settings that it is made from."""

    settings: ClassVar[Sequence[str]]

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self: ...


AnyAdapter = TypeVar("AnyAdapter", bound=Adapter)


class Adapters(Generic[AnyAdapter]):
    """The adapters of one kind of vendor, by name."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths
        self._kinds: dict[str, type[AnyAdapter]] = {}
        self._built: dict[tuple[Any, ...], AnyAdapter] = {}
        # Two processes must not share connections.
        os.register_at_fork(after_in_child=self._built.clear)

    def find(self, name: str, account: str = MAIN) -> AnyAdapter:
        """The adapter of one of our accounts, made once for its settings' values.

        Raises UnknownProvider or NotConfigured.
        """
        kind = self.kind(name)
        if account != MAIN and account not in _more_accounts(name):
            # Never in its place the main one: that knows nothing of its jobs.
            raise NotConfigured(name, "PROVIDER_ACCOUNTS")
        values = self._values(name, kind, account)
        for setting, value in values:
            if not value and setting in kind.settings:
                raise NotConfigured(name, setting)
        found = self._built.get((kind, values))
        if found is None:
            found = self._built[kind, values] = kind.from_settings(dict(values))
        return found

    def accounts(self, name: str) -> list[str]:
        """Our accounts at the vendor whose settings are all filled, the main one first. Raises UnknownProvider."""
        kind = self.kind(name)
        return [
            account
            for account in (MAIN, *_more_accounts(name))
            if all(value for setting, value in self._values(name, kind, account) if setting in kind.settings)
        ]

    def configured(self, name: str) -> bool:
        """Whether we have an account at the vendor. Raises UnknownProvider."""
        return bool(self.accounts(name))

    def kind(self, name: str) -> type[AnyAdapter]:
        """The adapter's class. Raises UnknownProvider."""
        if name not in self._kinds:
            path = self._paths.get(name)
            if path is None:
                raise UnknownProvider(name)
            module, _, attribute = path.rpartition(".")
            self._kinds[name] = getattr(import_module(module), attribute)
        return self._kinds[name]

    def _values(self, name: str, kind: type[AnyAdapter], account: str) -> tuple[tuple[str, str], ...]:
        """What is set, a switch that is off as nothing; what is not has the vendor's own value, where there is one."""
        defaults: Mapping[str, str] = getattr(kind, "defaults", {})
        own = _more_accounts(name).get(account, {})
        return tuple(
            (setting, str(own.get(setting) or _setting(setting) or defaults.get(setting, "")))
            for setting in (*kind.settings, *getattr(kind, "optional", ()))
        )


def _more_accounts(name: str) -> Mapping[str, Mapping[str, str]]:
    """Further accounts at the vendor, by name, with the settings in which they differ from the main one."""
    found: Mapping[str, Mapping[str, str]] = settings.PROVIDER_ACCOUNTS.get(name, {})
    return found


def _setting(name: str) -> object:
    """As Django's settings have it; a vendor's own, which they don't list, as the environment has it."""
    return getattr(settings, name) if hasattr(settings, name) else settings.ENVIRONMENT.str(name, "").strip()
