"""Two transactions at once, in an order that a test can rely on."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, transaction

SECONDS = 20

Answer = TypeVar("Answer")


def at_once(first: Callable[[], Answer], second: Callable[[], Answer]) -> tuple[Answer, Answer]:
    """Run `second` on another connection while the transaction of `first` is open; it ends after that's commit.

    Deterministic: `first` commits once `second` has answered or is seen to wait for it.
    """
    started = threading.Event()
    backend: list[int] = []

    def other() -> Answer:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    backend.append(cursor.fetchone()[0])
                started.set()
                return second()
        finally:
            started.set()
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            mine = first()
            theirs = pool.submit(other)
            started.wait(SECONDS)
            _until_waiting(backend[0], theirs)
        return mine, theirs.result(SECONDS)


def _until_waiting(backend: int, other: Future[Answer]) -> None:
    deadline = time.monotonic() + SECONDS
    while not other.done():
        with connection.cursor() as cursor:
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s))", [backend])
            if cursor.fetchone()[0]:
                return
        assert time.monotonic() < deadline, "the second movement neither answered nor waited"
        time.sleep(0.001)
