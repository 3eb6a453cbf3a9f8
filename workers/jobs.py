"""The engine's public face: kinds of jobs, enqueueing, hints, cancelling, listening.

An app registers a `JobKind` in `AppConfig.ready`; the engine knows kinds, not what they mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID, uuid4

from django.db import connection, transaction

from workers import doorbell
from workers.models import Job, JobState

# A call begins within this time of its claim, well before the lease is over, or not at all: a process that was frozen
# in between must not do what another has since done, or has proved undone.
BEGIN_SECONDS = 10.0

Work = TypeVar("Work")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claim on a job. What it decides counts only while `fence` is still the job's."""

    job_id: UUID
    owner_id: UUID | None
    kind: str
    stage: str
    subject_id: UUID
    fence: int
    # Claims since a stage last ended, this one included.
    claims: int
    progress: int
    cancel_requested: bool
    # When the job was due: the claim's lateness is measured from it.
    due_at: datetime
    # The time of the claim by `app_now()`.
    now: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of state, told to every listener inside the transaction that makes it."""

    owner_id: UUID
    kind: str
    subject_id: UUID
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """The job goes on: its next stage, when, and what its owner sees meanwhile."""

    stage: str
    due_in: timedelta = timedelta(0)
    progress: int | None = None
    eta_at: datetime | None = None
    # The place at the gate: kept, given up, or given up and lined up for again at the old turn.
    place: "Place" = "keep"
    # Another gate to line up at from now on, at a newcomer's turn; None: the same one.
    gate: str | None = None
    changes: Sequence[Change] = ()


Place = str  # "keep" | "leave" | "line up"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The job is over."""

    state: JobState
    error_code: str = ""
    changes: Sequence[Change] = ()


Next = Continue | End


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Answer]):
    """What came of one call. `held`: the claim still counts; if not, only facts may be recorded."""

    lease: Lease
    answer: Answer
    held: bool


class Stage(ABC, Generic[Work, Answer]):
    """One step of a kind of job: intent, call, result. Two short transactions, and none during the call."""

    name: ClassVar[str]
    # In the words of the job's owner; "" for what he doesn't see.
    label: ClassVar[str] = ""
    queue: ClassVar[str] = "io"
    # Seconds after which the lease is no longer renewed: the call must have ended by then.
    deadline: ClassVar[float] = 30.0
    # How many calls of this stage one process runs at once; None: as many as it has threads.
    at_once: ClassVar[int | None] = None
    # Stages that are begun before others of the same claim: their locks come first.
    begins_first: ClassVar[bool] = False
    # Whether its call says how far it is, and ends early when it is told to: see `workers.progress`.
    reports: ClassVar[bool] = False

    @abstractmethod
    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, "Work | Next"]:
        """In the claim's transaction: record the intent, read what the call needs, by job id."""

    @abstractmethod
    def call(self, work: Work) -> Answer:
        """The network. No ORM here; an exception that escapes counts as a crash of the claim."""

    def not_begun(self, work: Work) -> Answer | None:
        """The answer of a call that was not begun within BEGIN_SECONDS; None: the claim is left to run out."""
        return None

    @abstractmethod
    def finish(self, outcomes: Sequence[Outcome[Answer]]) -> Mapping[UUID, Next]:
        """In the second transaction: record facts for all, decide for those held. By job id.

        Rows are locked in the order job, credit account, event counter; the engine has locked the jobs.
        """

    @abstractmethod
    def abandon(self, lease: Lease) -> Next:
        """The job has crashed too many workers: end it, or send it elsewhere. In a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job: its stages in order, the first one first."""

    name: str
    stages: Sequence[Stage[Any, Any]]
    # Stops the owner's job about this subject, in the caller's transaction; None: it can't be stopped, or it is
    # none of its owner's business.
    cancel: Callable[[UUID, UUID], object] | None = None

    def stage(self, name: str) -> Stage[Any, Any]:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise LookupError(f"job kind {self.name!r} has no stage {name!r}")


KINDS: dict[str, JobKind] = {}

# A stage's label once the job's owner has asked to stop it.
CANCELLING = "cancelling"


def label_of(job: Job) -> str | None:
    """What an open job is at, in its owner's words; None for one that has ended."""
    if job.ended_at is not None:
        return None
    if job.cancel_requested_at is not None:
        return CANCELLING
    return KINDS[job.kind].stage(job.stage).label


