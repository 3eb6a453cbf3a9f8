"""Finding an adapter by its name, with what the settings say."""

import pytest
from pytest_django import Settings

from providers.adapters import UnknownProvider
from providers.catalogue.language import LANGUAGE_MODELS, TRANSCRIPTION_MODELS
from providers.errors import NotConfigured
from providers.language.registry import LANGUAGE_PROVIDERS, configured, language_provider

from .vendors import PLAN, Vendor, question


def test_without_a_key_a_vendor_is_not_configured(vendor: Vendor, settings: Settings) -> None:
    setattr(settings, f"{vendor.name.upper()}_API_KEY", "")

    assert not configured(vendor.name)
    with pytest.raises(NotConfigured) as caught:
        language_provider(vendor.name)
    assert caught.value.setting == f"{vendor.name.upper()}_API_KEY"


def test_a_key_is_enough(vendor: Vendor, settings: Settings) -> None:
    setattr(settings, f"{vendor.name.upper()}_API_KEY", "a-key")
    setattr(settings, f"{vendor.name.upper()}_BASE_URL", "")

    assert configured(vendor.name)
    adapter = language_provider(vendor.name)
    assert adapter.name == vendor.name
    assert language_provider(vendor.name) is adapter


def test_the_address_is_a_setting(vendor: Vendor, settings: Settings) -> None:
    with vendor.simulator() as simulator:
        simulator.answers(PLAN)
        setattr(settings, f"{vendor.name.upper()}_API_KEY", simulator.key)
        setattr(settings, f"{vendor.name.upper()}_BASE_URL", simulator.url)

        assert language_provider(vendor.name).ask(vendor.fact, question()).text == PLAN


def test_nobody_else_is_known() -> None:
    with pytest.raises(UnknownProvider):
        language_provider("acme")
    with pytest.raises(UnknownProvider):
        configured("acme")


def test_every_model_has_a_vendor_and_every_successor_exists() -> None:
    for id, model in LANGUAGE_MODELS.items():
        assert id == model.id == f"{model.provider}/{model.vendor_model}"
        assert model.provider in LANGUAGE_PROVIDERS
        assert model.successor is None or LANGUAGE_MODELS[model.successor].retires_at is None
        assert model.cached_price <= model.input_price < model.output_price
    for id, heard in TRANSCRIPTION_MODELS.items():
        assert id == heard.id == f"{heard.provider}/{heard.vendor_model}"
