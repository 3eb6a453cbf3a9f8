"""Rate cards in force: read for a price, pinned for a quote, published by operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.conf import settings
from django.db import models, transaction

from workers.clock import AppNow

from .errors import BelowVendorCost
from .models import RateCard, VendorUnit
from .money import Money, credits_per_unit
from .pricing import Card, vendor_credits

# Written out: composing it anew would be a tenth of what a create costs.
_OF_SUBJECTS = """
SELECT DISTINCT ON (subject) * FROM credits_ratecard
WHERE subject = ANY(%s) AND valid_from <= app_now() ORDER BY subject, version DESC
"""


def current(subjects: Sequence[str]) -> dict[str, Card]:
    """The card in force of each subject, in one query. A subject without one, or not to be sold, is missing."""
    cards = [card_of(row) for row in RateCard.objects.raw(_OF_SUBJECTS, [list(subjects)])]
    return {
        card.subject: card for card in cards if not (settings.PRICING_REFUSE_BELOW_COST and loss_on(card))
    }


def pinned(ids: Iterable[int]) -> dict[int, Card]:
    """These versions by id, in one query, whether or not they are still in force."""
    return {row.id: card_of(row) for row in RateCard.objects.filter(id__in=list(ids))}


def all_current() -> list[Card]:
    """Every subject's card in force, by subject."""
    return [card_of(row) for row in _in_force()]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardDraft:
    """What an operator says of a price; the meaning of each field is `credits.models.RateCard`'s."""

    base_credits: int | None = None
    resolution_credits: Mapping[str, int] | None = None
    base_seconds: int | None = None
    style_credits: Mapping[str, int] = field(default_factory=dict)
    modifiers: Sequence[str] = ()
    vendor_cost: Decimal | None = None
    vendor_currency: str = "USD"
    vendor_unit: str = "second"
    markup: Decimal = Decimal(3)

    def row(self, subject: str, *, version: int, operator_id: UUID | None) -> RateCard:
        """The unsaved row of this draft."""
        return RateCard(
            subject=subject,
            version=version,
            base_credits=self.base_credits,
            resolution_credits=dict(self.resolution_credits) if self.resolution_credits else None,
            base_seconds=self.base_seconds,
            style_credits=dict(self.style_credits),
            modifiers=list(self.modifiers),
            vendor_cost=self.vendor_cost,
            vendor_currency=self.vendor_currency,
            vendor_unit=self.vendor_unit,
            markup=self.markup,
            created_by_id=operator_id,
        )


@transaction.atomic
def publish(subject: str, draft: RateCardDraft, *, operator_id: UUID | None) -> RateCard:
    """Write the subject's next version, in force from now on.

    Raises BelowVendorCost where settings.PRICING_REFUSE_BELOW_COST forbids a loss, and IntegrityError where the
    draft is no price or two operators publish at once.
    """
    newest = RateCard.objects.filter(subject=subject).aggregate(version=models.Max("version"))["version"]
    row = draft.row(subject, version=(newest or 0) + 1, operator_id=operator_id)
    row.save(force_insert=True)
    loss = loss_on(card_of(row))
    if settings.PRICING_REFUSE_BELOW_COST and loss is not None:
        raise BelowVendorCost(subject=subject, price=str(loss.price.amount), cost=str(loss.cost.amount))
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A card's base price and the higher cost of the same clip at the vendor."""

    price: Money
    cost: Money


def loss_on(card: Card) -> Loss | None:
    """What a card loses on its base clip; None where it earns, or where it can't be compared with the vendor."""
    if card.priced_by_vendor:
        # By its unit, unrounded: the smallest calls may round below their cost.
        cost = vendor_credits(card, seconds=Fraction(1), characters=1000)
        sold = cost and cost * Fraction(card.markup)
    elif card.vendor_unit == VendorUnit.THOUSAND_CHARACTERS or card.base_seconds is None:
        return None
    else:
        cost = vendor_credits(card, seconds=Fraction(card.base_seconds), characters=0)
        sold = Fraction(
            card.base_credits
            if card.base_credits is not None
            else min((card.resolution_credits or {}).values())
        )
    if cost is None or sold is None or sold >= cost:
        return None
    return Loss(price=_money(sold), cost=_money(cost))


def _money(credits: Fraction) -> Money:
    value = credits * Fraction(settings.CREDIT_VALUE)
    amount = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"))
    return Money(amount=amount, currency=settings.CREDIT_CURRENCY)


def card_of(row: RateCard) -> Card:
    """The row as the price function takes it, at the exchange rate of the settings."""
    return Card(
        id=row.id,
        subject=row.subject,
        version=row.version,
        base_credits=row.base_credits,
        resolution_credits=row.resolution_credits,
        base_seconds=row.base_seconds,
        style_credits=row.style_credits,
        modifiers=frozenset(row.modifiers),
        vendor_cost=row.vendor_cost,
        vendor_unit=row.vendor_unit,
        markup=row.markup,
        credits_per_currency_unit=credits_per_unit(row.vendor_currency),
    )


def _in_force() -> models.QuerySet[RateCard]:
    return (
        RateCard.objects.filter(valid_from__lte=AppNow()).order_by("subject", "-version").distinct("subject")
    )
