from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CreditsConfig(AppConfig):
    name = "credits"

    def ready(self) -> None:
        from accounts.signals import user_joined

        from . import checks  # noqa: F401  registers itself
        from .sign_up import welcome

        post_migrate.connect(_seed_rate_cards, sender=self)
        user_joined.connect(welcome)


def _seed_rate_cards(*, using: str, **_: Any) -> None:
    from . import card_table

    card_table.seed(using)
