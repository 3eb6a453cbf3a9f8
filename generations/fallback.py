"""Going on with another model, inside the hold, where one has proved that it won't make the clip."""

from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from django.conf import settings

from accounts.tiers import Tier, tier_of
from generations.models import Generation, ModelSwitch
from generations.requests import complete, draft_of, find_model
from providers import registry
from providers.catalogue import VideoModel
from providers.errors import FailureCode
from workers.errors import DomainError
from workers.jobs import Change


class Alternative(TypedDict):
    """A model to ask in another's place, and what the clip costs if this one delivers it, as priced beforehand."""

    model: str
    credits: int


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
