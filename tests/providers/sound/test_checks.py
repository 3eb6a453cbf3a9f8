"""System checks of the sound models that the settings name, and of their prices."""

from decimal import Decimal

import pytest
from pytest_django import Settings

from credits import rate_cards
from credits.pricing import PriceRequest, price
from credits.rate_cards import RateCardDraft
from pipeline import checks
from providers.catalogue.sound import SOUND_MODELS


def test_a_name_that_nobody_knows_is_an_error(settings: Settings) -> None:
    assert checks.sound_models_are_known(None) == []
    settings.SOUND_MODELS = ["sandbox/voice", "acme/voice"]
    (found,) = checks.sound_models_are_known(None)
    assert found.id == "pipeline.E004"
    assert "'acme/voice'" in found.msg


@pytest.mark.django_db
def test_a_sound_without_a_price_is_a_warning(settings: Settings) -> None:
    settings.SOUND_MODELS = list(SOUND_MODELS)
    assert checks.sounds_have_prices(databases=["default"]) == []

    # Not sold below its cost: as if it had no price.
    settings.PRICING_REFUSE_BELOW_COST = False
    draft = RateCardDraft(vendor_cost=Decimal("0.08"), vendor_unit="1000_characters", markup=Decimal("0.5"))
    rate_cards.publish("elevenlabs/eleven_v4", draft, operator_id=None)
    settings.PRICING_REFUSE_BELOW_COST = True

    (found,) = checks.sounds_have_prices(databases=["default"])
    assert found.id == "pipeline.W002"
    assert "'elevenlabs/eleven_v4'" in found.msg
    assert checks.sounds_have_prices() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "characters", "seconds", "credits"),
    [
        # USD 1 is 330 credits: Rp 16,500 at Rp 50; times 3.
        ("elevenlabs/eleven_multilingual_v2", 500, 0, 40),
        ("elevenlabs/eleven_flash_v2_5", 500, 0, 20),
        ("elevenlabs/eleven_text_to_sound_v2", 0, 5, 40),
        ("elevenlabs/music_v1", 0, 30, 371),
        ("mmaudio/v2", 0, 8, 8),
        ("sandbox/voice", 500, 0, 10),
        ("sandbox/effects", 0, 5, 10),
        ("sandbox/music", 0, 60, 20),
    ],
)
def test_a_sound_costs_what_its_card_says(model: str, characters: int, seconds: int, credits: int) -> None:
    card = rate_cards.current([model])[model]
    asked = PriceRequest(duration_seconds=seconds, default_duration_seconds=seconds, characters=characters)
    assert price(card, asked).total == credits
