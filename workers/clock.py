"""The time every due date, lease and expiry is measured by: the SQL function `app_now()`.

It is the database's clock plus an offset that only tests set, so that a week can pass in a test for every
process at once.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, models


class AppNow(models.Func):
    """`app_now()` as an expression for queries and defaults."""

    function = "app_now"
    template = "%(function)s()"
    output_field = models.DateTimeField()


def now() -> datetime:
    """The present by `app_now()`. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_now()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def advance(by: timedelta) -> None:
    """Move the clock of every process on this database. Refused outside tests."""
    if not settings.TEST_DOORS:
        raise RuntimeError("TEST_DOORS is off: the clock can't be moved")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_clock SET moved_by = moved_by + make_interval(secs => %s)", [by.total_seconds()]
        )


def reset() -> None:
    """Put the clock back to the real time."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workers_clock SET moved_by = interval '0'")
