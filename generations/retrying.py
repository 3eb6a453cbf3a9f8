"""Trying again what failed or was cancelled: a new clip with the same recipe, at a new price, under a new hold."""

from uuid import UUID

from accounts.models import User
from generations.creation import Created, Wish, create, prepare
from generations.errors import NotFound, NotRetryable, RetriedAlready
from generations.models import Generation, GenerationStatus
from generations.requests import draft_of


def retry(
    owner: User, generation_id: UUID, *, max_credits: int | None = None, fallback: bool = True
) -> Created:
    """The clip again, in the caller's transaction. Raises NotFound, NotRetryable, RetriedAlready, and as `create`."""
    generation = (
        Generation.objects.select_for_update(of=("self",))
        .filter(id=generation_id, owner_id=owner.id, deleted_at__isnull=True)
        .first()
    )
    if generation is None:
        raise NotFound(what="generation")
    if generation.status not in (GenerationStatus.FAILED, GenerationStatus.CANCELLED):
        raise NotRetryable(status=generation.status)
    again = Generation.objects.filter(retry_of=generation).values_list("id", flat=True).first()
    if again is not None:
        raise RetriedAlready(generation_id=str(again))
    request, now = prepare(owner, draft_of(generation))
    return create(
        owner,
        request,
        now,
        Wish(
            project_id=generation.project_id,
            max_credits=max_credits,
            retry_of=generation,
            fallback=fallback,
        ),
    )
