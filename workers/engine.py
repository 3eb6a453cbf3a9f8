"""The engine: claims due jobs in batches, runs their calls on many threads, saves the results in batches.

One per process and queue. Threads do the network and nothing else; one writer saves; a side thread renews leases
and tells that the process lives. Everything it forgets by dying is found again by the row's lease.
"""

import logging
import os
import queue as queues
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, connections, transaction

from workers import crash, gates, heartbeats, progress
from workers.jobs import (
    BEGIN_SECONDS,
    KINDS,
    NEWCOMERS_TURN,
    Change,
    Continue,
    End,
    Lease,
    Next,
    Outcome,
    Stage,
    announce,
)
from workers.log_context import log_context

logger = logging.getLogger(__name__)

LEASE_SECONDS = 20.0
RENEW_SECONDS = 6.0
# How often long calls are asked how far they are.
REPORT_SECONDS = 1.0
# Claims that ended without a result after which a job is given up: it may be what kills the workers.
MOST_CLAIMS = 5
BATCH = 200
# Announce progress at most this often and in steps of this many percent.
ANNOUNCE_SECONDS = 2.0
ANNOUNCE_PERCENT = 5

_CLAIM = """
UPDATE workers_job SET
    lease_until = app_now() + make_interval(secs => %(lease)s), fence = fence + 1, claims = claims + 1,
    claimed_at = app_now(), claimed_by = %(process)s, state = 'running', started_at = coalesce(started_at, app_now())
WHERE id IN (
    SELECT id FROM workers_job
    WHERE queue = %(queue)s AND ended_at IS NULL AND NOT waits AND due_at <= app_now()
    AND (lease_until IS NULL OR lease_until < app_now()) AND NOT stage = ANY(%(full)s)
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, owner_id, kind, stage, subject_id, fence, claims, progress,
    cancel_requested_at IS NOT NULL, due_at, claimed_at, created_at
"""

# A row that is locked is being saved this moment: waiting for it would be a deadlock, and it needs no lease any more.
_RENEW = """
UPDATE workers_job SET lease_until = app_now() + make_interval(secs => %(lease)s)
WHERE id IN (
    SELECT job.id FROM workers_job job
    JOIN unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS mine (id, fence) USING (id, fence)
    WHERE job.lease_until IS NOT NULL FOR NO KEY UPDATE OF job SKIP LOCKED
)
"""

# What long calls say of themselves, announced as rarely as any progress; and whether they are still wanted.
_REPORT = f"""
WITH mine AS (
    SELECT job.id, told.progress, abs(told.progress - job.announced_progress) >= {ANNOUNCE_PERCENT}
        AND (job.announced_at IS NULL OR job.announced_at <= app_now() - interval '{ANNOUNCE_SECONDS} seconds') AS loud
    FROM workers_job job
    JOIN unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(progress)s::smallint[]) AS told (id, fence, progress)
        USING (id, fence)
    WHERE job.lease_until IS NOT NULL AND job.ended_at IS NULL FOR NO KEY UPDATE OF job SKIP LOCKED
)
UPDATE workers_job job SET
    progress = greatest(mine.progress, job.progress),
    announced_progress = CASE WHEN mine.loud THEN mine.progress ELSE job.announced_progress END,
    announced_at = CASE WHEN mine.loud THEN app_now() ELSE job.announced_at END
FROM mine WHERE job.id = mine.id
RETURNING job.id, job.owner_id, job.kind, job.subject_id, job.progress, coalesce(mine.loud, false),
    job.cancel_requested_at IS NOT NULL
"""

_LOCK_HELD = """
SELECT job.id FROM workers_job job
JOIN unnest(%(ids)s::uuid[], %(fences)s::bigint[]) AS mine (id, fence) USING (id, fence)
WHERE job.lease_until IS NOT NULL AND job.ended_at IS NULL ORDER BY job.id FOR NO KEY UPDATE OF job
"""

