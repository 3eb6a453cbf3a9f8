"""Cancelling a clip: what can be undone depends on how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from accounts.events.log import EventEntry, append
from generations import assets, attempts, transitions
from generations.errors import AlreadyEnded, NotFound
from generations.kinds import DELIVERING, GENERATION
from generations.models import Generation, GenerationStatus
from workers import jobs
from workers.jobs import Change, announce
from workers.models import JobState


class CancelResult(StrEnum):
    REMOVED = "removed"
    """It had not been submitted: it is cancelled, and every credit is back."""
    ASKED = "asked"
    """The provider is being asked; its word decides whether it is cancelled or completes."""
    TOO_LATE = "too_late"
    """The provider has finished: the video is on its way and will be charged, unless it does not pass examination."""


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
    if standing.stage in DELIVERING:
        if generation.examined:
            # A video that does not pass is not made again.
            jobs.request_cancel(standing)
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


def stop_all(generation_ids: Sequence[UUID]) -> list[Change]:
    """Stop these clips for the work that they were made for, as `cancel` does; the changes to announce.

    All their jobs are locked before anything is written, in the order of the jobs' ids.
    """
    standings = jobs.lock_all([(GENERATION, generation_id) for generation_id in generation_ids])
    latest = attempts.latest(generation_ids)
    generations = Generation.objects.in_bulk([generation_id for _, generation_id in standings])
    changes: list[Change] = []
    for (_, generation_id), standing in standings.items():
        generation, attempt = generations[generation_id], latest.get(generation_id)
        if standing.cancel_requested or generation.ended_at is not None:
            continue
        if standing.stage in DELIVERING and not generation.examined:
            continue
        if standing.claimed or (attempt is not None and attempt.state in attempts.OPEN):
            jobs.request_cancel(standing)
            continue
        jobs.end(standing, JobState.CANCELLED)
        change = transitions.cancel(generation)
        assets.unpin(generation.input_ids)
        changes += [change] if change else []
    return changes
