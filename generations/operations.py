"""What an operator may do about a clip that is stuck, unknown or was lost; each names why in the admin's log.

Each runs in the caller's transaction and ends, or moves, the clip's job under its lock: a worker that still
believes to hold it finds that its claim no longer counts.
"""

from uuid import UUID

from generations import assets, attempts, encryption, late_results, transitions
from generations.errors import AlreadyEnded, NotFound, NotSubmitted, WorkerBusy
from generations.kinds import GENERATION, LATE_RESULT, delivering
from generations.models import Attempt, Generation
from generations.stages.late import delivering_late, is_wanted
from workers import jobs
from workers.jobs import Standing, announce
from workers.models import JobState

RELEASED = "released_by_operator"


def release(generation_id: UUID) -> Generation:
    """Give a clip up: failed, every credit back. If it was submitted, a late result is still looked for.

    Raises NotFound, AlreadyEnded, or WorkerBusy while a worker is at it.
    """
    standing = _standing(generation_id, GENERATION)
    generation = _get(generation_id)
    if generation.ended_at is not None:
        raise AlreadyEnded(status=generation.status)
    attempt = attempts.latest([generation_id]).get(generation_id)
    if attempt is not None:
        # The vendor may have it and may still make it.
        attempts.mark_unknown(attempt)
    if standing is not None:
        jobs.end(standing, JobState.FAILED, RELEASED)
    change = transitions.fail(
        generation, code=RELEASED, message="We gave it up for you. You were not charged.", retryable=True
    )
    assets.unpin(generation.input_ids)
    announce([change] if change else [])
    generation.refresh_from_db()
    return generation


def give_result(generation_id: UUID, url: str) -> Generation:
    """Deliver a clip's result from where the operator says that it is, as any other result.

    An open clip is charged once that is delivered; a failed one is delivered late, for nothing. An address
    that leads to no video is dropped, and the clip goes on as it was. Raises
    NotFound, NotSubmitted, AlreadyEnded, or WorkerBusy while a worker is at it.
    """
    standing, looking = _standing(generation_id, GENERATION), _standing(generation_id, LATE_RESULT)
    generation = _get(generation_id)
    attempt = attempts.latest([generation_id]).get(generation_id)
    if attempt is None:
        raise NotSubmitted
    if generation.ended_at is not None and not is_wanted(generation):
        raise AlreadyEnded(status=generation.status)
    Attempt.objects.filter(id=attempt.id).update(given_url=encryption.encrypt(url), failed_calls=0)
    if generation.ended_at is None:
        assert standing is not None, "an open clip has an open job"
        jobs.move(standing, kind=GENERATION, stage=delivering(examined=generation.examined))
        announce(transitions.start([generation]))
    elif looking is not None:
        jobs.move(looking, kind=LATE_RESULT, stage=delivering_late(generation))
    else:
        late_results.expect(generation)
    return generation


def _get(generation_id: UUID) -> Generation:
    generation = Generation.objects.filter(id=generation_id).first()
    if generation is None:
        raise NotFound(what="generation")
    return generation


def _standing(generation_id: UUID, kind: str) -> Standing | None:
    """The clip's open job of this kind, locked. Raises WorkerBusy."""
    standing = jobs.lock(kind=kind, subject_id=generation_id)
    if standing is not None and standing.claimed:
        raise WorkerBusy
    return standing
