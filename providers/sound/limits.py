"""What a model can't do, said before anything is sent."""

from providers.catalogue.sound import SoundKind, SoundModel, sound_model
from providers.errors import UnsupportedFeature

NAMES = {SoundKind.VOICE: "speech", SoundKind.EFFECT: "effects", SoundKind.MUSIC: "music"}


def model_for(
    provider: str, vendor_model: str, kind: SoundKind, *, text: str, seconds: float = 0.0
) -> SoundModel:
    """The model's facts, if it makes that kind of sound from that text and that long. Raises UnsupportedFeature."""
    model = sound_model(provider, vendor_model)
    if model is None or model.kind is not kind:
        raise UnsupportedFeature(provider, f"{NAMES[kind]} with this model")
    if not text.strip():
        raise UnsupportedFeature(provider, f"{NAMES[kind]} without words")
    if len(text) > model.max_characters:
        raise UnsupportedFeature(provider, f"a text of more than {model.max_characters} characters")
    if not seconds <= model.max_seconds:
        raise UnsupportedFeature(provider, f"{NAMES[kind]} of more than {model.max_seconds:g} s")
    return model
