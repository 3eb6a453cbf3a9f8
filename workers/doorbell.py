"""Ringing the workers through Redis. It may fail: every due row is found by the clock anyway."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError
from redis import Redis

from workers.redis_breaker import RedisAway, breaker

logger = logging.getLogger(__name__)

# A ring that nobody heard for so long is worth nothing: the clock has rung since.
RING_SECONDS = 30


def ring(queue: str) -> None:
    """Wake a worker of `queue`. Best effort, and silent for some seconds after Redis was found away."""

    def send(_: Redis) -> None:
        try:
            current_app.send_task("workers.run_due", args=[queue], queue=queue, expires=RING_SECONDS)
        except OperationalError as error:
            raise ConnectionError from error

    try:
        breaker().call(send)
    except RedisAway:
        logger.info("the doorbell of %s is silent", queue)
