"""Going on with another model, inside the hold, where one has proved that it won't make the clip."""

from dataclasses import fields, replace
from datetime import datetime
from typing import TypedDict

from django.conf import settings
from django.db.models import Q

from accounts.tiers import Tier, tier_of
from credits import rate_cards
from generations import quotes
from generations.models import Generation, ModelSwitch
from generations.requests import Draft, GenerationRequest, complete, draft_of, find_model
from providers import registry
from providers.catalogue import MODELS, VideoModel
from providers.contract import Mode
from providers.errors import FailureCode
from workers.errors import DomainError
from workers.jobs import Change

# How many models a clip is asked of besides its own.
MOST_ALTERNATIVES = 3


class Alternative(TypedDict):
    """A model to ask in another's place, and what the clip costs if this one delivers it, as priced beforehand."""

    model: str
    credits: int


def alternatives(request: GenerationRequest, credits: int, tier: Tier, now: datetime) -> list[Alternative]:
    """The models that may make the clip in this one's place, in the order in which they are asked.

    Each takes all that was asked for, makes pictures of no less quality, carries no mark that this one doesn't, and
    costs at most `credits` at today's rate card. Those of other vendors come first, then the cheaper. None for a request
    with controls: they are one model's own words. Two statements, none where no model comes into question.
    """
    asked = MODELS[request.model]
    able = [
        model
        for model in MODELS.values()
        if not request.controls
        and _equals(model, asked)
        and _takes(model, request, tier, now)
        # What such a source costs was only held against the asking model's own way of counting.
        and (request.mode != Mode.VIDEO or asked.source_sets_length or not model.source_sets_length)
    ]
    if not able:
        return []
    off = set(
        ModelSwitch.objects.filter(model__in=[model.id for model in able])
        .exclude(Q(enabled=True) & (Q(retires_at__isnull=True) | Q(retires_at__gt=now)))
        .values_list("model", flat=True)
    )
    cards = rate_cards.current([model.id for model in able])
    priced: list[tuple[bool, int, str]] = []
    for model in able:
        if model.id in off or model.id not in cards:
            continue
        try:
            price = quotes.price(replace(request, model=model.id), cards).credits
        except DomainError:
            continue
        if price <= credits:
            priced.append((model.provider == asked.provider, price, model.id))
    return [Alternative(model=model, credits=price) for _, price, model in sorted(priced)[:MOST_ALTERNATIVES]]


def _equals(model: VideoModel, asked: VideoModel) -> bool:
    """Whether it is no worse than the model that was asked for, and of its kind."""
    return (
        model.id != asked.id
        and model.quality >= asked.quality
        and model.pretends == asked.pretends
        and (asked.watermark or not model.watermark)
        and (model.spoken_characters_per_second is None) == (asked.spoken_characters_per_second is None)
        and registry.configured(model.provider)
    )


def _takes(model: VideoModel, request: GenerationRequest, tier: Tier, now: datetime) -> bool:
    """Whether it takes the whole request as it stands."""
    draft = Draft(
        **{field.name: getattr(request, field.name) for field in fields(Draft)} | {"model": model.id}
    )
    try:
        complete(
            draft, find_model(model.id, at=now), tier, resolution=request.resolution, ratio=request.ratio
        )
    except DomainError:
        return False
    return True


def fall_back(generation: Generation, *, code: str, now: datetime) -> Change | None:
    """Have the clip's next alternative that can still be asked make it; None where there is none.

    In the transaction that proves the failure `code` of the model before it, which has locked the job. The clip's
    controls are left behind: they are one model's own words. Three statements, none where there are no alternatives.
    """
    if not generation.alternatives:
        return None
    if code == FailureCode.MODERATED and not settings.FALLBACK_AFTER_MODERATION:
        return None
    tier = tier_of(generation.owner)
    switches = ModelSwitch.objects.in_bulk([one["model"] for one in generation.alternatives])
    for position, one in enumerate(generation.alternatives):
        model = _askable(generation, one["model"], switches.get(one["model"]), tier, now)
        if model is None:
            continue
        Generation.objects.filter(id=generation.id).update(
            model=model.id,
            provider=model.provider,
            credits_priced=one["credits"],
            alternatives=generation.alternatives[position + 1 :],
            controls={},
        )
        left_behind = {"controls": generation.controls} if generation.controls else {}
        return Change(
            owner_id=generation.owner_id,
            kind="generation.fallback",
            subject_id=generation.id,
            data={"from": generation.model, "to": model.id, "reason": code, **left_behind},
        )
    return None


def _askable(
    generation: Generation, model_id: str, switch: ModelSwitch | None, tier: Tier, now: datetime
) -> VideoModel | None:
    """The model, if it is offered at this time and takes all that was asked for but the controls."""
    if switch is not None and not switch.enabled:
        return None
    draft = replace(draft_of(generation), model=model_id, controls={})
    try:
        model = find_model(model_id, at=now, retires_at=switch.retires_at if switch is not None else None)
        complete(draft, model, tier, resolution=generation.resolution, ratio=generation.ratio)
    except DomainError:
        return None
    return model if registry.configured(model.provider) else None