LISTENERS: list[Callable[[Sequence[Change]], None]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Periodic work that is safe to run twice and says how many rows it touched."""

    name: str
    every: timedelta
    run: Callable[[], int]
    queue: str = "io"


SWEEPS: dict[str, Sweep] = {}


def register(kind: JobKind) -> None:
    KINDS[kind.name] = kind


def register_sweep(sweep: Sweep) -> None:
    SWEEPS[sweep.name] = sweep


def listen(listener: Callable[[Sequence[Change]], None]) -> None:
    """Have `listener` told of every change, as the last act of the transaction that makes it."""
    LISTENERS.append(listener)


def announce(changes: Sequence[Change]) -> None:
    """Tell the listeners. The last statement of the caller's transaction."""
    if changes:
        for listener in LISTENERS:
            listener(changes)


# A newcomer's turn is one behind his own last in this line, or behind the last admitted: turns taken in order
# serve every owner in rotation.
NEWCOMERS_TURN = """1 + coalesce(greatest(
        (SELECT turn FROM workers_gate WHERE key = {gate}),
        (SELECT turn FROM workers_job mine WHERE mine.gate = {gate} AND mine.owner_id = {owner} AND mine.waits
         ORDER BY turn DESC LIMIT 1)), 0)"""

_ENQUEUE = f"""
INSERT INTO workers_job (
    id, owner_id, kind, stage, queue, subject_id, state, due_at, fence, claims, claimed_by,
    gate, waits, holds, turn, owner_places, progress, announced_progress, error_code, created_at, eta_at, project_id
) VALUES (
    %(id)s, %(owner)s, %(kind)s, %(stage)s, %(queue)s, %(subject)s, 'queued', coalesce(%(due)s, app_now()),
    0, 0, '', %(gate)s::varchar, %(gate)s::varchar IS NOT NULL, false,
    CASE WHEN %(gate)s::varchar IS NULL THEN 0
         ELSE {NEWCOMERS_TURN.format(gate="%(gate)s", owner="%(owner)s")} END,
    %(places)s,
    %(progress)s, %(progress)s, '', app_now(), %(eta)s, %(project)s
) RETURNING created_at
"""


def enqueue(
    *,
    kind: str,
    subject_id: UUID,
    owner_id: UUID | None,
    due_at: datetime | None = None,
    gate: str | None = None,
    owner_places: int | None = None,
    progress: int = 0,
    eta_at: datetime | None = None,
    project_id: UUID | None = None,
) -> UUID:
    """Write a job in the caller's transaction and ring once that has committed. One statement."""
    first = KINDS[kind].stages[0]
    job_id = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            _ENQUEUE,
            {
                "id": job_id,
                "owner": owner_id,
                "kind": kind,
                "stage": first.name,
                "queue": first.queue,
                "subject": subject_id,
                "due": due_at,
                "gate": gate,
                "places": owner_places,
                "progress": progress,
                "eta": eta_at,
                "project": project_id,
            },
        )
    transaction.on_commit(lambda: doorbell.ring(first.queue))
    return job_id


_HINT = """
UPDATE workers_job SET hinted_at = app_now(), due_at = least(due_at, app_now())
WHERE kind = %s AND subject_id = %s AND ended_at IS NULL RETURNING queue
"""


def hint(*, kind: str, subject_id: UUID) -> bool:
    """There may be news for this subject's open job: make it due now, also if it is claimed at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(_HINT, [kind, subject_id])
        row = cursor.fetchone()
    if row is None:
        return False
    transaction.on_commit(lambda: doorbell.ring(row[0]))
    return True


_POSITION = """
SELECT count(*) FROM (
    SELECT 1 FROM workers_job other WHERE other.gate = %s AND other.waits
    AND (other.turn, other.created_at, other.id) < (%s, %s, %s) LIMIT %s
) ahead
"""

FARTHEST_POSITION = 1000


def position(*, gate: str, turn: int, created_at: datetime, job_id: UUID) -> int:
    """The job's place in the line of its gate, from 1; counted up to `FARTHEST_POSITION`. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_POSITION, [gate, turn, created_at, job_id, FARTHEST_POSITION - 1])
        row = cursor.fetchone()
    assert row is not None
    return int(row[0]) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An open job as its row says, locked by the caller's transaction."""

    job_id: UUID
    stage: str
    queue: str
    # A worker is at it right now.
    claimed: bool
    # Its owner asked to stop it.
    cancel_requested: bool = False


