"""Prices: what a request costs, and promises that bind until they expire."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from accounts.models import User
from credits import pricing, rate_cards
from credits.errors import NoPrice
from credits.pricing import Card, PriceRequest
from generations.errors import (
    NoPriceNoStart,
    NotFound,
    PriceChanged,
    QuoteExpired,
    QuoteMismatch,
    QuoteUsed,
)
from generations.models import Promise, Quote
from generations.requests import GenerationRequest
from providers.catalogue import MODELS
from workers.clock import AppNow

AnyPromise = TypeVar("AnyPromise", bound=Promise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A request and its price: what a hold is taken for."""

    request: GenerationRequest
    credits: int
    breakdown: list[dict[str, Any]]
    rate_card_ids: list[int]
    quote_id: UUID | None = None


def price(request: GenerationRequest, cards: dict[str, Card] | None = None) -> Priced:
    """The request at the current rate card. One statement, none if `cards` is given. Raises NoPriceNoStart."""
    if cards is None:
        cards = rate_cards.current([request.model])
    card = cards.get(request.model)
    if card is None:
        raise NoPriceNoStart(field="model", reason=f"{request.model} has no rate card")
    model = MODELS[request.model]
    try:
        result = pricing.price(
            card,
            PriceRequest(
                duration_seconds=request.duration_seconds,
                default_duration_seconds=model.default_duration,
                resolution=request.resolution,
                start_image=request.start_image is not None,
                end_image=request.end_image is not None,
                audio=request.audio,
                enhance=request.enhance,
                style=request.style or None,
            ),
        )
    except NoPrice as error:
        raise NoPriceNoStart(field="resolution", reason=str(error)) from error
    return Priced(
        request=request,
        credits=result.total,
        breakdown=result.breakdown(),
        rate_card_ids=[card.id],
    )


def promise(owner: User, priced: Priced, now: datetime) -> Quote:
    """Bind us to this price for `settings.QUOTE_VALID`. One statement."""
    return Quote.objects.create(
        owner=owner,
        model=priced.request.model,
        request=priced.request.canonical(),
        credits=priced.credits,
        breakdown=priced.breakdown,
        rate_cards=priced.rate_card_ids,
        expires_at=now + settings.QUOTE_VALID,
    )


def redeem(owner_id: UUID, quote_id: UUID, request: GenerationRequest, now: datetime) -> Priced:
    """Use the quote, once, for the request it was made for. Raises as `use`. Two statements."""
    wanted = request.canonical()
    quote = use(
        Quote,
        owner_id,
        quote_id,
        now,
        lambda quote: sorted(name for name in wanted if wanted[name] != quote.request.get(name)),
    )
    return Priced(
        request=request,
        credits=quote.credits,
        breakdown=quote.breakdown,
        rate_card_ids=quote.rate_cards,
        quote_id=quote.id,
    )


def use(
    kind: type[AnyPromise],
    owner_id: UUID,
    quote_id: UUID,
    now: datetime,
    different: Callable[[AnyPromise], Sequence[str]],
) -> AnyPromise:
    """The owner's quote, used up by this. Two statements, in the caller's transaction.

    `different`: in which fields what is wanted now is not what was promised. Raises NotFound, QuoteExpired,
    QuoteUsed, or QuoteMismatch, which names those fields.
    """
    rows = kind._default_manager.filter(id=quote_id)
    quote = rows.filter(owner_id=owner_id).first()
    if quote is None:
        raise NotFound(what="quote", field="quote_id")
    if quote.expires_at <= now:
        raise QuoteExpired(field="quote_id", expires_at=quote.expires_at.isoformat())
    if fields := different(quote):
        raise QuoteMismatch(field="quote_id", fields=", ".join(fields))
    if not rows.filter(used_at__isnull=True).update(used_at=AppNow()):
        raise QuoteUsed(field="quote_id")
    return quote


def check_limit(credits: int, max_credits: int | None) -> None:
    """Raises PriceChanged where today's price is above the most that it may be."""
    if max_credits is not None and credits > max_credits:
        raise PriceChanged(field="max_credits", credits=credits, max_credits=max_credits)


def forget_old(kind: type[Promise] = Quote) -> int:
    """Drop quotes that lapsed unused and are past their retention; how many."""
    deleted, _ = kind._default_manager.filter(
        used_at__isnull=True, expires_at__lt=AppNow() - settings.QUOTES_KEPT
    ).delete()
    return deleted
