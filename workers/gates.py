"""Gates: limits that hold across all workers, with a line that is fair between owners."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction

from workers.models import Gate

# The per-minute limit counts admissions of the last minute; older ones are kept a day for the record.
ADMISSIONS_KEPT = timedelta(days=1)

_OPEN_GATES = """
SELECT key, concurrent, per_minute FROM workers_gate gate
WHERE stopped_at IS NULL AND (paused_until IS NULL OR paused_until <= app_now())
AND NOT EXISTS (SELECT 1 FROM workers_gate WHERE key = '*' AND stopped_at IS NOT NULL)
AND EXISTS (SELECT 1 FROM workers_job WHERE gate = gate.key AND waits)
ORDER BY key FOR NO KEY UPDATE SKIP LOCKED
"""

_ADMIT = """
WITH room AS (
    SELECT least(
        %(concurrent)s - (SELECT count(*) FROM workers_job WHERE gate = %(key)s AND holds),
        %(per_minute)s - (SELECT count(*) FROM workers_admission
                          WHERE gate_id = %(key)s AND at > app_now() - interval '1 minute')
    ) AS places
), running AS (
    SELECT owner_id, count(*) AS places FROM workers_job WHERE holds AND ended_at IS NULL GROUP BY owner_id
), line AS (
    SELECT id, turn, created_at, owner_places,
        coalesce(running.places, 0)
            + row_number() OVER (PARTITION BY job.owner_id ORDER BY turn, job.created_at, id) AS place
    FROM workers_job job LEFT JOIN running USING (owner_id)
    WHERE gate = %(key)s AND waits AND due_at <= app_now()
), next AS (
    SELECT job.id FROM workers_job job JOIN line USING (id)
    WHERE line.owner_places IS NULL OR line.place <= line.owner_places
    ORDER BY line.turn, line.created_at, line.id
    LIMIT (SELECT greatest(places, 0) FROM room) FOR UPDATE OF job SKIP LOCKED
), admitted AS (
    UPDATE workers_job SET waits = false, holds = true FROM next WHERE workers_job.id = next.id
    RETURNING workers_job.id, workers_job.turn
), counted AS (
    INSERT INTO workers_admission (gate_id, job_id, at) SELECT %(key)s, id, app_now() FROM admitted
), moved AS (
    UPDATE workers_gate SET turn = greatest(turn, (SELECT max(turn) FROM admitted))
    WHERE key = %(key)s AND EXISTS (SELECT 1 FROM admitted)
)
SELECT count(*) FROM admitted
"""


def admit() -> int:
    """Let through what each gate has room for, in the order of turns; how many went through.

    One short transaction for all gates; a gate that another worker is admitting at is left to it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM workers_job WHERE waits LIMIT 1")
        if cursor.fetchone() is None:
            return 0
    admitted = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OPEN_GATES)
        for key, concurrent, per_minute in cursor.fetchall():
            cursor.execute(_ADMIT, {"key": key, "concurrent": concurrent, "per_minute": per_minute})
            row = cursor.fetchone()
            admitted += row[0] if row else 0
    return admitted


def ensure(limits: Mapping[str, tuple[int, int]]) -> None:
    """Make the gates that don't exist yet, by key, with (places at once, admissions a minute)."""
    Gate.objects.bulk_create(
        [
            Gate(key=key, concurrent=concurrent, per_minute=per_minute)
            for key, (concurrent, per_minute) in limits.items()
        ],
        ignore_conflicts=True,
    )


def pause(key: str, seconds: float) -> None:
    """Nobody passes this gate for `seconds`: the far side asked for it. A longer pause stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_gate"
            " SET paused_until = greatest(paused_until, app_now() + make_interval(secs => %s)) WHERE key = %s",
            [seconds, key],
        )


def forgive(job_ids: Sequence[UUID]) -> None:
    """What these jobs were let through for did not come about: the last minute's admissions of them don't count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM workers_admission USING workers_job job WHERE job.id = ANY(%s)"
            " AND gate_id = job.gate AND job_id = job.id AND at > app_now() - interval '1 minute'",
            [list(job_ids)],
        )


def stop(key: str, reason: str) -> None:
    """An operator's stop: nothing new passes; what has passed goes on. `Gate.EVERY` stops all gates."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workers_gate (key, concurrent, per_minute, stopped_at, stopped_reason, turn)"
            " VALUES (%s, 0, 0, app_now(), %s, 0) ON CONFLICT (key)"
            " DO UPDATE SET stopped_at = excluded.stopped_at, stopped_reason = excluded.stopped_reason",
            [key, reason],
        )


def reopen(key: str) -> None:
    """Lift an operator's stop."""
    Gate.objects.filter(key=key).update(stopped_at=None, stopped_reason="")


def forget_old_admissions() -> int:
    """Drop admissions that no limit counts any more; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM workers_admission WHERE at < app_now() - make_interval(secs => %s)",
            [ADMISSIONS_KEPT.total_seconds()],
        )
        return int(cursor.rowcount)
