"""Finds a provider by its name.

A literal table, name to class, loaded on first use. A provider whose settings are empty is not configured:
listed, but unavailable.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from django.conf import settings

from .catalogue import MODELS, ProviderLimits
from .contract import VideoProvider
from .errors import NotConfigured

VIDEO_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox": "providers.video.sandbox.SandboxProvider",
    }
)


class UnknownProvider(LookupError):
    """No provider has this name."""


def provider(name: str) -> VideoProvider:
    """The adapter, one per process and configuration. Raises UnknownProvider or NotConfigured."""
    kind = _kind(name)
    values = _values(kind)
    for setting, value in values:
        if not value:
            raise NotConfigured(name, setting)
    return _build(kind, values)


def configured(name: str) -> bool:
    """Whether every setting the provider needs is filled. Raises UnknownProvider."""
    return all(value for _, value in _values(_kind(name)))


def limits(name: str) -> ProviderLimits:
    """What our account at the provider may do: the setting PROVIDER_LIMITS over the catalogue's facts."""
    override: Mapping[str, Mapping[str, int]] = getattr(settings, "PROVIDER_LIMITS", {})
    fact = next((model.limits for model in MODELS.values() if model.provider == name), None)
    if fact is None:
        raise UnknownProvider(name)
    chosen = override.get(name, {})
    return ProviderLimits(
        concurrent=chosen.get("concurrent", fact.concurrent),
        per_minute=chosen.get("per_minute", fact.per_minute),
    )


@cache
def _kind(name: str) -> type[VideoProvider]:
    path = VIDEO_PROVIDERS.get(name)
    if path is None:
        raise UnknownProvider(name)
    module, _, attribute = path.rpartition(".")
    kind: type[VideoProvider] = getattr(import_module(module), attribute)
    return kind


def _values(kind: type[VideoProvider]) -> tuple[tuple[str, str], ...]:
    return tuple((name, getattr(settings, name, "")) for name in kind.settings)


@cache
def _build(kind: type[VideoProvider], values: tuple[tuple[str, str], ...]) -> VideoProvider:
    return kind.from_settings(dict(values))
