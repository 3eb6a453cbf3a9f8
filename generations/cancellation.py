"""Cancelling a clip: what can be undone depends on how far it is."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from accounts.events.log import EventEntry, append
from generations import assets, attempts, transitions
from generations.errors import AlreadyEnded, NotFound
from generations.kinds import GENERATION
from generations.models import Generation, GenerationStatus
from workers import jobs
from workers.jobs import announce
from workers.models import JobState


class CancelResult(StrEnum):
    REMOVED = "removed"
    """It had not been submitted: it is cancelled, and every credit is back."""
    ASKED = "asked"
    """The provider is being asked; its word decides whether it is cancelled or completes."""
    TOO_LATE = "too_late"
    """The provider has finished: the video is on its way and will be charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    generation: Generation
    result: CancelResult


def cancel(owner_id: UUID, generation_id: UUID) -> Cancelled:
    """Cancel, in the caller's transaction; again is the same answer. Raises NotFound or AlreadyEnded."""
    if not Generation.objects.filter(id=generation_id, owner_id=owner_id, deleted_at__isnull=True).exists():
        raise NotFound(what="generation")
    standing = jobs.lock(kind=GENERATION, subject_id=generation_id)
    generation = Generation.objects.get(id=generation_id)
    if generation.status == GenerationStatus.CANCELLED:
        return Cancelled(generation=generation, result=CancelResult.REMOVED)
    if standing is None or generation.ended_at is not None:
        raise AlreadyEnded(status=generation.status)
    if standing.stage == "deliver":
        return Cancelled(generation=generation, result=CancelResult.TOO_LATE)
    attempt = attempts.latest([generation_id]).get(generation_id)
    if standing.claimed or (attempt is not None and attempt.state in attempts.OPEN):
        jobs.request_cancel(standing)
        append(
            [
                EventEntry(
                    owner_id=owner_id, kind="generation.cancel_requested", subject_id=generation_id, data={}
                )
            ]
        )
        return Cancelled(generation=generation, result=CancelResult.ASKED)
    jobs.end(standing, JobState.CANCELLED)
    change = transitions.cancel(generation)
    assets.unpin(generation.input_ids)
    generation.refresh_from_db()
    announce([change] if change else [])
    return Cancelled(generation=generation, result=CancelResult.REMOVED)
