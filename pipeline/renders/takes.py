"""Clips that were made before from the same recipe, and are still there."""

from collections.abc import Collection
from uuid import UUID

from accounts.models import User
from generations.models import AssetState, Generation, GenerationStatus
from pipeline.models import RenderSegment, SegmentState
from pipeline.plans.film import Continuity, Film, digests
from pipeline.sounds import LEAST_LEFT
from workers import clock

# Of takes with one digest: a project rarely has more.
MOST_TAKES = 200


def reusable(
    owner: User, film: Film, character_id: UUID | None, redo: Collection[str] = ()
) -> dict[str, RenderSegment]:
    """By segment: the newest take of the owner with the same digest whose clip can still be read.

    One that begins with the character's picture began with this one; one that begins with the last frame of the
    segment before is used again only together with the take that it was made after. Two statements, by index, of the
    owner's own.
    """
    wanted = digests(film)
    rows = list(
        RenderSegment.objects.filter(
            digest__in=[wanted[one.id] for one in film.segments],
            render__owner=owner,
            state=SegmentState.COMPLETED,
            reused=False,
        ).order_by("-created_at")[:MOST_TAKES]
    )
    there = _readable(owner, {row.generation_id for row in rows})
    found: dict[str, RenderSegment] = {}
    before: RenderSegment | None = None
    for one in film.segments:
        takes = [
            row
            for row in rows
            if row.digest == wanted[one.id] and row.generation_id in there and one.id not in redo
        ]
        if one.continuity == Continuity.PREVIOUS_FRAME:
            takes = [row for row in takes if before is not None and row.after_id == before.generation_id]
        elif one.character:
            takes = [row for row in takes if there[row.generation_id] == character_id]
        take = takes[0] if takes else None
        if take is not None:
            found[one.id] = take
        before = take
    return found


def _readable(owner: User, ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """Of these clips of the owner, those whose video will be there for a while, with their start images."""
    rows = Generation.objects.filter(
        id__in=list(ids),
        owner=owner,
        status=GenerationStatus.COMPLETED,
        deleted_at__isnull=True,
        output__state=AssetState.READY,
        output__linked_url__isnull=True,
        output__expires_at__gt=clock.now() + LEAST_LEFT,
    )
    return dict(rows.values_list("id", "start_image_id"))
