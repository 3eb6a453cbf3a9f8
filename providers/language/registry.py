"""Finds the adapter of a vendor of language models by its name, as `providers.registry` does for video."""

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from django.conf import settings

from providers.errors import NotConfigured
from providers.registry import UnknownProvider

from .contract import LanguageProvider

LANGUAGE_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "groq": "providers.language.groq.GroqProvider",
        "xai": "providers.language.xai.XaiProvider",
        "gemini": "providers.language.gemini.GeminiProvider",
    }
)


def language_provider(name: str) -> LanguageProvider:
    """The adapter, one per process and configuration. Raises UnknownProvider or NotConfigured."""
    kind = _kind(name)
    values = _values(kind)
    for setting, value in values:
        if not value:
            raise NotConfigured(name, setting)
    return _build(kind, values)


def configured(name: str) -> bool:
    """Whether every setting the vendor needs is filled. Raises UnknownProvider."""
    return all(value for _, value in _values(_kind(name)))


@cache
def _kind(name: str) -> type[LanguageProvider]:
    path = LANGUAGE_PROVIDERS.get(name)
    if path is None:
        raise UnknownProvider(name)
    module, _, attribute = path.rpartition(".")
    kind: type[LanguageProvider] = getattr(import_module(module), attribute)
    return kind


def _values(kind: type[LanguageProvider]) -> tuple[tuple[str, str], ...]:
    """What is set; a setting that is absent or empty has the vendor's own value, where there is one."""
    return tuple((name, getattr(settings, name, "") or kind.defaults.get(name, "")) for name in kind.settings)


@cache
def _build(kind: type[LanguageProvider], values: tuple[tuple[str, str], ...]) -> LanguageProvider:
    return kind.from_settings(dict(values))


# Two processes must not share connections.
os.register_at_fork(after_in_child=_build.cache_clear)
