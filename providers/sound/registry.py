"""Finds the adapter of a vendor of sounds by its name, and the model that makes a kind of sound here."""

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from django.conf import settings

from providers.catalogue.sound import SOUND_MODELS, SoundKind, SoundModel
from providers.errors import NotConfigured
from providers.registry import UnknownProvider

from .contract import SoundProvider

SOUND_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "elevenlabs": "providers.sound.elevenlabs.ElevenLabsProvider",
        "mmaudio": "providers.sound.mmaudio.MMAudioProvider",
        "sandbox": "providers.sound.sandbox.SandboxSoundProvider",
    }
)


def sound_provider(name: str) -> SoundProvider:
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


def chosen(kind: SoundKind) -> SoundModel | None:
    """The first of settings.SOUND_MODELS that makes this kind of sound and whose vendor is configured."""
    models = (SOUND_MODELS.get(id) for id in settings.SOUND_MODELS)
    return next(
        (model for model in models if model and model.kind == kind and configured(model.provider)), None
    )


@cache
def _kind(name: str) -> type[SoundProvider]:
    path = SOUND_PROVIDERS.get(name)
    if path is None:
        raise UnknownProvider(name)
    module, _, attribute = path.rpartition(".")
    kind: type[SoundProvider] = getattr(import_module(module), attribute)
    return kind


def _values(kind: type[SoundProvider]) -> tuple[tuple[str, str], ...]:
    """What is set, a switch that is off as nothing; a setting without a value has the vendor's own, if any."""
    return tuple(
        (name, str(getattr(settings, name, "") or kind.defaults.get(name, ""))) for name in kind.settings
    )


@cache
def _build(kind: type[SoundProvider], values: tuple[tuple[str, str], ...]) -> SoundProvider:
    return kind.from_settings(dict(values))


# Two processes must not share connections.
os.register_at_fork(after_in_child=_build.cache_clear)