_LOCK = """
SELECT id, stage, queue, lease_until IS NOT NULL AND lease_until >= app_now(), cancel_requested_at IS NOT NULL
FROM workers_job WHERE kind = %s AND subject_id = %s AND ended_at IS NULL FOR NO KEY UPDATE
"""


def lock(*, kind: str, subject_id: UUID) -> Standing | None:
    """Lock the subject's open job until the caller's transaction ends; None if it has none."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [kind, subject_id])
        row = cursor.fetchone()
    if row is None:
        return None
    return Standing(job_id=row[0], stage=row[1], queue=row[2], claimed=row[3], cancel_requested=row[4])


_LOCK_ALL = """
SELECT kind, subject_id, id, stage, queue, lease_until IS NOT NULL AND lease_until >= app_now(),
    cancel_requested_at IS NOT NULL
FROM workers_job JOIN unnest(%s::varchar[], %s::uuid[]) AS wanted (kind, subject_id) USING (kind, subject_id)
WHERE ended_at IS NULL ORDER BY id FOR NO KEY UPDATE OF workers_job
"""


def lock_all(subjects: Sequence[tuple[str, UUID]]) -> dict[tuple[str, UUID], Standing]:
    """Lock the open jobs about these, by kind and id, in the order of the jobs' ids; those that there are."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ALL, [[kind for kind, _ in subjects], [subject for _, subject in subjects]])
        return {
            (row[0], row[1]): Standing(
                job_id=row[2], stage=row[3], queue=row[4], claimed=row[5], cancel_requested=row[6]
            )
            for row in cursor.fetchall()
        }


# What a worker is at, or saves this moment, is let be. A place at a gate is given up for another turn there.
_POSTPONE = """
UPDATE workers_job SET due_at = %s, waits = gate IS NOT NULL, holds = false
WHERE id IN (
    SELECT id FROM workers_job WHERE kind = %s AND subject_id = ANY(%s) AND stage = %s AND ended_at IS NULL
    AND due_at < %s AND (lease_until IS NULL OR lease_until < app_now()) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
"""


def postpone(kind: str, subject_ids: Sequence[UUID], *, stage: str, until: datetime) -> None:
    """Have the open jobs about these that are at `stage`, and that no worker is at, wait until then."""
    with connection.cursor() as cursor:
        cursor.execute(_POSTPONE, [until, kind, list(subject_ids), stage, until])


def recall(kind: str, subject_ids: Sequence[UUID]) -> None:
    """Have the open jobs about these go on now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_job SET due_at = app_now() WHERE id IN (SELECT id FROM workers_job WHERE kind = %s"
            " AND subject_id = ANY(%s) AND ended_at IS NULL AND due_at > app_now() ORDER BY id"
            " FOR NO KEY UPDATE SKIP LOCKED)",
            [kind, list(subject_ids)],
        )


def end(standing: Standing, state: JobState, error_code: str = "") -> None:
    """End a locked job that no worker is at; a claim that was lost finds it ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_job SET state = %s, error_code = %s, ended_at = app_now(), lease_until = NULL,"
            " waits = false, holds = false WHERE id = %s",
            [state, error_code, standing.job_id],
        )


def move(standing: Standing, *, kind: str, stage: str) -> None:
    """Have a locked job that no worker is at go on at another stage of its kind, now; a lost claim counts no more."""
    queue = KINDS[kind].stage(stage).queue
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_job SET stage = %s, queue = %s, state = 'running', due_at = app_now(), lease_until = NULL,"
            " fence = fence + 1, claims = 0, waits = false, holds = false WHERE id = %s",
            [stage, queue, standing.job_id],
        )
    transaction.on_commit(lambda: doorbell.ring(queue))


def request_cancel(standing: Standing) -> None:
    """Have the job's next claim, due now, see that its owner wants it stopped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_job SET cancel_requested_at = coalesce(cancel_requested_at, app_now()),"
            " due_at = least(due_at, app_now()) WHERE id = %s",
            [standing.job_id],
        )
    transaction.on_commit(lambda: doorbell.ring(standing.queue))
