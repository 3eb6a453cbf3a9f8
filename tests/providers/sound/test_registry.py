"""Finding an adapter by its name, the model for a kind of sound by the settings, and the price of each."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings

from credits.card_table import CARDS
from providers.adapters import UnknownProvider
from providers.catalogue.sound import SOUND_MODELS, SoundKind, SoundModel, sound_model
from providers.errors import NotConfigured
from providers.sound.registry import ADAPTERS, SOUND_PROVIDERS, chosen, configured, sound_provider
from tests.vendors import ElevenLabs

from .vendors import EFFECT

EVERY_MODEL = pytest.mark.parametrize("model", SOUND_MODELS.values(), ids=SOUND_MODELS.keys())


@pytest.fixture
def keyless(settings: Settings) -> Settings:
    """As a new installation is: nothing but the sandbox."""
    settings.ELEVENLABS_API_KEY = settings.ELEVENLABS_URL = settings.ELEVENLABS_VOICE = ""
    settings.FAL_API_KEY = settings.FAL_URL = ""
    settings.MMAUDIO_LICENCE_ACCEPTED = False
    settings.SANDBOX_URL, settings.SANDBOX_API_KEY = "http://127.0.0.1:9", "key"
    return settings


def chosen_ids() -> list[str]:
    return [model.id if (model := chosen(kind)) else "" for kind in SoundKind]


def test_without_a_key_the_sandbox_makes_every_sound(keyless: Settings) -> None:
    assert chosen_ids() == ["sandbox/voice", "sandbox/effects", "sandbox/music"]
    keyless.SANDBOX_URL = ""
    assert chosen_ids() == ["", "", ""]


def test_with_a_key_elevenlabs_comes_first(keyless: Settings) -> None:
    keyless.ELEVENLABS_API_KEY = "key"
    assert chosen_ids() == [
        "elevenlabs/eleven_multilingual_v2",
        "elevenlabs/eleven_text_to_sound_v2",
        "elevenlabs/music_v1",
    ]


def test_mmaudio_needs_a_key_and_the_accepted_licence(keyless: Settings) -> None:
    keyless.FAL_API_KEY = "key"
    assert not configured("mmaudio")
    with pytest.raises(NotConfigured) as refusal:
        sound_provider("mmaudio")
    assert refusal.value.setting == "MMAUDIO_LICENCE_ACCEPTED"

    keyless.MMAUDIO_LICENCE_ACCEPTED = True
    assert sound_provider("mmaudio").name == "mmaudio"
    assert chosen_ids() == ["sandbox/voice", "mmaudio/v2", "sandbox/music"]

    keyless.FAL_API_KEY = ""
    assert not configured("mmaudio")


def test_the_operator_says_who_comes_first(keyless: Settings) -> None:
    keyless.ELEVENLABS_API_KEY = "key"
    keyless.SOUND_MODELS = ["sandbox/voice", "elevenlabs/eleven_v4", "elevenlabs/music_v2"]
    assert chosen_ids() == ["sandbox/voice", "", "elevenlabs/music_v2"]


@pytest.mark.usefixtures("keyless")
def test_an_adapter_is_built_once() -> None:
    assert sound_provider("sandbox") is sound_provider("sandbox")
    with pytest.raises(NotConfigured) as refusal:
        sound_provider("elevenlabs")
    assert refusal.value.setting == "ELEVENLABS_API_KEY"


def test_the_address_and_the_voice_are_settings(
    keyless: Settings, vendor: ElevenLabs, tmp_path: Path
) -> None:
    keyless.ELEVENLABS_API_KEY, keyless.ELEVENLABS_URL = vendor.key, vendor.url
    assert sound_provider("elevenlabs").make_effect(EFFECT, tmp_path / "effect").path.exists()


def test_nobody_else_is_known() -> None:
    for look in (sound_provider, configured):
        with pytest.raises(UnknownProvider):
            look("acme")


@pytest.mark.parametrize("name", sorted(SOUND_PROVIDERS))
def test_every_name_of_the_table_loads_and_agrees(name: str) -> None:
    kind = ADAPTERS.kind(name)
    assert kind.name == name
    assert kind.defaults.keys() <= set(kind.settings)
    assert any(model.provider == name for model in SOUND_MODELS.values())


@EVERY_MODEL
def test_a_models_facts_hold_together(model: SoundModel) -> None:
    assert model.id.startswith(f"{model.provider}/")
    assert model.provider in SOUND_PROVIDERS
    assert sound_model(model.provider, model.vendor_model) is model
    assert model.max_characters > 0
    assert 0 <= model.min_seconds < model.max_seconds
    assert model.price > 0
    assert model.concurrent > 0
    assert model.expected_seconds > timedelta()
    assert (model.unit == "1000_characters") is (
        model.kind is SoundKind.VOICE and model.provider != "sandbox"
    )
    assert model.licence
    assert model.source


@EVERY_MODEL
def test_a_models_card_says_what_its_vendor_asks(model: SoundModel) -> None:
    """The catalogue and the card are two lists: credits know no vendors."""
    card = CARDS[model.id]
    if model.provider == "sandbox":
        assert card.base_credits == (20 if model.kind is SoundKind.MUSIC else 10)
    else:
        assert (card.vendor_cost, card.vendor_unit, card.markup) == (model.price, model.unit, Decimal(3))


def test_a_sound_is_charged_for_what_it_is_made_of() -> None:
    voice, effect = (
        SOUND_MODELS["elevenlabs/eleven_multilingual_v2"],
        SOUND_MODELS["elevenlabs/eleven_text_to_sound_v2"],
    )
    assert voice.cost(characters=250) == Decimal("0.02")
    assert effect.cost(seconds=2.5) == Decimal("0.02")
    assert effect.seconds_made(0.2) == 0.5
    assert effect.cost(seconds=2.5, vendor_credits=Decimal(100)) == Decimal("0.02")
