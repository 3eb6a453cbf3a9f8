"""Looking again for results whose outcome was unknown when their clip failed."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Subquery

from generations.kinds import LATE_RESULT
from generations.models import Attempt, AttemptState, Generation, GenerationStatus
from workers import jobs
from workers.clock import AppNow
from workers.models import Job

# How long after the attempt a result may still come.
LOOKED_FOR = timedelta(days=2)
BATCH = 200


def expect(generation: Generation) -> bool:
    """Have a worker look for this clip's late result; False if one looks already. In the caller's transaction."""
    try:
        with transaction.atomic():
            jobs.enqueue(kind=LATE_RESULT, subject_id=generation.id, owner_id=generation.owner_id)
    except IntegrityError:
        return False
    return True


def look_again() -> int:
    """Enqueue a look for unknown attempts of the last two days whose clip failed, those not looked for longest first.

    At most `BATCH`; how many.
    """
    looked_at = Job.objects.filter(kind=LATE_RESULT, subject_id=OuterRef("generation_id")).order_by(
        "-created_at"
    )
    unknown = (
        Attempt.objects.filter(
            state=AttemptState.UNKNOWN,
            created_at__gt=AppNow() - LOOKED_FOR,
            generation__status=GenerationStatus.FAILED,
            generation__deleted_at__isnull=True,
            generation__retried_by__isnull=True,
        )
        .select_related("generation")
        .annotate(looked_at=Subquery(looked_at.values("created_at")[:1]))
        .order_by(F("looked_at").asc(nulls_first=True), "created_at")[:BATCH]
    )
    with transaction.atomic():
        return sum(expect(attempt.generation) for attempt in unknown)
