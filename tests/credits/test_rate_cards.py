"""Rate cards: which is in force, what a quote pins, and cards below their vendor's cost."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import User
from credits import card_table, checks, rate_cards
from credits.errors import BelowVendorCost
from credits.models import RateCard
from credits.pricing import PriceRequest, price
from credits.rate_cards import RateCardDraft
from providers.catalogue import MODELS
from workers import clock

pytestmark = pytest.mark.django_db


def test_a_new_installation_has_every_card_once() -> None:
    assert {(row.subject, row.version) for row in RateCard.objects.all()} == {
        (subject, 1) for subject in card_table.CARDS
    }
    output = StringIO()
    call_command("seed_rate_cards", stdout=output)
    assert output.getvalue() == ""
    assert RateCard.objects.count() == len(card_table.CARDS)


def test_every_model_of_the_catalogue_has_a_price() -> None:
    cards = rate_cards.current(list(MODELS))
    for model in MODELS.values():
        for resolution in model.resolutions:
            asked = PriceRequest(
                duration_seconds=max(model.durations),
                default_duration_seconds=model.default_duration,
                resolution=resolution,
            )
            assert price(cards[model.id], asked).total > 0


def test_the_newest_version_is_in_force_and_a_quote_keeps_its_own(operator: User) -> None:
    first = rate_cards.current(["sandbox/motion-1"])["sandbox/motion-1"]
    row = rate_cards.publish(
        "sandbox/motion-1", RateCardDraft(base_credits=120, base_seconds=5), operator_id=operator.pk
    )
    second = rate_cards.current(["sandbox/motion-1"])["sandbox/motion-1"]
    assert (second.id, second.version, second.base_credits) == (row.pk, 2, 120)
    pinned = rate_cards.pinned([first.id, second.id])
    assert (pinned[first.id].base_credits, pinned[second.id].base_credits) == (100, 120)
    assert RateCard.objects.get(pk=row.pk).created_by == operator


def test_a_card_is_in_force_from_its_time() -> None:
    row = RateCardDraft(base_credits=1).row("sandbox/motion-1", version=2, operator_id=None)
    row.valid_from = clock.now() + timedelta(days=1)
    row.save()
    assert rate_cards.current(["sandbox/motion-1"])["sandbox/motion-1"].version == 1
    clock.advance(timedelta(days=1))
    assert rate_cards.current(["sandbox/motion-1"])["sandbox/motion-1"].version == 2


def test_cards_are_read_in_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        cards = rate_cards.current(["sandbox/motion-1", "luma/ray-2", "nobody/nothing"])
    assert (len(queries), sorted(cards)) == (1, ["luma/ray-2", "sandbox/motion-1"])


def test_what_an_operator_published_is_not_seeded_over() -> None:
    rate_cards.publish("sandbox/motion-1", RateCardDraft(base_credits=7), operator_id=None)
    assert card_table.seed() == []
    assert rate_cards.current(["sandbox/motion-1"])["sandbox/motion-1"].base_credits == 7


@pytest.mark.parametrize(
    "draft",
    [
        RateCardDraft(),
        RateCardDraft(base_credits=1, resolution_credits={"720p": 1}),
        RateCardDraft(resolution_credits={"720p": 1}),
        RateCardDraft(resolution_credits={"720p": 1}, base_seconds=10, modifiers=["audio"]),
        RateCardDraft(base_credits=1, modifiers=["discount"]),
        RateCardDraft(vendor_cost=Decimal(1), modifiers=["duration"]),
        RateCardDraft(vendor_cost=Decimal(-1)),
        RateCardDraft(base_credits=1, markup=Decimal(0)),
    ],
    ids=[
        "nothing", "base and table", "endless table", "table and modifier", "unknown modifier", "seconds twice",
        "negative cost", "no markup",
    ],
)  # fmt: skip
def test_the_database_refuses_a_card_that_is_no_price(draft: RateCardDraft) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        rate_cards.publish("vendor/model", draft, operator_id=None)


@pytest.mark.parametrize(
    ("draft", "loses"),
    [
        # 100 credits are Rp 5,000; USD 0.10 are Rp 1,650.
        (RateCardDraft(base_credits=100, base_seconds=5, vendor_cost=Decimal("0.1")), True),
        (RateCardDraft(base_credits=100, base_seconds=3, vendor_cost=Decimal("0.1")), False),
        (
            RateCardDraft(base_credits=33, vendor_cost=Decimal("0.1"), vendor_unit="call", base_seconds=5),
            False,
        ),
        (
            RateCardDraft(base_credits=32, vendor_cost=Decimal("0.1"), vendor_unit="call", base_seconds=5),
            True,
        ),
        (
            RateCardDraft(
                resolution_credits={"720p": 20, "4K": 50}, base_seconds=10, vendor_cost=Decimal("0.1")
            ),
            True,
        ),
        (RateCardDraft(vendor_cost=Decimal("0.1")), False),
        (RateCardDraft(vendor_cost=Decimal("0.1"), markup=Decimal("0.9")), True),
        (RateCardDraft(base_credits=1, base_seconds=5), False),
    ],
)
def test_a_card_below_its_vendors_cost_is_a_warning_and_refused_where_the_setting_says_so(
    settings: Settings, draft: RateCardDraft, loses: bool
) -> None:
    rate_cards.publish("vendor/model", draft, operator_id=None)
    messages = checks.no_card_below_cost(databases=["default"])
    assert any("vendor/model" in message.msg for message in messages) is loses
    assert {message.id for message in messages} == {"credits.W001"}

    settings.PRICING_REFUSE_BELOW_COST = True
    assert {message.id for message in checks.no_card_below_cost(databases=["default"])} == {"credits.E001"}
    assert ("vendor/model" in rate_cards.current(["vendor/model"])) is not loses
    if loses:
        with pytest.raises(BelowVendorCost), transaction.atomic():
            rate_cards.publish("vendor/model", draft, operator_id=None)
        assert RateCard.objects.filter(subject="vendor/model").count() == 1


def test_the_exchange_rate_and_the_value_of_a_credit_are_settings(settings: Settings) -> None:
    rate_cards.publish("vendor/voice", RateCardDraft(vendor_cost=Decimal("0.1")), operator_id=None)

    def cost() -> int:
        asked = PriceRequest(duration_seconds=10, default_duration_seconds=10)
        return price(rate_cards.current(["vendor/voice"])["vendor/voice"], asked).total

    assert cost() == 990
    settings.USD_TO_IDR = Decimal(20_000)
    assert cost() == 1200
    settings.CREDIT_VALUE = Decimal(100)
    assert cost() == 600
