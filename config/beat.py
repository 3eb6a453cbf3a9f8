"""Beat's scheduler: the schedule in memory, and a heartbeat row as long as it ticks."""

import logging
import threading
import time
from typing import Any

from celery.beat import Scheduler
from django.db import DatabaseError, connection

from workers import heartbeats
from workers.engine import process_name

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0


class HeartbeatScheduler(Scheduler):
    """Celery's in-memory scheduler: what is due is in the database, so there is no state to keep on disk."""

    _ticked_at = 0.0

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)
        # A thread of its own: a database that doesn't answer must not stop the clock.
        threading.Thread(target=self._tell, name="beat-heartbeat", daemon=True).start()

    def tick(self, *arguments: Any, **options: Any) -> float:
        wait: float = super().tick(*arguments, **options)
        self._ticked_at = time.monotonic()
        return wait

    def _tell(self) -> None:
        while True:
            if time.monotonic() - self._ticked_at < HEARTBEAT_SECONDS:
                try:
                    heartbeats.write(process_name(), "beat")
                except DatabaseError as error:
                    logger.warning("no heartbeat written: %s", type(error).__name__)
                finally:
                    connection.close()
            time.sleep(HEARTBEAT_SECONDS)
