"""Limits on how often something may happen, counted in one atomic step for all processes.

A limit is a sliding log: at most `count` in any window of `seconds`, so none lets twice as many through at a
window's edge. Redis counts; while it is away PostgreSQL does, by the same rule. Each limit has its own log:
what one limit grants is used even if another limit refuses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models.functions import Now
from redis import Redis

from accounts.models import RequestCount
from workers.redis_breaker import RedisAway, breaker


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `count` times in any `seconds`, for whoever `key` names."""

    key: str
    count: int
    seconds: int = 60
    # Requests with the same mark count once; empty: each counts.
    mark: str = ""


# Redis tells the time, so that all processes count by one clock (microseconds, exact in a double until 2255).
# The answer is the milliseconds that the most reluctant limit asks to wait; 0: go on.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait = 0
for index, key in ipairs(KEYS) do
    local count = tonumber(ARGV[index * 3 - 2])
    local window = tonumber(ARGV[index * 3 - 1]) * 1000000
    local mark = ARGV[index * 3]
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
    if not redis.call('ZSCORE', key, mark) then
        if redis.call('ZCARD', key) < count then
            redis.call('ZADD', key, now, mark)
            redis.call('PEXPIRE', key, window / 1000)
        else
            local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
            local left = oldest[2] and (oldest[2] + window - now) or window
            wait = math.max(wait, math.ceil(left / 1000))
        end
    end
end
return wait
"""


def take(limits: Sequence[Limit]) -> int:
    """Count one request under each limit. 0: all allow it; else the seconds after which to try again."""
    try:
        return breaker().call(lambda redis: _take_in_redis(redis, limits))
    except RedisAway:
        return _take_in_postgres(limits)


def _take_in_redis(redis: Redis, limits: Sequence[Limit]) -> int:
    arguments: list[str | int] = []
    for limit in limits:
        arguments += [limit.count, limit.seconds, limit.mark or uuid4().hex]
    # The text is sent each time: a kilobyte, where a digest would need a second call after each restart of
    # Redis.
    milliseconds = redis.eval(_TAKE, len(limits), *[f"rate:{limit.key}" for limit in limits], *arguments)
    return math.ceil(int(milliseconds) / 1000)


def _take_in_postgres(limits: Sequence[Limit]) -> int:
    by_key = {limit.key: limit for limit in limits}
    wait = 0.0
    with transaction.atomic():
        # Inserted and locked in the order of keys, so that two requests can't wait for each other.
        RequestCount.objects.bulk_create(
            [RequestCount(key=key, log={}, expires_at=Now()) for key in sorted(by_key)], ignore_conflicts=True
        )
        rows = list(
            RequestCount.objects.select_for_update()
            .filter(key__in=by_key)
            .order_by("key")
            .annotate(now=Now())
        )
        for row in rows:
            limit, now = by_key[row.key], row.now.timestamp()
            row.log = {mark: at for mark, at in row.log.items() if at > now - limit.seconds}
            if limit.mark in row.log:
                continue
            if len(row.log) < limit.count:
                row.log[limit.mark or uuid4().hex] = now
                row.expires_at = row.now + timedelta(seconds=limit.seconds)
            else:
                wait = max(wait, min(row.log.values(), default=now) + limit.seconds - now)
        RequestCount.objects.bulk_update(rows, ["log", "expires_at"])
    return math.ceil(wait)


def forget_old() -> int:
    """Delete the logs in PostgreSQL that no longer limit anybody. Safe to repeat. Returns how many."""
    old = RequestCount.objects.filter(expires_at__lt=Now()).values("key")[:1000]
    return RequestCount.objects.filter(key__in=old).delete()[0]
