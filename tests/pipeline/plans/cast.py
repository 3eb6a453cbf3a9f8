"""Models, offers and films to plan with, made of nothing but values."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from credits.pricing import Card
from pipeline.plans.film import Film, Segment
from pipeline.plans.offers import Offer
from pipeline.plans.validation import Inputs
from providers.catalogue import ContentType, PriceUnit, ProviderLimits, VideoModel
from providers.contract import Mode

EVERYTHING = frozenset({Mode.TEXT, Mode.IMAGE})
MODIFIERS = frozenset({"resolution", "duration", "images"})


def model(name: str, **fields: Any) -> VideoModel:
    values: dict[str, Any] = {
        "id": f"vendor/{name}",
        "provider": "vendor",
        "vendor_model": name,
        "name": name,
        "description": "",
        "modes": EVERYTHING,
        "default_duration": 5,
        "durations": (5, 10),
        "resolutions": ("720p", "1080p"),
        "ratios": ("9:16", "16:9"),
        "max_prompt_length": 2000,
        "strengths": frozenset(),
        "quality": 3,
        "price_unit": PriceUnit.CLIP,
        "expected_seconds": timedelta(seconds=60),
        "limits": ProviderLimits(concurrent=1, per_minute=1),
    }
    return VideoModel(**{**values, **fields})


def offer(
    name: str,
    *,
    credits: int = 100,
    seconds: float = 60,
    success: float = 1.0,
    healthy: bool = True,
    **fields: Any,
) -> Offer:
    one = model(name, **fields)
    return Offer(
        model=one,
        card=Card(id=1, subject=one.id, version=1, base_credits=credits, modifiers=MODIFIERS),
        expected_seconds=seconds,
        success_rate=success,
        healthy=healthy,
    )


def offers(*each: Offer) -> dict[str, Offer]:
    return {one.model.id: one for one in each}


EXACT = offers(
    offer("exact", durations=range(2, 16), strengths=frozenset({ContentType.LANDSCAPE})),
    offer("coarse", credits=60, durations=(5, 10), quality=2),
)


def segment(number: int, **fields: Any) -> Segment:
    values: dict[str, Any] = {
        "id": f"s{number}",
        "story": f"Scene {number}",
        "prompt": f"What is seen in {number}",
        "content_type": ContentType.OTHER,
        "seconds": 5.0,
        "clip_seconds": 5,
        "model": "vendor/exact",
    }
    return Segment.model_validate({**values, **fields})


def film(*segments: Segment, **fields: Any) -> Film:
    made: Sequence[Segment] = segments or [segment(1), segment(2), segment(3)]
    return Film.model_validate({"title": "Film", "segments": tuple(made), **fields})


NOTHING = Inputs()
