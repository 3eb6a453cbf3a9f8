from datetime import timedelta

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        from workers import gates, heartbeats, jobs

        jobs.register_sweep(
            jobs.Sweep(name="old_admissions", every=timedelta(hours=1), run=gates.forget_old_admissions)
        )
        jobs.register_sweep(
            jobs.Sweep(name="silent_heartbeats", every=timedelta(minutes=10), run=heartbeats.forget_silent)
        )
