"""Looking again for results whose clip failed: of unknown outcome, or known and not brought home."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from generations.kinds import LATE_RESULT
from generations.models import Attempt, AttemptState, Generation, GenerationStatus
from generations.models.generations import UNDELIVERED
from providers import registry
from providers.vendors import VIDEO_PROVIDERS
from workers import jobs
from workers.clock import AppNow
from workers.models import Job

# How long after the attempt a result may still come.
LOOKED_FOR = timedelta(days=2)
BATCH = 200
# How often for one that could not be brought home.
MOST_LOOKS = 3


def expect(generation: Generation) -> bool:
    """Have a worker look for this clip's late result; False if one looks already. In the caller's transaction."""
    try:
        with transaction.atomic():
            jobs.enqueue(kind=LATE_RESULT, subject_id=generation.id, owner_id=generation.owner_id)
    except IntegrityError:
        return False
    return True


def look_again() -> int:
    """Enqueue a look for the last two days' failed clips whose result may come, or is there; how many.

    Of each kind at most `BATCH`, those not looked for longest first.
    """
    return _look_for_unknown() + _look_for_undelivered()


def _look_for_undelivered() -> int:
    """What a vendor has made and we could not bring home, a few times: it may be what kills the workers."""
    looks = Job.objects.filter(kind=LATE_RESULT, subject_id=OuterRef("id")).order_by()
    undelivered = (
        Generation.objects.filter(
            status=GenerationStatus.FAILED,
            error_code__in=UNDELIVERED,
            ended_at__gt=AppNow() - LOOKED_FOR,
            deleted_at__isnull=True,
            retried_by__isnull=True,
        )
        .annotate(
            looks=Coalesce(Subquery(looks.values("subject_id").annotate(n=Count("id")).values("n")), Value(0))
        )
        .filter(looks__lt=MOST_LOOKS)
        .order_by("looks", "ended_at")[:BATCH]
    )
    with transaction.atomic():
        return sum(expect(generation) for generation in undelivered)


def _without_look_up() -> list[str]:
    return [name for name in VIDEO_PROVIDERS if not registry.kind(name).offers("find")]


def _look_for_unknown() -> int:
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
        # Nobody can be asked for what has no id, at a vendor that looks nothing up: its own call would tell.
        .exclude(external_id__isnull=True, provider__in=_without_look_up())
        .select_related("generation")
        .annotate(looked_at=Subquery(looked_at.values("created_at")[:1]))
        .order_by(F("looked_at").asc(nulls_first=True), "created_at")[:BATCH]
    )
    with transaction.atomic():
        return sum(expect(attempt.generation) for attempt in unknown)
