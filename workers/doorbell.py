"""Ringing the workers through Redis. It may fail: every due row is found by the clock anyway."""

import logging
import os
import threading
import time
from functools import cache

from celery import current_app
from kombu.exceptions import OperationalError
from redis import Redis

from workers.redis_breaker import RedisAway, breaker

logger = logging.getLogger(__name__)

# A ring that nobody heard for so long is worth nothing: the clock has rung since.
RING_SECONDS = 30
# Rings of a process that come closer than this are one.
TOGETHER_SECONDS = 0.05


def ring(queue: str) -> None:
    """Have a worker of `queue` woken within moments. Best effort, and nobody waits for Redis."""
    _ringer().ring(queue)


class _Ringer:
    """A thread that rings for all others of its process: a message for each job would be a tenth of its creation."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._change = threading.Condition()
        threading.Thread(target=self._run, name="doorbell", daemon=True).start()

    def ring(self, queue: str) -> None:
        with self._change:
            self._asked.add(queue)
            self._change.notify()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._asked)
                queues, self._asked = self._asked, set()
            for queue in queues:
                _send(queue)
            time.sleep(TOGETHER_SECONDS)


def _send(queue: str) -> None:
    """One message. Silent for some seconds after Redis was found away."""

    def send(_: Redis) -> None:
        try:
            current_app.send_task("workers.run_due", args=[queue], queue=queue, expires=RING_SECONDS)
        except OperationalError as error:
            raise ConnectionError from error

    try:
        breaker().call(send)
    except RedisAway:
        logger.info("the doorbell of %s is silent", queue)
    except Exception:
        logger.exception("the doorbell of %s is broken", queue)


@cache
def _ringer() -> _Ringer:
    """This process's thread, from its first ring on."""
    return _Ringer()


# A fork leaves the thread behind.
os.register_at_fork(after_in_child=_ringer.cache_clear)
