"""The one breaker per process around Redis: after one failure Redis is skipped for some seconds.

Redis is a doorbell and a fast counter; whoever calls it has another way. So a call may cost 0.3 s once, and
nothing while Redis is known to be away.
"""

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, OutOfMemoryError, ReadOnlyError, TimeoutError
from redis.retry import Retry

T = TypeVar("T")

TIMEOUT_SECONDS = 0.3
SKIP_SECONDS = 5.0


class RedisAway(Exception):
    """Redis did not answer, or did not a moment ago: take the other way."""


class RedisBreaker:
    """A Redis connection pool that gives up quickly. Thread-safe, and safe across a fork."""

    def __init__(
        self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, skip_seconds: float = SKIP_SECONDS
    ) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            # A greeting would be one more answer to wait for.
            protocol=2,
            driver_info=None,
        )
        self._skip_seconds = skip_seconds
        self._lock = threading.Lock()
        self._skip_until = 0.0

    def call(self, function: Callable[[Redis], T]) -> T:
        """What `function` makes of Redis. Raises RedisAway; other errors of Redis are the caller's own."""
        with self._lock:
            now = time.monotonic()
            if now < self._skip_until:
                raise RedisAway
            was_away = self._skip_until > 0
            if was_away:
                # This call tries for all; the others go on skipping until it knows.
                self._skip_until = now + self._skip_seconds
        try:
            answer = function(self._redis)
        except (ConnectionError, TimeoutError, OutOfMemoryError, ReadOnlyError, OSError) as error:
            with self._lock:
                self._skip_until = time.monotonic() + self._skip_seconds
            raise RedisAway from error
        if was_away:
            with self._lock:
                self._skip_until = 0.0
        return answer


@cache
def breaker() -> RedisBreaker:
    """This process's breaker around settings.REDIS_URL."""
    return RedisBreaker(settings.REDIS_URL)
