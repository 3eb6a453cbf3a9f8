"""Finds the adapter of a vendor of sounds by its name, and the model that makes a kind of sound here."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings

from providers.adapters import Adapters
from providers.catalogue.sound import SOUND_MODELS, SoundKind, SoundModel

from .contract import SoundProvider

SOUND_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "elevenlabs": "providers.sound.elevenlabs.ElevenLabsProvider",
        "mmaudio": "providers.sound.mmaudio.MMAudioProvider",
        "sandbox": "providers.sound.sandbox.SandboxSoundProvider",
    }
)


ADAPTERS: Adapters[SoundProvider] = Adapters(SOUND_PROVIDERS)


def sound_provider(name: str) -> SoundProvider:
    """The adapter, one per process and configuration. Raises UnknownProvider or NotConfigured."""
    return ADAPTERS.find(name)


def configured(name: str) -> bool:
    """Whether every setting the vendor needs is filled. Raises UnknownProvider."""
    return ADAPTERS.configured(name)


def chosen(kind: SoundKind) -> SoundModel | None:
    """The first of settings.SOUND_MODELS that makes this kind of sound and whose vendor is configured."""
    models = (SOUND_MODELS.get(id) for id in settings.SOUND_MODELS)
    return next(
        (model for model in models if model and model.kind == kind and configured(model.provider)), None
    )
