"""A database of its own for a proof or a benchmark, which its child processes find too."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo


@contextmanager
def scratch_database() -> Iterator[None]:
    """Make an empty database beside the one of DATABASE_URL, name it there, migrate it, and drop it at the end.

    To be entered before Django is set up, which it does.
    """
    server = os.environ["DATABASE_URL"]
    name = f"scratch_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    os.environ["DATABASE_URL"] = make_conninfo(server, dbname=name)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, skip_checks=True)
        yield
    finally:
        os.environ["DATABASE_URL"] = server
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_url() -> str:
    """The database this process is on, for a child process's DATABASE_URL: in a test, the test's own."""
    from django.db import connection

    found = connection.settings_dict
    server = conninfo_to_dict(os.environ["DATABASE_URL"])
    return make_conninfo("", **{**server, "dbname": found["NAME"]})
