"""Finds the adapter of a vendor of language models by its name, as `providers.registry` does for video."""

from collections.abc import Mapping
from types import MappingProxyType

from providers.adapters import Adapters

from .contract import LanguageProvider

LANGUAGE_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "groq": "providers.language.groq.GroqProvider",
        "xai": "providers.language.xai.XaiProvider",
        "gemini": "providers.language.gemini.GeminiProvider",
    }
)


ADAPTERS: Adapters[LanguageProvider] = Adapters(LANGUAGE_PROVIDERS)


def language_provider(name: str) -> LanguageProvider:
    """The adapter, one per process and configuration. Raises UnknownProvider or NotConfigured."""
    return ADAPTERS.find(name)


def configured(name: str) -> bool:
    """Whether every setting the vendor needs is filled. Raises UnknownProvider."""
    return ADAPTERS.configured(name)
