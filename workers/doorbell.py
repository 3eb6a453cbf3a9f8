"""Ringing the workers through Redis. It may fail: every due row is found by the clock anyway."""

import logging
import time

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

SILENT_SECONDS = 5.0
_silent_until = 0.0


def ring(queue: str) -> None:
    """Wake a worker of `queue`. Best effort: after a failure nothing is rung for some seconds."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        current_app.send_task("workers.run_due", args=[queue], queue=queue, expires=30)
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + SILENT_SECONDS
        logger.warning("the doorbell is silent: %s", type(error).__name__)