# News that came during the claim makes the job due again at once.
_CONTINUE = """
UPDATE workers_job SET
    stage = next.stage, queue = next.queue, lease_until = NULL, claims = 0,
    due_at = CASE WHEN greatest(hinted_at, cancel_requested_at) > claimed_at THEN app_now()
                  ELSE app_now() + next.due_in END,
    progress = coalesce(next.progress, workers_job.progress),
    eta_at = coalesce(next.eta_at, workers_job.eta_at),
    holds = CASE WHEN next.place = 'keep' THEN workers_job.holds ELSE false END,
    waits = (next.place = 'line up'),
    gate = coalesce(next.gate, workers_job.gate),
    turn = CASE WHEN next.gate IS NULL THEN workers_job.turn ELSE {turn} END,
    state = CASE WHEN next.place = 'line up' THEN 'queued' ELSE workers_job.state END,
    announced_progress = CASE WHEN {announces} THEN next.progress ELSE announced_progress END,
    announced_at = CASE WHEN {announces} THEN app_now() ELSE announced_at END
FROM unnest(%(ids)s::uuid[], %(stages)s::varchar[], %(queues)s::varchar[], %(due_in)s::interval[],
    %(progress)s::smallint[], %(eta)s::timestamptz[], %(places)s::varchar[], %(gates)s::varchar[])
    AS next (id, stage, queue, due_in, progress, eta_at, place, gate)
WHERE workers_job.id = next.id
RETURNING workers_job.owner_id, workers_job.kind, workers_job.subject_id,
    workers_job.progress, announced_at IS NOT DISTINCT FROM app_now()
""".format(
    turn=NEWCOMERS_TURN.format(gate="next.gate", owner="workers_job.owner_id"),
    announces=(
        "next.progress IS NOT NULL"
        f" AND abs(next.progress - announced_progress) >= {ANNOUNCE_PERCENT}"
        " AND (announced_at IS NULL OR announced_at <= app_now()"
        f" - interval '{ANNOUNCE_SECONDS} seconds')"
    ),
)

_END = """
UPDATE workers_job SET
    state = next.state, error_code = next.error_code, ended_at = app_now(), lease_until = NULL,
    waits = false, holds = false,
    progress = CASE WHEN next.state = 'completed' THEN 100 ELSE workers_job.progress END
FROM unnest(%(ids)s::uuid[], %(states)s::varchar[], %(errors)s::varchar[]) AS next (id, state, error_code)
WHERE workers_job.id = next.id
"""


def _elapsed() -> float:
    """Seconds since this machine started, those that it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def refuse_queries(execute: Any, sql: str, params: Any, many: bool, context: Any) -> NoReturn:
    raise RuntimeError("a call runs outside the database: read in begin(), write in finish()")


def claim(queue: str, limit: int, full: Sequence[str] = ()) -> list[Lease]:
    """Take up to `limit` due jobs that nobody holds. One statement, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "queue": queue,
                "limit": limit,
                "lease": LEASE_SECONDS,
                "process": process_name(),
                "full": list(full),
            },
        )
        return [
            Lease(
                job_id=row[0],
                owner_id=row[1],
                kind=row[2],
                stage=row[3],
                subject_id=row[4],
                fence=row[5],
                claims=row[6],
                progress=row[7],
                cancel_requested=row[8],
                due_at=row[9],
                now=row[10],
                created_at=row[11],
            )
            for row in cursor.fetchall()
        ]


def lock_held(leases: Sequence[Lease]) -> set[UUID]:
    """Lock these jobs in id order; the ids of those whose claim still counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LOCK_HELD,
            {"ids": [lease.job_id for lease in leases], "fences": [lease.fence for lease in leases]},
        )
        return {row[0] for row in cursor.fetchall()}


def apply(decisions: Sequence[tuple[Lease, Next]]) -> None:
    """Write what becomes of locked jobs and announce the changes. At most two statements and the listeners'."""
    going = [(lease, step) for lease, step in decisions if isinstance(step, Continue)]
    ending = [(lease, step) for lease, step in decisions if isinstance(step, End)]
    changes = [change for _, step in decisions for change in step.changes]
    with connection.cursor() as cursor:
        if going:
            cursor.execute(
                _CONTINUE,
                {
                    "ids": [lease.job_id for lease, _ in going],
                    "stages": [step.stage for _, step in going],
                    "queues": [KINDS[lease.kind].stage(step.stage).queue for lease, step in going],
                    "due_in": [step.due_in for _, step in going],
                    "progress": [step.progress for _, step in going],
                    "eta": [step.eta_at for _, step in going],
                    "places": [str(step.place) for _, step in going],
                    "gates": [step.gate for _, step in going],
                },
            )
            changes += [
                Change(
                    owner_id=owner_id,
                    kind=f"{kind}.progress",
                    subject_id=subject_id,
                    data={"progress": progress},
                )
                for owner_id, kind, subject_id, progress, announced in cursor.fetchall()
                if announced and owner_id is not None
            ]
        if ending:
            cursor.execute(
                _END,
                {
                    "ids": [lease.job_id for lease, _ in ending],
                    "states": [str(step.state) for _, step in ending],
                    "errors": [step.error_code for _, step in ending],
                },
            )
    announce(changes)


