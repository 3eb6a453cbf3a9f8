"""A price in parts: what each part costs, by which model, and what is there already and costs nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from accounts.models import User
from credits import pricing
from credits.errors import NoPrice
from credits.pricing import Card, PriceRequest
from generations import quotes
from generations.errors import NoPriceNoStart
from pipeline.models.quotes import PromiseInParts

AnyPromise = TypeVar("AnyPromise", bound=PromiseInParts)

COMPOSITION = "composition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A model that may take over, and what the clip costs by it."""

    model: str
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One line of a price. `label`: a segment's id, `voice:s1`, `effect:s1`, `music` or `composition`.

    `reuses`: the clip or the sound that is there already; then it costs nothing. `waived`: nor does what we spoiled.
    `seconds`: how long it takes.
    """

    label: str
    model: str
    credits: int
    seconds: float
    rate_card_ids: tuple[int, ...] = ()
    breakdown: tuple[Mapping[str, Any], ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    reuses: UUID | None = None
    waived: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reuses": str(self.reuses) if self.reuses else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Part":
        return cls(
            label=data["label"],
            model=data["model"],
            credits=data["credits"],
            seconds=data["seconds"],
            rate_card_ids=tuple(data["rate_card_ids"]),
            breakdown=tuple(data["breakdown"]),
            alternatives=tuple(Alternative(**one) for one in data["alternatives"]),
            reuses=UUID(data["reuses"]) if data["reuses"] else None,
            waived=data["waived"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The parts, the composition last; `eta_seconds`: earliest, typical, late."""

    parts: tuple[Part, ...]
    eta_seconds: tuple[float, float, float]
    quote_id: UUID | None = None

    @property
    def credits(self) -> int:
        return sum(part.credits for part in self.parts)

    def part(self, label: str) -> Part:
        return next(part for part in self.parts if part.label == label)


def eta(typical_seconds: float) -> tuple[float, float, float]:
    """Half as long and twice as long as it typically takes."""
    return round(typical_seconds / 2, 1), round(typical_seconds, 1), round(typical_seconds * 2, 1)


def composition(card: Card | None, *, seconds: float, takes_seconds: float) -> Part:
    """The part for composing so many seconds of film: free where there is no card. Raises NoPriceNoStart."""
    if card is None:
        return Part(label=COMPOSITION, model="", credits=0, seconds=takes_seconds)
    length = Decimal(str(round(seconds, 3)))
    try:
        result = pricing.price(card, PriceRequest(duration_seconds=length, default_duration_seconds=length))
    except NoPrice as error:
        raise NoPriceNoStart(field=COMPOSITION, reason=str(error)) from error
    return Part(
        label=COMPOSITION,
        model="",
        credits=result.total,
        seconds=takes_seconds,
        rate_card_ids=(card.id,),
        breakdown=tuple(result.breakdown()),
    )


def held_for(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """What one hold for these parts says of them."""
    return [{"label": part.label, "credits": part.credits, "factor": part.model or "free"} for part in parts]


def promise(kind: type[AnyPromise], owner: User, price: Price, now: datetime, **about: Any) -> AnyPromise:
    """Bind us to this price for `settings.QUOTE_VALID`. `about`: what it is the price of. One statement."""
    return kind._default_manager.create(
        owner=owner,
        parts=[part.to_json() for part in price.parts],
        credits=price.credits,
        expires_at=now + settings.QUOTE_VALID,
        **about,
    )


def agreed(
    kind: type[AnyPromise],
    owner: User,
    current: Price,
    now: datetime,
    *,
    quote_id: UUID | None,
    max_credits: int | None,
    different: Callable[[AnyPromise], Sequence[str]],
) -> Price:
    """The price that counts: the quote's, used up by this, or today's where it is at most `max_credits`.

    `different`: what is wanted now and is not what was quoted. Raises NotFound, QuoteExpired, QuoteUsed,
    QuoteMismatch, PriceChanged. In the caller's transaction.
    """
    if quote_id is None:
        quotes.check_limit(current.credits, max_credits)
        return current
    # What was to be used again and has expired since, or was for nothing and is no more, makes it another price.
    quote = quotes.use(
        kind, owner.pk, quote_id, now, lambda one: different(one) or _gone(_parts(one), current.parts)
    )
    return Price(parts=_parts(quote), eta_seconds=current.eta_seconds, quote_id=quote.id)


def _parts(quote: PromiseInParts) -> tuple[Part, ...]:
    return tuple(Part.from_json(part) for part in quote.parts)


def _gone(quoted: Sequence[Part], current: Sequence[Part]) -> list[str]:
    now = {part.label: part for part in current}
    return [
        part.label
        for part in quoted
        if (part.reuses is not None and now[part.label].reuses != part.reuses)
        or (part.waived and not now[part.label].waived)
    ]
