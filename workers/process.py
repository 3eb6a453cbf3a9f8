"""The engine of this worker process and its clock: made when the process starts, stopped before it ends."""

import logging
import threading
from typing import Any

from celery.signals import worker_init, worker_process_init, worker_process_shutdown, worker_shutdown
from django.conf import settings
from django.db import DatabaseError

from workers.engine import Engine

logger = logging.getLogger(__name__)

STOP_SECONDS = 25.0
CLOCK_SECONDS = 1.0

_engines: dict[str, Engine] = {}
_lock = threading.Lock()
_stopping = threading.Event()


def engine(queue: str) -> Engine:
    """This process's engine for `queue`, started on first use."""
    with _lock:
        if queue not in _engines:
            _stopping.clear()
            started = _engines[queue] = Engine(queue, settings.WORKER_THREADS[queue])
            started.start()
            threading.Thread(target=_look, args=(started,), name=f"{queue}-clock", daemon=True).start()
        return _engines[queue]


def _look(engine: Engine) -> None:
    """Look for due jobs every second: a message through Redis makes it sooner, its loss costs that second."""
    while not _stopping.wait(CLOCK_SECONDS):
        try:
            engine.run_due()
        except DatabaseError as error:
            logger.warning("due jobs of %s wait for the database: %s", engine.queue, error)
        except Exception:
            logger.exception("due jobs of %s could not be run", engine.queue)


def start(**_: Any) -> None:
    """Start at once the engine that WORKER_QUEUE names, so that an idle worker shows that it lives."""
    if settings.WORKER_QUEUE:
        engine(settings.WORKER_QUEUE)


def stop(**_: Any) -> None:
    _stopping.set()
    with _lock:
        for running in _engines.values():
            running.stop(STOP_SECONDS)
        _engines.clear()


def start_unless_forking(sender: Any = None, **_: Any) -> None:
    """In a pool of threads the worker itself does the work; in a prefork pool its children do."""
    pool = getattr(sender, "pool_cls", None)
    if "prefork" not in str(getattr(pool, "__module__", "")):
        start()


worker_init.connect(start_unless_forking, weak=False)
worker_process_init.connect(start, weak=False)
worker_process_shutdown.connect(stop, weak=False)
worker_shutdown.connect(stop, weak=False)
