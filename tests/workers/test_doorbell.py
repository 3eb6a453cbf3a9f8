"""The doorbell: heard within moments, rung once for many, and nobody waits for it."""

import time

from redis import Redis

from workers import doorbell

# One that no worker of the tests serves.
QUEUE = "slow"


def test_many_rings_at_once_are_heard_soon_and_are_few_messages(empty_redis: Redis) -> None:
    started = time.monotonic()
    for _ in range(1000):
        doorbell.ring(QUEUE)
    rung_in = time.monotonic() - started
    while not empty_redis.llen(QUEUE):
        assert time.monotonic() - started < 5, "nobody heard it"
        time.sleep(0.005)
    # As many as the time has room for, and the one that was under way.
    assert int(str(empty_redis.llen(QUEUE))) <= 2 + rung_in / doorbell.TOGETHER_SECONDS


def test_a_ring_after_the_others_is_heard_too(empty_redis: Redis) -> None:
    for expected in (1, 2, 3):
        doorbell.ring(QUEUE)
        deadline = time.monotonic() + 5
        while int(str(empty_redis.llen(QUEUE))) < expected:
            assert time.monotonic() < deadline, "nobody heard it"
            time.sleep(0.005)
