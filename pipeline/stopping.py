"""Stopping the jobs of a film's parts."""

from collections.abc import Sequence
from uuid import UUID

from workers import jobs
from workers.models import JobState


def stop_all(subjects: Sequence[tuple[str, UUID]]) -> bool:
    """Stop the jobs about these, by kind and id; whether a worker is still at one, which is asked to stop.

    In the caller's transaction, which then holds their locks.
    """
    waits = False
    for standing in jobs.lock_all(subjects).values():
        if standing.claimed:
            jobs.request_cancel(standing)
            waits = True
        else:
            jobs.end(standing, JobState.CANCELLED)
    return waits
