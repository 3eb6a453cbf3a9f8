"""What a plan may choose from: models as they stand for one owner at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from credits.errors import NoPrice
from credits.pricing import Card, PriceRequest, price
from pipeline.plans.film import Film, Segment
from providers.catalogue import VideoModel
from providers.contract import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model with its price, its pace and its record."""

    model: VideoModel
    card: Card
    expected_seconds: float
    """From submission to the end of a render, typically."""
    success_rate: float = 1.0
    """Of its renders for this product's users, 0 to 1; 1 without any."""
    healthy: bool = True
    """False: it fails too often at the moment, or its vendor is stopped."""

    def clip_seconds(self, seconds: float, mode: Mode, resolution: str) -> int | None:
        """The shortest such clip it makes that shows so many seconds; None if none is long enough."""
        lengths = self.model.durations_for(mode, resolution)
        return next((length for length in lengths if length >= seconds - 1e-6), None)

    def credits(self, *, seconds: int, resolution: str, start_image: bool) -> int | None:
        """What such a clip costs; None where the card has no price for it."""
        try:
            return price(
                self.card,
                PriceRequest(
                    duration_seconds=seconds,
                    default_duration_seconds=self.model.default_duration,
                    resolution=resolution,
                    start_image=start_image,
                ),
            ).total
        except NoPrice:
            return None


Offers = Mapping[str, Offer]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPart:
    """One line of a plan's price: credits, and how long it takes to make, in seconds."""

    label: str
    credits: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPrice:
    """What a plan costs: the sum of its parts; a part that costs nothing is listed at 0."""

    credits: int
    parts: Sequence[PlanPart]
    eta_seconds: float
    """Until the last clip is there: clips are made side by side, those that need the one before after it."""


# What composing a second of film takes, until it has a history of its own.
COMPOSING = 1.5


def starts_with_image(segment: Segment) -> bool:
    """Whether its model is given a picture to begin with."""
    return segment.character or segment.continuity != "cut"


def mode_of(segment: Segment) -> Mode:
    return Mode.IMAGE if starts_with_image(segment) else Mode.TEXT


def priced(
    film: Film, offers: Offers, only: frozenset[str] | None = None, *, sound_credits: int = 0
) -> PlanPrice:
    """The price and time of a film whose models are all among the offers; `only`: of these parts alone.

    Parts are segment ids, "audio", which costs `sound_credits`, and "post". Raises KeyError for a model that is not
    offered.
    """
    parts, ready, last = [], 0.0, 0.0
    for one in film.segments:
        if only is not None and one.id not in only:
            ready = 0.0
            continue
        offer = offers[one.model]
        credits = offer.credits(
            seconds=one.clip_seconds, resolution=film.resolution, start_image=starts_with_image(one)
        )
        if credits is None:
            raise KeyError(one.model)
        ready = offer.expected_seconds + (ready if one.continuity == "previous_frame" else 0.0)
        last = max(last, ready)
        parts.append(PlanPart(label=one.id, credits=credits, seconds=round(offer.expected_seconds, 1)))
    for label, credits, seconds in (("audio", sound_credits, 0.0), ("post", 0, film.seconds * COMPOSING)):
        if only is None or label in only:
            parts.append(PlanPart(label=label, credits=credits, seconds=round(seconds, 1)))
            last += seconds
    return PlanPrice(
        credits=sum(part.credits for part in parts), parts=tuple(parts), eta_seconds=round(last, 1)
    )
