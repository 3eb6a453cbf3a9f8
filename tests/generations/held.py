"""Clips as a film has them made: under holds of a group that was taken before them."""

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from accounts.events.log import events_of
from accounts.models import User
from credits import ledger
from generations import creation, quotes
from generations.creation import create_held
from generations.fallback import Alternative
from generations.models import Attempt, Generation, Project
from generations.requests import Draft
from workers.jobs import announce

FIRST, SECOND = "sandbox/motion-1", "sandbox/motion-fast"


def alternative(model: str = SECOND, credits: int = 1) -> Alternative:
    return {"model": model, "credits": credits}


def held_clip(
    owner: User,
    *alternatives: Alternative,
    hold: int | None = None,
    examined: bool = False,
    **controls: Any,
) -> UUID:
    """A clip of the first model, whose vendor does what `controls` say; `hold`: other than its price."""
    draft = Draft(
        model=FIRST,
        prompt="A paper boat",
        resolution="720p",
        ratio="16:9",
        duration_seconds=2,
        controls={"seconds": 0, **controls},
    )
    generation_id = uuid4()
    with transaction.atomic():
        project = Project.objects.create(owner=owner, title="A film")
        request, now = creation.prepare(owner, draft)
        priced = quotes.price(request)
        group = ledger.hold_group(
            owner_id=owner.pk,
            key=f"render:{generation_id}",
            parts=[
                ledger.HoldPart(
                    amount=priced.credits if hold is None else hold,
                    subject_id=generation_id,
                    rate_card_ids=priced.rate_card_ids,
                )
            ],
        )
        created = create_held(
            owner,
            request,
            now,
            generation_id=generation_id,
            hold_id=group.hold_ids[0],
            priced=priced,
            project_id=project.id,
            alternatives=alternatives,
            examined=examined,
        )
        announce([created])
    return generation_id


def tries(generation_id: UUID) -> list[tuple[str, str, str]]:
    """Each attempt's model, state and failure, in their order."""
    rows = Attempt.objects.filter(generation_id=generation_id).order_by("number")
    return list(rows.values_list("model", "state", "failure_code"))


def switches(generation: Generation) -> list[dict[str, Any]]:
    """What the log says of its changes of model."""
    events = events_of(generation.owner_id, subject_id=generation.id)
    return [dict(event.data) for event in events if event.kind == "generation.fallback"]
