"""The price of one request by one rate card: pure, exact, and told part by part."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor

from .errors import NoPrice
from .models.rate_cards import Modifier, VendorUnit

# Percent of the base, over 720p.
RESOLUTION_PERCENT: Mapping[str, int] = {"720p": 0, "1080p": 30, "4k": 100}
# Percent of the base for each EXTRA_SECONDS over the model's default duration, pro rata.
EXTRA_PERCENT = 50
EXTRA_SECONDS = 5
START_IMAGE_PERCENT = 20
END_IMAGE_PERCENT = 30
BOTH_IMAGES_PERCENT = 40
AUDIO_CREDITS = 10
ENHANCE_CREDITS = 5

_LINES = re.compile(r"([1-9][0-9]*)p")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One version of a rate card, with the exchange rate it is read at. See `credits.models.RateCard`."""

    id: int
    subject: str
    version: int
    base_credits: int | None = None
    resolution_credits: Mapping[str, int] | None = None
    base_seconds: int | None = None
    style_credits: Mapping[str, int] = field(default_factory=dict)
    modifiers: frozenset[str] = frozenset()
    vendor_cost: Decimal | None = None
    vendor_unit: str = VendorUnit.SECOND
    markup: Decimal = Decimal(3)
    # None: there is no exchange rate for the vendor's currency.
    credits_per_currency_unit: Fraction | None = None

    @property
    def priced_by_vendor(self) -> bool:
        """Whether the price is the vendor's cost times the markup."""
        return self.base_credits is None and self.resolution_credits is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRequest:
    """What is asked of a model or a service, as far as it matters to a price."""

    duration_seconds: Decimal | int
    # The model's own: what a card's base credits pay for.
    default_duration_seconds: Decimal | int
    resolution: str = "720p"
    start_image: bool = False
    end_image: bool = False
    audio: bool = False
    enhance: bool = False
    style: str | None = None
    characters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePart:
    """One line of a price; `factor` says how it came about. A part that costs nothing is listed at 0."""

    label: str
    credits: int
    factor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A total, which is the sum of its parts, and the card version it came from."""

    total: int
    parts: tuple[PricePart, ...]
    card_id: int

    def breakdown(self) -> list[dict[str, str | int]]:
        """The parts as a ledger entry keeps them."""
        return [{"label": part.label, "credits": part.credits, "factor": part.factor} for part in self.parts]


def price(card: Card, request: PriceRequest) -> Price:
    """What the request costs by the card, each part rounded half up to whole credits.

    Raises NoPrice where the card has no factor for what is asked, and so nothing may start.
    """
    base = _table(card, request) if card.resolution_credits is not None else _base(card, request)
    parts = [base, *_extras(card, request, base.credits)]
    return Price(total=sum(part.credits for part in parts), parts=tuple(parts), card_id=card.id)


def vendor_credits(card: Card, *, seconds: Fraction, characters: int) -> Fraction | None:
    """The vendor's cost in credits, unrounded and without markup; None where it isn't known."""
    if card.vendor_cost is None or card.credits_per_currency_unit is None:
        return None
    quantity = {
        VendorUnit.SECOND: seconds,
        VendorUnit.CALL: Fraction(1),
        VendorUnit.THOUSAND_CHARACTERS: Fraction(characters, 1000),
    }[VendorUnit(card.vendor_unit)]
    return Fraction(card.vendor_cost) * quantity * card.credits_per_currency_unit


def half_up(amount: Fraction) -> int:
    """The nearest whole number, a half going up."""
    return floor(amount + Fraction(1, 2))


def _base(card: Card, request: PriceRequest) -> PricePart:
    if card.base_credits is not None:
        return PricePart(label="base", credits=card.base_credits, factor=f"{card.subject} v{card.version}")
    cost = vendor_credits(card, seconds=Fraction(request.duration_seconds), characters=request.characters)
    if cost is None:
        raise _no_price(card, "exchange", "the vendor's cost can't be converted")
    return PricePart(
        label="base",
        credits=half_up(cost * Fraction(card.markup)),
        factor=f"{card.subject} v{card.version}: vendor cost x {card.markup.normalize():f}",
    )


def _table(card: Card, request: PriceRequest) -> PricePart:
    assert card.resolution_credits is not None
    if card.base_seconds is None or Fraction(request.duration_seconds) > card.base_seconds:
        raise _no_price(card, "duration", f"its table ends at {card.base_seconds} s")
    table = {name.casefold(): credits for name, credits in card.resolution_credits.items()}
    resolution = request.resolution.casefold()
    credits = table.get(resolution, table.get("720p") if _is_below_720p(resolution) else None)
    if credits is None:
        raise _no_price(card, "resolution", f"{request.resolution} has no factor")
    return PricePart(
        label="base", credits=credits, factor=f"{card.subject} v{card.version}: {request.resolution}"
    )


def _extras(card: Card, request: PriceRequest, base: int) -> list[PricePart]:
    """What the request asks for beyond the base, in the order it is read out."""
    parts: list[PricePart] = []

    def percentage(label: str, percent: Fraction | int, modifier: Modifier) -> None:
        percent = Fraction(percent if modifier in card.modifiers else 0)
        parts.append(
            PricePart(label=label, credits=half_up(base * percent / 100), factor=f"+{_shown(percent)} %")
        )

    def flat(label: str, credits: int) -> None:
        parts.append(PricePart(label=label, credits=credits, factor=f"+{credits}"))

    if card.resolution_credits is None and request.resolution.casefold() != "720p":
        percentage("resolution", _resolution_percent(card, request.resolution), Modifier.RESOLUTION)
    extra = Fraction(request.duration_seconds) - Fraction(request.default_duration_seconds)
    if extra > 0 and not (card.priced_by_vendor and card.vendor_unit == VendorUnit.SECOND):
        percentage("duration", extra * EXTRA_PERCENT / EXTRA_SECONDS, Modifier.DURATION)
    if request.start_image and request.end_image:
        percentage("start_and_end_image", BOTH_IMAGES_PERCENT, Modifier.IMAGES)
    elif request.start_image:
        percentage("start_image", START_IMAGE_PERCENT, Modifier.IMAGES)
    elif request.end_image:
        percentage("end_image", END_IMAGE_PERCENT, Modifier.IMAGES)
    if request.style is not None:
        flat("style", _style_credits(card, request.style))
    if request.audio:
        flat("audio", AUDIO_CREDITS if Modifier.AUDIO in card.modifiers else 0)
    if request.enhance:
        flat("enhance", ENHANCE_CREDITS if Modifier.ENHANCE in card.modifiers else 0)
    return parts


def _resolution_percent(card: Card, resolution: str) -> int:
    if Modifier.RESOLUTION not in card.modifiers:
        return 0
    name = resolution.casefold()
    percent = RESOLUTION_PERCENT.get(name, 0 if _is_below_720p(name) else None)
    if percent is None:
        raise _no_price(card, "resolution", f"{resolution} has no factor")
    return percent


def _is_below_720p(resolution: str) -> bool:
    lines = _LINES.fullmatch(resolution)
    return lines is not None and int(lines[1]) < 720


def _style_credits(card: Card, style: str) -> int:
    """Nothing by a card without a table of styles; by one that has it, a style must be there."""
    if not card.style_credits:
        return 0
    if style not in card.style_credits:
        raise _no_price(card, "style", f"{style} has no factor")
    return card.style_credits[style]


def _shown(percent: Fraction) -> str:
    return f"{float(percent):g}"


def _no_price(card: Card, factor: str, reason: str) -> NoPrice:
    return NoPrice(subject=card.subject, factor=factor, reason=reason)
