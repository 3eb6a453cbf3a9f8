"""Which model makes a segment, and why: a pure function of what is asked and what is offered."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.plans.film import Preference
from pipeline.plans.offers import Offer, Offers
from providers.catalogue import ContentType
from providers.contract import Mode

ALTERNATIVES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each point counts; the sum is 1."""

    fit: float
    quality: float
    price: float
    speed: float
    success: float


WEIGHTS: Mapping[Preference, Weights] = MappingProxyType(
    {
        Preference.BALANCED: Weights(fit=0.30, quality=0.20, price=0.20, speed=0.10, success=0.20),
        Preference.QUALITY: Weights(fit=0.30, quality=0.45, price=0.03, speed=0.02, success=0.20),
        Preference.SPEED: Weights(fit=0.20, quality=0.05, price=0.10, speed=0.50, success=0.15),
        Preference.PRICE: Weights(fit=0.15, quality=0.05, price=0.60, speed=0.05, success=0.15),
    }
)
# A mark on the picture spoils a film: only where nothing else can make the segment.
WATERMARK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a segment asks of its model."""

    mode: Mode
    ratio: str
    resolution: str
    seconds: float
    """How much of the clip the film shows."""
    content_type: ContentType
    prompt_length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A model with the clip it makes, what that costs, and the reason, for people."""

    model: str
    clip_seconds: int
    credits: int
    score: float
    reason: str


class NoModel(Exception):
    """No model that is offered can make the segment; the text says what stands in the way."""


def choose(need: Need, offers: Offers, preference: Preference) -> tuple[Choice, ...]:
    """Those that can make it, the best first. Raises NoModel if there is none."""
    able = [
        (offer, length, credits)
        for offer in offers.values()
        if not _obstacle(need, offer)
        and (length := offer.clip_seconds(need.seconds, need.mode, need.resolution)) is not None
        and (
            credits := offer.credits(
                seconds=length, resolution=need.resolution, start_image=need.mode == Mode.IMAGE
            )
        )
        is not None
    ]
    if not able:
        raise NoModel(_obstacles(need, offers))
    cheapest = min(credits for _, _, credits in able)
    fastest = min(offer.expected_seconds for offer, _, _ in able)
    weights = WEIGHTS[preference]
    choices = []
    for offer, length, credits in able:
        points = {
            "fit": 1.0 if need.content_type in offer.model.strengths else 0.4,
            "quality": offer.model.quality / 5,
            "price": (cheapest + 1) / (credits + 1),
            "speed": (fastest + 1) / (offer.expected_seconds + 1),
            "success": offer.success_rate,
        }
        score = sum(getattr(weights, name) * value for name, value in points.items())
        if offer.model.watermark:
            score *= WATERMARK
        choices.append(
            Choice(
                model=offer.model.id,
                clip_seconds=length,
                credits=credits,
                score=round(score, 4),
                reason=_reason(need, offer, length, credits, preference, cheapest, fastest),
            )
        )
    # Equal scores: the cheaper, then by name, so that the same question has the same answer.
    return tuple(sorted(choices, key=lambda one: (-one.score, one.credits, one.model)))


def _obstacle(need: Need, offer: Offer) -> str:
    """Why it can't make the segment; "" if it can."""
    model = offer.model
    if not offer.healthy:
        return "it fails too often at the moment"
    if need.mode not in model.modes:
        return f"it has no mode “{need.mode}”"
    if need.ratio not in model.ratios:
        return f"it does not make {need.ratio}"
    if need.resolution not in model.resolutions:
        return f"it does not make {need.resolution}"
    if need.prompt_length > model.max_prompt_length:
        return f"it reads prompts of up to {model.max_prompt_length} characters"
    if offer.clip_seconds(need.seconds, need.mode, need.resolution) is None:
        return f"its clips are at most {max(model.durations_for(need.mode, need.resolution), default=0)} s"
    return ""


def _obstacles(need: Need, offers: Offers) -> str:
    if not offers:
        return "No model is available to this account at the moment."
    each = "; ".join(f"{name}: {_obstacle(need, offer) or 'no price'}" for name, offer in offers.items())
    return f"No model can make {need.seconds:g} s of {need.ratio} at {need.resolution}. {each}."


def _reason(
    need: Need,
    offer: Offer,
    length: int,
    credits: int,
    preference: Preference,
    cheapest: int,
    fastest: float,
) -> str:
    kind = need.content_type.replace("_", " ")
    reasons = [
        f"good at {kind}" if need.content_type in offer.model.strengths else f"can make {kind}",
        f"quality {offer.model.quality} of 5",
        f"{credits} credits for {length} s" + (", the cheapest" if credits == cheapest else ""),
        f"about {offer.expected_seconds:.0f} s to make"
        + (", the fastest" if offer.expected_seconds == fastest else ""),
        f"{offer.success_rate:.0%} of its clips succeed",
    ]
    if offer.model.watermark:
        reasons.append("puts its mark on the picture")
    return f"For {preference}: " + "; ".join(reasons) + "."
