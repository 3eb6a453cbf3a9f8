"""Finds the adapter of a vendor of videos by its name."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings

from .adapters import Adapters, UnknownProvider
from .catalogue import MODELS, ProviderLimits
from .contract import VideoProvider

VIDEO_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox": "providers.video.sandbox.SandboxProvider",
    }
)


ADAPTERS: Adapters[VideoProvider] = Adapters(VIDEO_PROVIDERS)


def provider(name: str) -> VideoProvider:
    """The adapter, one per process and configuration. Raises UnknownProvider or NotConfigured."""
    return ADAPTERS.find(name)


def configured(name: str) -> bool:
    """Whether every setting the provider needs is filled. Raises UnknownProvider."""
    return ADAPTERS.configured(name)


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
