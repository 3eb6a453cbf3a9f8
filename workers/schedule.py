"""What beat rings. Each message expires with its interval: a clock that lagged floods nobody."""

from typing import Any

QUEUES = ("io", "slow", "media")

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    **{
        f"due-{queue}": {
            "task": "workers.run_due",
            "args": (queue,),
            "schedule": 1.0,
            "options": {"queue": queue, "expires": 1.0},
        }
        for queue in QUEUES
    },
    "sweeps": {
        "task": "workers.run_sweeps",
        "schedule": 1.0,
        "options": {"queue": "io", "expires": 1.0},
    },
}
