"""System checks of prices."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from . import rate_cards
from .models import RateCard


@register(Tags.database)
def no_card_below_cost(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Each rate card in force sells its base clip for at least what the vendor asks."""
    if "default" not in (databases or ()) or not _migrated():
        return []
    kind, code = (Error, "credits.E001") if settings.PRICING_REFUSE_BELOW_COST else (Warning, "credits.W001")
    return [
        kind(
            f"{card.subject} v{card.version} sells for {loss.price.currency} {loss.price.amount}"
            f" what the vendor asks {loss.cost.amount} for.",
            hint="Publish a new version of the rate card.",
            id=code,
        )
        for card in rate_cards.all_current()
        if (loss := rate_cards.loss_on(card))
    ]


def _migrated() -> bool:
    return RateCard._meta.db_table in connections["default"].introspection.table_names()
