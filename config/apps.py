from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Each process that rings or is rung uses this Celery application; the checks join Django's.
        from config import celery, checks  # noqa: F401
