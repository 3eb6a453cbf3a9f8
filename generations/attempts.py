"""Facts about attempts: recorded whoever learned them, set once, never taken back but by `reject`."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q, Subquery

from generations.models import Asset, Attempt, AttemptState, Generation
from providers.contract import Cost
from providers.errors import FailureCode, ProviderError, RenderFailed, RequestRefused
from workers.clock import AppNow

logger = logging.getLogger(__name__)

# The code of an attempt that a look-up has proved absent: another was submitted in its place.
NOT_ACCEPTED = "not_accepted"
OPEN = (AttemptState.INTENDED, AttemptState.SUBMITTED, AttemptState.RUNNING, AttemptState.UNKNOWN)

# The first id stays; a second, different one is kept beside it.
_EXTERNAL_ID = """
UPDATE generations_attempt SET
    external_id = coalesce(external_id, %(external_id)s),
    submitted_at = coalesce(submitted_at, app_now()),
    other_external_ids = CASE
        WHEN external_id IS NULL OR external_id = %(external_id)s OR %(external_id)s = ANY(other_external_ids)
        THEN other_external_ids ELSE other_external_ids || %(external_id)s::varchar END
WHERE id = %(id)s AND NOT EXISTS (
    SELECT 1 FROM generations_attempt other WHERE other.provider = generations_attempt.provider
        AND other.external_id = %(external_id)s AND other.id <> generations_attempt.id)
RETURNING external_id, failure_code
"""


def record_external_id(attempt_id: UUID, external_id: str) -> bool:
    """The vendor knows this attempt by this id. A second id means a second, paid job: alarmed.

    False, and nothing is written, where the id is another attempt's already: a look-up by what was asked for may see it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXTERNAL_ID, {"id": attempt_id, "external_id": external_id})
        row = cursor.fetchone()
    if row is not None and row[1] == NOT_ACCEPTED:
        logger.error(
            "attempt %s was taken as never accepted, and the vendor knows it as %s",
            attempt_id,
            external_id,
            extra={"alarm": "two_jobs"},
        )
    if row is not None and row[0] != external_id:
        logger.error(
            "attempt %s has two vendor jobs: %s and %s",
            attempt_id,
            row[0],
            external_id,
            extra={"alarm": "two_jobs"},
        )
    return row is not None


def record_cost(attempt: Attempt, cost: Cost | None) -> None:
    """What the vendor charges for it; the first word counts."""
    if cost is not None and attempt.cost_amount is None:
        Attempt.objects.filter(id=attempt.id, cost_amount__isnull=True).update(
            cost_amount=cost.amount, cost_currency=cost.currency
        )


def latest(generation_ids: Iterable[UUID]) -> dict[UUID, Attempt]:
    """The newest attempt of each generation, with the generation loaded. One statement."""
    found = (
        Attempt.objects.filter(generation_id__in=list(generation_ids))
        .select_related("generation")
        .order_by("generation_id", "-number")
        .distinct("generation_id")
    )
    return {attempt.generation_id: attempt for attempt in found}


def move(attempt: Attempt, state: AttemptState, **fields: object) -> None:
    """Change an attempt that is still open; an end is final."""
    if state not in OPEN:
        fields["ended_at"] = AppNow()
    if Attempt.objects.filter(id=attempt.id, state__in=OPEN).update(state=state, **fields):
        attempt.state = state


def record_failure(attempt: Attempt, error: ProviderError) -> None:
    """The attempt failed: proven by the vendor's word, or because nothing was sent."""
    move(
        attempt,
        AttemptState.FAILED,
        failure_code=code_of(error),
        failure_message=str(error)[:500],
        failure_retryable=error.retryable,
    )


def reject(attempt: Attempt, *, reason: str, figures: Mapping[str, Any], picture: Asset | None) -> None:
    """The vendor said that it succeeded, and what it delivered did not pass its examination: it failed.

    The only correction of an end that there is. What the vendor's work cost stays.
    """
    if Attempt.objects.filter(id=attempt.id, state=AttemptState.SUCCEEDED).update(
        state=AttemptState.FAILED,
        failure_code=FailureCode.QUALITY,
        failure_message=reason[:500],
        failure_retryable=True,
        figures=dict(figures),
        picture=picture,
    ):
        attempt.state = AttemptState.FAILED


def code_of(error: ProviderError) -> str:
    """The machine word for a provider's error."""
    if isinstance(error, RequestRefused | RenderFailed):
        return error.code.value
    return _CODES.get(type(error).__name__, "provider_error")


_CODES = {
    "NotSent": "provider_unreachable",
    "RateLimited": "rate_limited",
    "CredentialsRefused": "provider_unavailable",
    "BalanceUsedUp": "provider_unavailable",
    "NotConfigured": "provider_unavailable",
    "UnsupportedFeature": "unsupported",
    "OutcomeUnknown": "outcome_unknown",
    "JobNotFound": "job_lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A submission to be made: by which account, and what the vendor will charge for it, in USD."""

    generation: Generation
    number: int
    fence: int
    account: str
    cost_expected: Decimal | None


def intend(intents: Sequence[Intent]) -> list[Attempt]:
    """Write the intents to submit before any call. One statement."""
    return Attempt.objects.bulk_create(
        [
            Attempt(
                generation=one.generation,
                number=one.number,
                provider=one.generation.provider,
                model=one.generation.model,
                account=one.account,
                cost_expected=one.cost_expected,
                fence=one.fence,
            )
            for one in intents
        ]
    )


def mark_unknown(attempt: Attempt) -> None:
    """The vendor may have it: to be found out until `reconcile_by`."""
    move(attempt, AttemptState.UNKNOWN, reconcile_by=AppNow() + settings.RECONCILE_WITHIN)


# Attempts that a clip's wait for its vendor is looked for in: more than any wait takes.
LONGEST_RUN = 1_000
RETRY_WAITS = (timedelta(seconds=5),)


def at_its_model(attempt: Attempt) -> tuple[int, datetime]:
    """How many attempts the clip has had at this one's model, and when the first was made. At most one statement."""
    if attempt.number == 1:
        return 1, attempt.created_at
    found = Attempt.objects.filter(generation_id=attempt.generation_id, model=attempt.model).aggregate(
        number=Count("id"), first=Min("created_at")
    )
    return found["number"], found["first"]


def failing_since(attempt: Attempt) -> datetime:
    """When the unbroken run of failures began that this one, just recorded, is the last of. One statement."""
    began = attempt.created_at
    before = (
        Attempt.objects.filter(generation_id=attempt.generation_id, number__lt=attempt.number)
        .order_by("-number")
        .values_list("model", "failure_code", "created_at")
    )
    code = Attempt.objects.filter(id=attempt.id).values("failure_code")[:1]
    for model, same, created_at in before.annotate(same=Q(failure_code=Subquery(code))).values_list(
        "model", "same", "created_at"
    )[:LONGEST_RUN]:
        if model != attempt.model or not same:
            break
        began = created_at
    return began


def retry_after_failure(error: ProviderError, attempts: int) -> timedelta | None:
    """How long to wait before the next attempt after a proven failure; None: no more. Within the same hold.

    `attempts`: those that the clip has had at this model.
    """
    if not error.retryable or attempts > len(RETRY_WAITS):
        return None
    return RETRY_WAITS[attempts - 1]
