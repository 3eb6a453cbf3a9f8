"""Which processes live: each worker and beat writes its row every few seconds."""

from datetime import timedelta

from django.db import connection

SILENT_AFTER = timedelta(hours=1)

_WRITE = """
INSERT INTO workers_heartbeat (process, queue, at) VALUES (%s, %s, app_now())
ON CONFLICT (process) DO UPDATE SET queue = excluded.queue, at = excluded.at
"""


def write(process: str, queue: str) -> None:
    """This process lives. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [process, queue])


def forget_silent() -> int:
    """Drop the rows of processes that ended long ago; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM workers_heartbeat WHERE at < app_now() - make_interval(secs => %s)",
            [SILENT_AFTER.total_seconds()],
        )
        return int(cursor.rowcount)