@dataclass(slots=True)
class _Claimed:
    """A claim this process is working on; `until`: when it stops renewing the lease (monotonic seconds)."""

    lease: Lease
    until: float
    # Of a call that says how far it is.
    reporter: progress.Reporter | None = None


class Engine:
    """Runs the due jobs of one queue in this process."""

    def __init__(self, queue: str, threads: int) -> None:
        self.queue = queue
        self._threads = threads
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix=f"{queue}-call", initializer=_forbid_queries
        )
        self._answers: queues.SimpleQueue[tuple[Stage[Any, Any], Lease, Any] | None] = queues.SimpleQueue()
        self._changed = threading.Condition()
        self._busy: Counter[str] = Counter()
        self._claimed: dict[UUID, _Claimed] = {}
        self._running = threading.Lock()
        self._rung = threading.Event()
        self._stopping = threading.Event()
        self._writer = threading.Thread(target=self._write, name=f"{queue}-writer", daemon=True)
        self._side = threading.Thread(target=self._renew, name=f"{queue}-renew", daemon=True)

    def start(self) -> None:
        self._writer.start()
        self._side.start()

    def stop(self, within: float) -> None:
        """Claim nothing more, let the calls end and save them, for at most `within` seconds."""
        self._stopping.set()
        deadline = time.monotonic() + within
        with self._changed:
            self._changed.wait_for(lambda: not self._claimed, timeout=within)
        self._answers.put(None)
        self._writer.join(max(0.0, deadline - time.monotonic()))

    def run_due(self) -> int:
        """Claim and start all that is due; returns how many. A second caller only makes the first go round again."""
        self._rung.set()
        started = 0
        while self._rung.is_set() and not self._stopping.is_set():
            if not self._running.acquire(blocking=False):
                return started
            try:
                self._rung.clear()
                gates.admit()
                while (count := self._take()) and not self._stopping.is_set():
                    started += count
                    gates.admit()
            finally:
                self._running.release()
                connection.close()
        return started

    def _take(self) -> int:
        """Claim one batch and hand it to the threads; how many jobs it held."""
        # A few free threads at a time: one claim for each would be all statements and no work.
        wanted = max(1, self._threads // 4)
        with self._changed:
            self._changed.wait_for(lambda: self._free() >= wanted or self._stopping.is_set(), timeout=0.05)
            self._changed.wait_for(lambda: self._free() > 0 or self._stopping.is_set(), timeout=1.0)
            free, full = self._free(), self._full()
        if free <= 0 or self._stopping.is_set():
            return 0
        calls: list[tuple[Stage[Any, Any], Lease, Any]] = []
        begin_by = _elapsed() + BEGIN_SECONDS
        with transaction.atomic():
            leases = claim(self.queue, min(free, BATCH), full)
            decided: list[tuple[Lease, Next]] = []
            for stage, group in _by_stage(leases):
                for lease, begun in self._begin(stage, group):
                    if isinstance(begun, Continue | End):
                        decided.append((lease, begun))
                    else:
                        calls.append((stage, lease, begun))
            apply(decided)
            for stage, _, _ in calls:
                crash.point(f"{stage.name}.before_claim_commit")
        for stage, _, _ in calls:
            crash.point(f"{stage.name}.claimed")
        now = time.monotonic()
        with self._changed:
            for stage, lease, _ in calls:
                reporter = progress.Reporter() if stage.reports else None
                self._claimed[lease.job_id] = _Claimed(lease, now + stage.deadline, reporter)
                self._busy[stage.name] += 1
        for stage, lease, work in calls:
            self._pool.submit(self._call, stage, lease, work, begin_by)
        return len(leases)

    def _free(self) -> int:
        return self._threads - sum(self._busy.values())

    def _full(self) -> list[str]:
        return [
            stage.name
            for kind in KINDS.values()
            for stage in kind.stages
            if stage.at_once is not None and self._busy[stage.name] >= stage.at_once
        ]

    def _begin(self, stage: Stage[Any, Any], leases: Sequence[Lease]) -> Iterable[tuple[Lease, Any]]:
        """`begin` for a batch; if that fails, one by one, so that a bad job spoils nobody else's."""
        worn = [lease for lease in leases if lease.claims > MOST_CLAIMS]
        sound = [lease for lease in leases if lease.claims <= MOST_CLAIMS]
        for lease in worn:
            logger.error("job %s crashed %d claims at %s", lease.job_id, lease.claims - 1, lease.stage)
            yield lease, stage.abandon(lease)
        begun: dict[UUID, Any] = {}
        try:
            with transaction.atomic():
                begun.update(stage.begin(sound) if sound else {})
        except OperationalError:
            raise
        except Exception:
            logger.exception("begin of %s failed for %d jobs", stage.name, len(sound))
            for lease in sound:
                try:
                    with transaction.atomic():
                        begun.update(stage.begin([lease]))
                except OperationalError:
                    raise
                except Exception:
                    logger.exception("begin of %s failed for job %s", stage.name, lease.job_id)
        yield from ((lease, begun[lease.job_id]) for lease in sound if lease.job_id in begun)

    def _call(self, stage: Stage[Any, Any], lease: Lease, work: Any, begin_by: float) -> None:
        try:
            with log_context(job=lease.job_id, subject=lease.subject_id, stage=stage.name):
                crash.point(f"{stage.name}.before_call")
                if _elapsed() > begin_by:
                    # This process was frozen: another may have taken the job, and proved that it was never begun.
                    logger.warning(
                        "%s of job %s is not begun: its lease may be over", stage.name, lease.job_id
                    )
                    answer = stage.not_begun(work)
                    if answer is None:
                        self._forget(lease, stage)
                        return
                else:
                    with self._changed:
                        claimed = self._claimed.get(lease.job_id)
                    progress.follow(claimed.reporter if claimed is not None else None)
                    answer = stage.call(work)
                crash.point(f"{stage.name}.after_call")
        except Exception:
            # The claim is left to run out: the next one finds the intent and decides what is known.
            logger.exception("call of %s failed for job %s", stage.name, lease.job_id)
            self._forget(lease, stage)
            return
        with self._changed:
            self._busy[stage.name] -= 1
            claimed = self._claimed.get(lease.job_id)
            if claimed is not None:
                claimed.until = float("inf")
            self._changed.notify_all()
        self._answers.put((stage, lease, answer))

    def _forget(self, lease: Lease, stage: Stage[Any, Any] | None) -> None:
        with self._changed:
            self._claimed.pop(lease.job_id, None)
            if stage is not None:
                self._busy[stage.name] -= 1
            self._changed.notify_all()

    def _write(self) -> None:
        """Save answers as they come, until told to stop; then give the connection back."""
        try:
            self._save_as_they_come()
        finally:
            connection.close()

    def _save_as_they_come(self) -> None:
        while (first := self._answers.get()) is not None:
            batch = [first]
            stopped = False
            while len(batch) < BATCH:
                try:
                    following = self._answers.get_nowait()
                except queues.Empty:
                    break
                if following is None:
                    stopped = True
                    break
                batch.append(following)
            grouped: dict[str, tuple[Stage[Any, Any], list[tuple[Lease, Any]]]] = {}
            for stage, lease, answer in batch:
                grouped.setdefault(f"{lease.kind}.{stage.name}", (stage, []))[1].append((lease, answer))
            for stage, answers in grouped.values():
                self._save(stage, answers)
                for lease, _ in answers:
                    self._forget(lease, None)
            if stopped:
                return

    def _save(self, stage: Stage[Any, Any], answers: Sequence[tuple[Lease, Any]]) -> None:
        """Save a batch however long the database is away; if it can't be saved as one, one by one."""
        wait = 0.1
        while True:
            try:
                save(stage, answers)
                return
            except (OperationalError, InterfaceError) as error:
                # Never gives up: what a vendor answered about paid work must reach the disk.
                logger.warning("saving %s waits for the database: %s", stage.name, error)
                connection.close()
                time.sleep(wait)
                wait = min(wait * 2, 2.0)
            except Exception:
                logger.exception("finish of %s failed for %d jobs", stage.name, len(answers))
                if len(answers) == 1:
                    return
                for answer in answers:
                    self._save(stage, [answer])
                return

    def _renew(self) -> None:
        """Renew the leases of running calls and tell that this process lives, every few seconds."""
        renew_at = 0.0
        while not self._stopping.is_set() or self._claimed:
            self._report()
            if time.monotonic() < renew_at:
                self._stopping.wait(REPORT_SECONDS)
                continue
            renew_at = time.monotonic() + RENEW_SECONDS
            now = time.monotonic()
            with self._changed:
                leases = [claimed.lease for claimed in self._claimed.values() if claimed.until > now]
            try:
                with connection.cursor() as cursor:
                    if leases:
                        cursor.execute(
                            _RENEW,
                            {
                                "lease": LEASE_SECONDS,
                                "ids": [lease.job_id for lease in leases],
                                "fences": [lease.fence for lease in leases],
                            },
                        )
                heartbeats.write(process_name(), self.queue)
            except (OperationalError, InterfaceError) as error:
                logger.warning("leases could not be renewed: %s", error)
            finally:
                connection.close()
            self._stopping.wait(REPORT_SECONDS)

    def _report(self) -> None:
        """Write how far the long calls are, and tell them whether they are still wanted."""
        with self._changed:
            telling = {
                job_id: (claimed.lease, claimed.reporter)
                for job_id, claimed in self._claimed.items()
                if claimed.reporter is not None
            }
        if not telling:
            return
        try:
            with transaction.atomic():
                announce(_reported(telling))
        except (OperationalError, InterfaceError) as error:
            logger.warning("progress could not be written: %s", error)
        finally:
            connection.close()


def _reported(telling: Mapping[UUID, tuple[Lease, progress.Reporter]]) -> list[Change]:
    """Write and read what there is to tell of these jobs; the changes to announce. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _REPORT,
            {
                "ids": list(telling),
                "fences": [lease.fence for lease, _ in telling.values()],
                "progress": [reporter.percent for _, reporter in telling.values()],
            },
        )
        rows = cursor.fetchall()
    changes = []
    for job_id, owner_id, kind, subject_id, percent, loud, cancelled in rows:
        telling[job_id][1].cancelled = cancelled
        if loud and owner_id is not None:
            changes.append(
                Change(
                    owner_id=owner_id,
                    kind=f"{kind}.progress",
                    subject_id=subject_id,
                    data={"progress": percent},
                )
            )
    return changes


def save(stage: Stage[Any, Any], answers: Sequence[tuple[Lease, Any]]) -> None:
    """The second transaction: lock the jobs, let the stage decide, write what becomes of those still held."""
    with transaction.atomic():
        held = lock_held([lease for lease, _ in answers])
        crash.point(f"{stage.name}.before_finish")
        nexts = stage.finish([Outcome(lease, answer, lease.job_id in held) for lease, answer in answers])
        apply([(lease, nexts[lease.job_id]) for lease, _ in answers if lease.job_id in held])
        crash.point(f"{stage.name}.before_commit")
    crash.point(f"{stage.name}.after_commit")


def _by_stage(leases: Sequence[Lease]) -> Iterable[tuple[Stage[Any, Any], list[Lease]]]:
    groups: dict[tuple[str, str], list[Lease]] = defaultdict(list)
    for lease in leases:
        groups[(lease.kind, lease.stage)].append(lease)
    found = [(KINDS[kind].stage(stage), group) for (kind, stage), group in groups.items()]
    yield from sorted(found, key=lambda one: not one[0].begins_first)


def _forbid_queries() -> None:
    """Threads that call vendors touch no database: a connection each would be hundreds."""
    for name in connections:
        connections[name].execute_wrappers.append(refuse_queries)
