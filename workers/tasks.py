"""The Celery tasks: a name in, one call."""

from celery import shared_task

from workers import process, sweeps


@shared_task(name="workers.run_due", ignore_result=True)
def run_due(queue: str) -> None:
    """Claim and start all due jobs of `queue` in this process."""
    process.engine(queue).run_due()


@shared_task(name="workers.run_sweeps", ignore_result=True)
def run_sweeps() -> None:
    """Run the sweeps that are due and that no other process is running."""
    sweeps.run_due()
