"""System checks: combinations of settings that must not serve users. Every id is stable."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@register(Tags.security)
def test_doors_are_shut(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Nothing that exists for tests and for the embedded stack is open in production."""
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if settings.TEST_DOORS:
        found.append(
            Error("TEST_DOORS is on outside DEBUG: anybody's clock could be moved.", id="config.E001")
        )
    if settings.EMBEDDED_ORIGINS:
        found.append(
            Error(
                "EMBEDDED_ORIGINS is set outside DEBUG: outgoing requests could reach our own servers.",
                id="config.E002",
            )
        )
    if os.environ.get("CRASH_POINT"):
        found.append(
            Error("CRASH_POINT is set outside DEBUG: processes would kill themselves.", id="config.E003")
        )
    return found


@register(Tags.database)
def clock_is_right(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """The clock that tests move stands at the real time in production. Runs with `check --database`."""
    if settings.DEBUG or not databases:
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('workers_clock') IS NOT NULL")
            if cursor.fetchone() == (False,):
                return []
            cursor.execute("SELECT moved_by <> interval '0' FROM workers_clock")
            moved = cursor.fetchone()
    except DatabaseError:
        return []
    if moved == (True,):
        return [Error("The database's clock (workers_clock) is moved outside DEBUG.", id="config.E004")]
    return []


@register(Tags.security, deploy=True)
def addresses_are_public(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Links and callbacks that leave this machine lead back to it, over HTTPS."""
    found: list[CheckMessage] = []
    for name in ("PUBLIC_URL", "APP_ORIGIN"):
        address = urlsplit(getattr(settings, name))
        if address.scheme != "https" or address.hostname in _LOCAL_NAMES:
            found.append(
                Warning(
                    f"{name} is not a public https:// address: links to it work for nobody else.",
                    id="config.W001",
                )
            )
    return found
