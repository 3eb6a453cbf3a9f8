"""`manage.py publish_rate_card`: the first price of a model that the project has none for."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from credits import rate_cards
from credits.models import RateCard

pytestmark = pytest.mark.django_db


def published(*arguments: str) -> str:
    said = StringIO()
    call_command("publish_rate_card", *arguments, stdout=said)
    return said.getvalue().strip()


def test_a_price_is_in_force_at_once_and_the_next_is_its_second_version() -> None:
    assert published("acme/one", "0.05") == "acme/one v1"
    assert rate_cards.current(["acme/one"])["acme/one"].vendor_cost == Decimal("0.05")
    assert published("acme/one", "0.2", "--unit", "call", "--markup", "4") == "acme/one v2"
    card = rate_cards.current(["acme/one"])["acme/one"]
    assert (card.vendor_unit, card.markup) == ("call", Decimal(4))


@pytest.mark.parametrize(
    "arguments", [("acme/one", "cheap"), ("acme/one", "0.05", "--markup", "x"), ("acme/one", "-1")]
)
def test_what_is_no_price_is_refused_and_nothing_is_written(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        published(*arguments)
    assert not RateCard.objects.filter(subject="acme/one").exists()


def test_a_price_below_the_vendors_cost_is_refused_where_the_operator_says_so(settings: Settings) -> None:
    settings.PRICING_REFUSE_BELOW_COST = True
    with pytest.raises(CommandError):
        published("acme/one", "0.05", "--markup", "0.5")
    assert not RateCard.objects.filter(subject="acme/one").exists()
