"""The Celery application: how messages travel. What they mean is in `workers`.

A message is a wake-up and carries a name; the rows in PostgreSQL are the jobs. So a message may be lost,
late, doubled or reordered, and the settings favour a worker that stays alive over one that guards its
messages.
"""

import os
from typing import Any

from celery import Celery, signals
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from workers.schedule import BEAT_SCHEDULE, QUEUES

# The broker's socket options. A publish to a frozen broker would never return without a time-out; in a worker
# it must stay above the 1 s of its blocking read.
WORKER_TRANSPORT: dict[str, Any] = {
    "visibility_timeout": 300,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
WEB_TRANSPORT = {**WORKER_TRANSPORT, "socket_timeout": 1, "socket_connect_timeout": 1}
# A ring that fails is logged and forgotten: the clock finds the row.
WORKER_PUBLISH_RETRY: dict[str, Any] = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
WEB_PUBLISH_RETRY = {**WORKER_PUBLISH_RETRY, "max_retries": 0}

CELERY: dict[str, Any] = {
    "broker_url": settings.REDIS_URL,
    "broker_transport_options": WORKER_TRANSPORT,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry_policy": WORKER_PUBLISH_RETRY,
    "task_queues": [Queue(name) for name in QUEUES],
    "task_create_missing_queues": False,
    "task_default_queue": "io",
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    # Redelivery is the business of a row's lease: late acknowledgement runs a task twice at once.
    "task_acks_late": False,
    # A task that kills its process would come back for ever; a row counts its claims.
    "task_reject_on_worker_lost": False,
    # Would end paid submissions and FFmpeg when Redis blinks.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # A message is taken only when a slot is free.
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    # For prefork; threads can't be stopped, so none of theirs runs longer. An idle worker has nothing in memory
    # to give back (no task has an ETA), so it leaves at once.
    "worker_soft_shutdown_timeout": 20,
    "worker_enable_soft_shutdown_on_idle": False,
    # For prefork: Python keeps its high-water mark of memory (the second is in kB). A wake-up is a task too.
    "worker_max_tasks_per_child": 1000,
    "worker_max_memory_per_child": 400_000,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "beat_schedule": BEAT_SCHEDULE,
    "beat_scheduler": "config.beat:HeartbeatScheduler",
    # The longest that beat sleeps; its entry is due every second.
    "beat_max_loop_interval": 1,
    "timezone": "UTC",
}

app = Celery("config", set_as_current=True)
app.conf.update(CELERY)
# The current app is a thread's own; this one is every thread's.
app.set_default()
app.autodiscover_tasks(["workers"])


def answer_quickly() -> None:
    """Use the time-outs of a process that has a user waiting."""
    app.conf.update(broker_transport_options=WEB_TRANSPORT, task_publish_retry_policy=WEB_PUBLISH_RETRY)


@signals.setup_logging.connect
def keep_logging(**_: object) -> None:
    """Being connected keeps Celery from replacing Django's LOGGING."""
