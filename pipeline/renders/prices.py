"""What a render costs, part by part: a part for each segment, each sound, and the composition.

A clip or a sound that was made before from the same recipe, and is still there, is listed at 0.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from accounts.models import User
from credits import pricing, rate_cards
from credits.errors import NoPrice
from credits.pricing import Card, PriceRequest
from generations.errors import NoPriceNoStart
from pipeline import prices, sounds
from pipeline.models import PlanVersion, Render, RenderQuote, RenderSegment
from pipeline.plans.film import Continuity, Film, Segment
from pipeline.plans.offers import Offers, starts_with_image
from pipeline.prices import COMPOSITION, Alternative, Part, Price
from pipeline.renders import takes
from pipeline.renders.pace import composing_seconds
from pipeline.renders.sounds import sounds_of

# The subject of a rate card that an operator may publish; without one composing is free.
COMPOSITION_CARD = "service/composition"


def price(
    owner: User,
    film: Film,
    offers: Offers,
    *,
    character_id: UUID | None,
    redo: Collection[str] = (),
) -> Price:
    """What rendering the film costs now; `redo`: segments whose clips are made anew though they are there.

    `character_id`: the picture that segments with the character begin with. Its models are among the offers. Raises
    NoPriceNoStart, NoSoundModel.
    """
    there = takes.reusable(owner, film, character_id, redo)
    parts = [_segment(one, film, offers, there.get(one.id)) for one in film.segments]
    parts += sounds.price(owner, sounds_of(film))
    parts.append(_composition(film, rate_cards.current([COMPOSITION_CARD]).get(COMPOSITION_CARD)))
    return Price(parts=tuple(parts), eta_seconds=_eta(film, parts))


def price_of_segments(
    film: Film, offers: Offers, names: Collection[str], *, for_nothing: Collection[str] = ()
) -> Price:
    """What making these segments anew costs now; composing again is free. Raises NoPriceNoStart.

    `for_nothing`: those whose clips were paid for and spoiled by us.
    """
    parts = [_segment(one, film, offers, None) for one in film.segments if one.id in names]
    parts = [_free(part) if part.label in for_nothing else part for part in parts]
    return Price(parts=tuple(parts), eta_seconds=_eta(film, [*parts, _composition(film, None)]))


def agreed(
    owner: User,
    version: PlanVersion,
    current: Price,
    now: datetime,
    *,
    quote_id: UUID | None,
    max_credits: int | None,
    redo: Collection[str] = (),
    render: Render | None = None,
) -> Price:
    """The price that counts for this version, these segments and this render. Raises as `pipeline.prices.agreed`."""

    def different(quote: RenderQuote) -> list[str]:
        wanted = {
            "version": (quote.version_id, version.id),
            "render": (quote.render_id, render.id if render is not None else None),
            "redo": (quote.redo, sorted(redo)),
        }
        return [name for name, (was, now_is) in wanted.items() if was != now_is]

    return prices.agreed(
        RenderQuote,
        owner,
        current,
        now,
        quote_id=quote_id,
        max_credits=max_credits,
        different=different,
    )


def _segment(one: Segment, film: Film, offers: Offers, there: RenderSegment | None) -> Part:
    if there is not None:
        return Part(label=one.id, model=one.model, credits=0, seconds=0, reuses=there.generation_id)
    offer = offers[one.model]
    try:
        result = pricing.price(
            offer.card,
            PriceRequest(
                duration_seconds=one.clip_seconds,
                default_duration_seconds=offer.model.default_duration,
                resolution=film.resolution,
                start_image=starts_with_image(one),
            ),
        )
    except NoPrice as error:
        raise NoPriceNoStart(field=f"segments.{one.id}.model", reason=str(error)) from error
    alternatives = []
    for name in one.alternatives:
        if name not in offers:
            continue
        credits = offers[name].credits(
            seconds=one.clip_seconds, resolution=film.resolution, start_image=starts_with_image(one)
        )
        if credits is not None:
            alternatives.append(Alternative(model=name, credits=credits))
    return Part(
        label=one.id,
        model=one.model,
        credits=result.total,
        seconds=offer.expected_seconds,
        rate_card_ids=(offer.card.id,),
        breakdown=tuple(result.breakdown()),
        alternatives=tuple(alternatives),
    )


def _free(part: Part) -> Part:
    line = {"label": "our fault", "credits": 0, "factor": "made again for nothing"}
    return replace(
        part,
        credits=0,
        waived=True,
        breakdown=(line,),
        alternatives=tuple(replace(other, credits=0) for other in part.alternatives),
    )


def _composition(film: Film, card: Card | None) -> Part:
    return prices.composition(card, seconds=film.seconds, takes_seconds=film.seconds * composing_seconds())


def _eta(film: Film, parts: Sequence[Part]) -> tuple[float, float, float]:
    """Clips and sounds are made side by side, those that need the one before after it; then all is composed."""
    seconds = {part.label: part.seconds for part in parts}
    ready = last = 0.0
    for one in film.segments:
        own = seconds.get(one.id, 0.0)
        ready = own + (ready if one.continuity == Continuity.PREVIOUS_FRAME else 0.0)
        last = max(last, ready)
    others = [value for label, value in seconds.items() if label not in film_labels(film)]
    typical = max([last, *others]) + seconds.get(COMPOSITION, 0.0)
    return prices.eta(typical)


def film_labels(film: Film) -> set[str]:
    """The labels of parts that are no sound."""
    return {COMPOSITION, *(one.id for one in film.segments)}
