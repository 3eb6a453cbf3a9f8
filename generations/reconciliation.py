"""A day's attempts of one account held against the ledger and the vendor's own list; what differs is drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, connection, transaction

from generations.kinds import RECONCILIATION, VENDOR_ACCOUNT
from generations.models import AttemptState, DriftReport, GenerationStatus
from providers import registry
from providers.contract import Listed, RenderState
from providers.errors import FailureCode
from providers.vendors import VIDEO_PROVIDERS
from workers import clock, jobs
from workers.models import open_jobs

_NAMES = UUID("6d0d2b5c-6f0b-4f43-9f57-3f0f4b7c2a11")
# A day is compared this long after its end: by then its renders have ended.
AFTER = timedelta(hours=3)
# What a list gives at most; a longer one is cut off, and then absence from it says nothing.
LONGEST_LIST = 1000
MOST_FINDINGS = 1000

_ATTEMPTS = """
SELECT attempt.id, attempt.external_id, attempt.other_external_ids, attempt.state, attempt.failure_code,
    attempt.cost_amount, clip.id, clip.status, clip.late, hold.state
FROM generations_attempt attempt
JOIN generations_generation clip ON clip.id = attempt.generation_id
JOIN credits_hold hold ON hold.id = clip.hold_id
WHERE attempt.provider = %(provider)s AND attempt.account = %(account)s
    AND attempt.created_at >= %(since)s AND attempt.created_at < %(until)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An attempt as we have it, with its clip and what became of its owner's credits."""

    attempt_id: UUID
    external_id: str | None
    other_external_ids: Sequence[str]
    state: str
    failure_code: str
    cost: str | None
    generation_id: UUID
    status: str
    late: bool
    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be: what kind, which attempt or vendor's render, and what each side says."""

    kind: str
    detail: str
    attempt_id: UUID | None = None
    external_id: str | None = None

    def as_json(self) -> dict[str, str | None]:
        return {
            "kind": self.kind,
            "attempt": str(self.attempt_id) if self.attempt_id else None,
            "external_id": self.external_id,
            "detail": self.detail,
        }


def compare(
    recorded: Sequence[Recorded],
    listed: Sequence[Listed] | None,
    *,
    since: datetime,
    until: datetime,
    known: set[str],
) -> list[Finding]:
    """What differs. `listed`: the vendor's renders, None where it has no list; `known`: ids that any attempt has."""
    found: list[Finding] = []
    for one in recorded:
        found += _of_ours(one)
    if listed is None:
        return found
    by_id = {one.external_id: one for one in listed}
    for one in recorded:
        if one.external_id is None:
            continue
        theirs = by_id.get(one.external_id)
        if theirs is None:
            if len(listed) < LONGEST_LIST:
                found.append(_finding("missing_at_vendor", one, "The vendor's list doesn't have it."))
        elif _differ(one, theirs.state):
            found.append(_finding("state_differs", one, f"We say {one.state}, the vendor {theirs.state}."))
    for theirs in listed:
        within = theirs.created_at is None or since <= theirs.created_at < until
        if within and theirs.external_id not in known:
            found.append(
                Finding(
                    kind="unknown_render",
                    external_id=theirs.external_id,
                    detail=f"The vendor has made or makes it ({theirs.state}), and no attempt of ours is it.",
                )
            )
    return found


def _of_ours(one: Recorded) -> list[Finding]:
    """Where our own records don't agree."""
    found = []
    completed = one.status == GenerationStatus.COMPLETED
    if one.state == AttemptState.SUCCEEDED and not completed:
        cost = f" It cost us {one.cost}." if one.cost else ""
        found.append(_finding("paid_not_delivered", one, f"Made, and its clip is {one.status}.{cost}"))
    if one.state == AttemptState.SUCCEEDED and completed and not one.late and one.hold != "captured":
        found.append(_finding("delivered_not_paid", one, f"Delivered, and its hold is {one.hold}."))
    if not completed and one.hold == "captured":
        found.append(
            _finding("charged_not_delivered", one, f"Its hold is captured, and its clip is {one.status}.")
        )
    if one.state == AttemptState.UNKNOWN:
        found.append(_finding("outcome_unknown", one, "Nobody knows whether the vendor took it."))
    if one.other_external_ids:
        found.append(_finding("two_jobs", one, f"Further ids: {', '.join(one.other_external_ids)}."))
    return found


