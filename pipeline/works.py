"""Starting and stopping the work on a film: analyses, plannings, chat turns."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.tiers import tier_of
from credits import ledger, pricing, rate_cards
from credits.pricing import PriceRequest
from generations import assets
from generations.errors import AlreadyEnded, NotFound
from generations.models import Project
from pipeline import states, transitions
from pipeline.errors import AlreadyRunning, TooManyWorks
from pipeline.kinds import ANALYSIS, CHAT, PLANNING
from pipeline.models import Analysis, ChatTurn, Planning, Work, WorkStatus
from workers import clock, jobs
from workers.jobs import Change, announce
from workers.models import JobState, open_jobs

AnyWork = TypeVar("AnyWork", bound=Work)

KINDS: dict[str, type[Work]] = {ANALYSIS: Analysis, PLANNING: Planning, CHAT: ChatTurn}
# Of one account at once: a film has one of each at a time.
MOST_AT_ONCE = 20
# The last works of a kind, by which the next one's time is judged, if there are a few.
RECENT = 50
FEWEST = 5


def begin(
    owner: User,
    project: Project,
    model: type[AnyWork],
    *,
    kind: str,
    expected_seconds: float,
    **fields: Any,
) -> AnyWork:
    """Write the work with its job, and its hold where it has a price. In the caller's transaction.

    Raises AlreadyRunning, TooManyWorks, and what the ledger raises; then nothing was written.
    """
    running = open_jobs(owner_id=owner.pk, kind__in=KINDS).count()
    if running >= MOST_AT_ONCE:
        raise TooManyWorks(running=running, limit=MOST_AT_ONCE)
    work_id = uuid4()
    credits, hold_id = _held(owner, kind, work_id)
    job_id = jobs.enqueue(
        kind=kind,
        subject_id=work_id,
        owner_id=owner.pk,
        eta_at=clock.now() + timedelta(seconds=expected_seconds),
        project_id=project.id,
    )
    try:
        with transaction.atomic():
            return model.objects.create(  # type: ignore[attr-defined,no-any-return]
                id=work_id,
                owner=owner,
                project=project,
                job_id=job_id,
                hold_id=hold_id,
                credits_quoted=credits,
                **fields,
            )
    except IntegrityError as error:
        if "one_open" in str(error):
            raise AlreadyRunning(what=kind) from None
        raise


def cancel(kind: str, owner_id: UUID, work_id: UUID) -> None:
    """Stop it, in the caller's transaction; again is no error. Raises NotFound or AlreadyEnded.

    What a worker is at ends within a second or two; what a language model was asked is let finish, and discarded.
    """
    rows: Any = KINDS[kind]
    if not rows.objects.filter(id=work_id, owner_id=owner_id).exists():
        raise NotFound(what=kind)
    standing = jobs.lock(kind=kind, subject_id=work_id)
    work: Work = rows.objects.get(id=work_id)
    if standing is None:
        if work.status == "cancelled":
            return
        raise AlreadyEnded(status=work.status)
    if standing.claimed:
        jobs.request_cancel(standing)
        return
    jobs.end(standing, JobState.CANCELLED)
    announce(cancelled(work).changes)


def stopped(lease: jobs.Lease, work: Work) -> jobs.Next | None:
    """The job's end where its owner wants it stopped or the work has ended; None: it goes on."""
    if work.ended_at is not None:
        return jobs.End(state=JobState(work.status))
    if lease.cancel_requested:
        return cancelled(work)
    return None


def cancelled(work: Work) -> jobs.End:
    """The work and its job as cancelled."""
    change = transitions.cancel(work)
    if isinstance(work, Analysis):
        assets.unpin([work.sample_id])
    states.settle(work.project_id)
    return jobs.End(state=JobState.CANCELLED, changes=changes(change))


def failed(work: Work, *, code: str, message: str) -> jobs.End:
    """The work and its job as failed."""
    return jobs.End(
        state=JobState.FAILED,
        error_code=code,
        changes=changes(transitions.fail(work, code=code, message=message)),
    )


def changes(*made: Change | None) -> Sequence[Change]:
    return [one for one in made if one is not None]


def typical_seconds(kind: str, otherwise: float) -> float:
    """How long the last works of the kind took, by their median; `otherwise` without five. One statement."""
    rows: Any = KINDS[kind]
    ended = rows.objects.filter(status=WorkStatus.COMPLETED).order_by("-ended_at")[:RECENT]
    taken = sorted(
        (ended_at - created_at).total_seconds()
        for created_at, ended_at in ended.values_list("created_at", "ended_at")
    )
    return float(taken[len(taken) // 2]) if len(taken) >= FEWEST else otherwise


def _held(owner: User, kind: str, work_id: UUID) -> tuple[int, UUID | None]:
    """What such a work costs by its rate card, and the hold on it; free without a card."""
    subject = f"service/{kind}"
    card = rate_cards.current([subject]).get(subject)
    if card is None:
        return 0, None
    price = pricing.price(card, PriceRequest(duration_seconds=1, default_duration_seconds=1))
    if price.total == 0:
        return 0, None
    held = ledger.hold(
        owner_id=owner.pk,
        amount=price.total,
        key=f"{kind}:{work_id}",
        subject_id=work_id,
        rate_card_ids=[card.id],
        breakdown=price.breakdown(),
        daily_limit=tier_of(owner).credits_per_day,
    )
    return price.total, held.hold_id
