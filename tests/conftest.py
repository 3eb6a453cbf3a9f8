"""What every test may need of the database, Redis, the store and live processes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from redis import Redis

from tests.processes import Processes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

settings.MIDDLEWARE = ["tests.conformance.Conformance", *settings.MIDDLEWARE]

# A machine that stalls for a second or two is not what a test within this process is about. The time that a request
# may wait is held by the outages, whose processes have their own settings.
_options: Any = settings.DATABASES["default"]["OPTIONS"]
_options["pool"]["timeout"] = 30

_sql_flush = DatabaseOperations.sql_flush


def _sql_flush_past_triggers(self: DatabaseOperations, *args: Any, **options: Any) -> list[str]:
    """Let the flush after a test with real transactions empty append-only tables too, and put the clock back.

    `replica` is a superuser's word, for the flush's own transaction: in it the project's triggers don't fire.
    """
    statements: list[str] = _sql_flush(self, *args, **options)
    if not statements:
        return []
    return [
        "SET LOCAL session_replication_role = replica",
        *statements,
        "UPDATE workers_clock SET moved_by = interval '0'",
    ]


DatabaseOperations.sql_flush = _sql_flush_past_triggers  # type: ignore[assignment,method-assign]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database, which can be dropped at the end: a process that was killed last may still be leaving it."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def empty_redis() -> Iterator["Redis"]:
    """Redis with nothing in it."""
    client = Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture(scope="session")
def store() -> Iterator["S3Client"]:
    """The store, as its owner sees it."""
    client = boto3.client(
        "s3",
        endpoint_url=settings.S3_ENDPOINT_URL,
        aws_access_key_id=settings.S3_ACCESS_KEY_ID,
        aws_secret_access_key=settings.S3_SECRET_ACCESS_KEY,
        region_name=settings.S3_REGION,
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_by_an_earlier_run(store: "S3Client") -> None:
    """The servers keep their data between runs; a run that was killed cleaned nothing up."""
    _empty(store)
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()


@pytest.fixture
def bucket(store: "S3Client") -> "S3Client":
    """The store with nothing in it: what a process of an earlier test left behind is not this test's."""
    _empty(store)
    return store


def _empty(store: "S3Client") -> None:
    for page in store.get_paginator("list_objects_v2").paginate(Bucket=settings.S3_BUCKET):
        for found in page.get("Contents", []):
            store.delete_object(Bucket=settings.S3_BUCKET, Key=found["Key"])


@pytest.fixture
def processes(transactional_db: None, empty_redis: "Redis", tmp_path: Path) -> Iterator[Processes]:
    """Real processes on this test's database: `processes.start("worker-io")`."""
    running = Processes(tmp_path)
    yield running
    # Before the database is emptied under them.
    running.stop_all()