def _differ(ours: Recorded, theirs: RenderState) -> bool:
    """Whether an end at one side is another end at the other; what is under way may be either."""
    ends = {
        AttemptState.SUCCEEDED: {RenderState.SUCCEEDED},
        AttemptState.FAILED: {RenderState.FAILED, RenderState.CANCELLED},
        AttemptState.CANCELLED: {RenderState.CANCELLED, RenderState.FAILED},
    }
    wanted = ends.get(AttemptState(ours.state))
    if theirs is RenderState.SUCCEEDED and ours.failure_code in (FailureCode.QUALITY, FailureCode.NO_MEDIA):
        # What the vendor finished well by its own word, and nobody can use.
        return False
    if wanted is None or theirs in (RenderState.UNKNOWN, RenderState.QUEUED, RenderState.RUNNING):
        return False
    return theirs not in wanted


def _finding(kind: str, one: Recorded, detail: str) -> Finding:
    return Finding(kind=kind, attempt_id=one.attempt_id, external_id=one.external_id, detail=detail)


def read(provider: str, account: str, since: datetime, until: datetime) -> list[Recorded]:
    """The attempts of that time. One statement, by the account's index: as many rows as the account submitted."""
    with connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, {"provider": provider, "account": account, "since": since, "until": until})
        return [
            Recorded(
                attempt_id=row[0],
                external_id=row[1],
                other_external_ids=row[2],
                state=row[3],
                failure_code=row[4],
                cost=str(row[5]) if row[5] is not None else None,
                generation_id=row[6],
                status=row[7],
                late=row[8],
                hold=row[9],
            )
            for row in cursor.fetchall()
        ]


def known_ids(provider: str, external_ids: Sequence[str]) -> set[str]:
    """Those that any attempt has, whenever it was made. One statement, by the index of ids and that of the vendor."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT external_id FROM generations_attempt WHERE provider = %(provider)s AND external_id = ANY(%(ids)s)"
            " UNION SELECT unnest(other_external_ids) FROM generations_attempt"
            " WHERE provider = %(provider)s AND created_at > app_now() - interval '7 days'"
            " AND other_external_ids <> '{}'",
            {"provider": provider, "ids": list(external_ids)},
        )
        return {row[0] for row in cursor.fetchall()}


def report(
    provider: str, account: str, since: datetime, until: datetime, listed: Sequence[Listed] | None
) -> DriftReport:
    """Compare, and write what was found, once for each account and day. Raises IntegrityError for a second."""
    recorded = read(provider, account, since, until)
    known = known_ids(provider, [one.external_id for one in listed]) if listed is not None else set()
    findings = compare(recorded, listed, since=since, until=until, known=known)
    rows: list[Mapping[str, Any]] = [one.as_json() for one in findings[:MOST_FINDINGS]]
    return DriftReport.objects.create(
        provider=provider,
        account=account,
        since=since,
        until=until,
        listed=listed is not None,
        attempts=len(recorded),
        vendor_renders=len(listed) if listed is not None else None,
        drift=len(findings),
        findings=rows,
    )


def day_before(now: datetime) -> tuple[datetime, datetime]:
    """The last whole day, in UTC, whose renders have ended by `now`."""
    until = (now - AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    return until - timedelta(days=1), until


def subject_of(kind: str, provider: str, account: str, until: datetime | None = None) -> UUID:
    """The subject of the job about an account, or a day of it."""
    return uuid5(_NAMES, f"{kind}:{provider}:{account}:{until.isoformat() if until else ''}")


def subjects(kind: str, now: datetime) -> dict[UUID, tuple[str, str]]:
    """Which vendor and account each such job is about."""
    until = day_before(now)[1] if kind == RECONCILIATION else None
    return {
        subject_of(kind, provider, account, until): (provider, account)
        for provider in VIDEO_PROVIDERS
        for account in registry.accounts(provider)
    }


def enqueue_due() -> int:
    """A job for each account that can be looked at and has none, and for each whose last day isn't compared; how many."""
    now = clock.now()
    wanted = {
        (VENDOR_ACCOUNT, subject)
        for subject, (provider, _) in subjects(VENDOR_ACCOUNT, now).items()
        if registry.kind(provider).offers("account")
    }
    until = day_before(now)[1]
    compared = set(DriftReport.objects.filter(until=until).values_list("provider", "account"))
    wanted |= {
        (RECONCILIATION, subject)
        for subject, account in subjects(RECONCILIATION, now).items()
        if account not in compared
    }
    at_it = set(open_jobs(kind__in=[VENDOR_ACCOUNT, RECONCILIATION]).values_list("kind", "subject_id"))
    return sum(_enqueue(kind, subject) for kind, subject in sorted(wanted - at_it))


def _enqueue(kind: str, subject: UUID) -> bool:
    try:
        with transaction.atomic():
            jobs.enqueue(kind=kind, subject_id=subject, owner_id=None)
    except IntegrityError:
        # Another clock was quicker.
        return False
    return True
