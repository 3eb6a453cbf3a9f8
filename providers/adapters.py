"""Tables of adapters: name to dotted path, loaded on first use, one for each process and configuration.

A vendor whose settings are empty is not configured: listed, but unavailable.
"""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from django.conf import settings

from .errors import NotConfigured


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

    def find(self, name: str) -> AnyAdapter:
        """The adapter, made once for its settings' values. Raises UnknownProvider or NotConfigured."""
        kind = self.kind(name)
        values = self._values(kind)
        for setting, value in values:
            if not value:
                raise NotConfigured(name, setting)
        found = self._built.get((kind, values))
        if found is None:
            found = self._built[kind, values] = kind.from_settings(dict(values))
        return found

    def configured(self, name: str) -> bool:
        """Whether every setting the vendor needs is filled. Raises UnknownProvider."""
        return all(value for _, value in self._values(self.kind(name)))

    def kind(self, name: str) -> type[AnyAdapter]:
        """The adapter's class. Raises UnknownProvider."""
        if name not in self._kinds:
            path = self._paths.get(name)
            if path is None:
                raise UnknownProvider(name)
            module, _, attribute = path.rpartition(".")
            self._kinds[name] = getattr(import_module(module), attribute)
        return self._kinds[name]

    def _values(self, kind: type[AnyAdapter]) -> tuple[tuple[str, str], ...]:
        """What is set, a switch that is off as nothing; what is not has the vendor's own value, where there is one."""
        defaults: Mapping[str, str] = getattr(kind, "defaults", {})
        return tuple(
            (name, str(getattr(settings, name, "") or defaults.get(name, ""))) for name in kind.settings
        )
