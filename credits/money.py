"""What a credit is worth in money."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.conf import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount of one currency; `currency` is its ISO 4217 code."""

    amount: Decimal
    currency: str


def in_currency(credits: int) -> Money:
    """What `credits` are worth, by settings.CREDIT_VALUE of settings.CREDIT_CURRENCY each."""
    return Money(amount=credits * settings.CREDIT_VALUE, currency=settings.CREDIT_CURRENCY)


def credits_per_unit(currency: str) -> Fraction | None:
    """How many credits one unit of a vendor's currency is worth; None where no exchange rate is set."""
    if currency == settings.CREDIT_CURRENCY:
        return 1 / Fraction(settings.CREDIT_VALUE)
    if (currency, settings.CREDIT_CURRENCY) == ("USD", "IDR"):
        return Fraction(settings.USD_TO_IDR) / Fraction(settings.CREDIT_VALUE)
    return None
