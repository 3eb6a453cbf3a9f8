"""What beat rings. A message expires with its interval: a clock that lagged floods nobody."""

from typing import Any

QUEUES = ("io", "slow", "media")

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweeps": {
        "task": "workers.run_sweeps",
        "schedule": 1.0,
        "options": {"queue": "io", "expires": 1.0},
    },
}
