"""Finds the adapter of a vendor of videos by its name."""

from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings

from .adapters import MAIN, Adapters, UnknownProvider
from .catalogue import MODELS, ProviderLimits
from .contract import VideoProvider
from .vendors import VIDEO_PROVIDERS

ADAPTERS: Adapters[VideoProvider] = Adapters(VIDEO_PROVIDERS)


def provider(name: str, account: str = MAIN) -> VideoProvider:
    """The adapter of one of our accounts, one per process and configuration. Raises UnknownProvider or NotConfigured."""
    return ADAPTERS.find(name, account)


def kind(name: str) -> type[VideoProvider]:
    """The adapter's class. Raises UnknownProvider."""
    return ADAPTERS.kind(name)


def accounts(name: str) -> list[str]:
    """Our accounts at the provider whose settings are filled, the main one first. Raises UnknownProvider."""
    return ADAPTERS.accounts(name)


def configured(name: str) -> bool:
    """Whether we have an account at the provider. Raises UnknownProvider."""
    return ADAPTERS.configured(name)


def limits(name: str) -> ProviderLimits:
    """What one of our accounts at the provider may do: the setting PROVIDER_LIMITS over the catalogue's facts."""
    override: Mapping[str, Mapping[str, int]] = settings.PROVIDER_LIMITS
    fact = next((model.limits for model in MODELS.values() if model.provider == name), None)
    if fact is None:
        raise UnknownProvider(name)
    return replace(fact, **override.get(name, {}))


def own_limits(model: str) -> ProviderLimits | None:
    """What one account may do with this model alone: PROVIDER_LIMITS by its id over the catalogue's facts."""
    override: Mapping[str, int] = settings.PROVIDER_LIMITS.get(model, {})
    facts = MODELS[model].own_limits
    if facts is None:
        return replace(limits(MODELS[model].provider), **override) if override else None
    return replace(facts, **override)
