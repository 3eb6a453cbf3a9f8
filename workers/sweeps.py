"""Periodic work: each sweep runs about every so often, whoever rings and however often."""

import logging

from django.db import connection

from workers.jobs import SWEEPS
from workers.models import SweepRun

logger = logging.getLogger(__name__)

# One statement decides who runs a sweep: of two clocks, one sees the row already moved.
_TAKE = """
UPDATE workers_sweeprun SET ran_at = app_now()
WHERE name = %s AND (ran_at IS NULL OR ran_at <= app_now() - make_interval(secs => %s)) RETURNING name
"""


def run_due() -> dict[str, int]:
    """Run each sweep whose time has come; the rows each touched, by name."""
    known = set(SweepRun.objects.values_list("name", flat=True))
    SweepRun.objects.bulk_create(
        [SweepRun(name=name, ran_at=None) for name in SWEEPS if name not in known], ignore_conflicts=True
    )
    touched: dict[str, int] = {}
    for name, sweep in SWEEPS.items():
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [name, sweep.every.total_seconds()])
            if cursor.fetchone() is None:
                continue
        try:
            touched[name] = sweep.run()
        except Exception:
            logger.exception("sweep %s failed; it runs again in %s", name, sweep.every)
        else:
            if touched[name]:
                logger.info("sweep %s touched %d rows", name, touched[name])
    connection.close()
    return touched
