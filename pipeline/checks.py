"""System checks: the models that the settings name are known, still there and priced. Every id is stable."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from credits import rate_cards
from credits.models import RateCard
from providers.catalogue.language import LANGUAGE_MODELS, TRANSCRIPTION_MODELS
from providers.catalogue.sound import SOUND_MODELS


@register()
def language_models_are_known(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A name that nobody knows would never be asked, in silence."""
    found: list[CheckMessage] = []
    for setting in ("LANGUAGE_MODELS", "VISION_MODELS"):
        for name in getattr(settings, setting):
            model = LANGUAGE_MODELS.get(name)
            if model is None:
                known = ", ".join(LANGUAGE_MODELS)
                found.append(
                    Error(f"{setting} names {name!r}, which is none of: {known}.", id="pipeline.E001")
                )
            elif model.retires_at is not None and model.retires_at <= datetime.now(UTC):
                found.append(
                    Warning(
                        f"{setting} names {name!r}, which its vendor has retired. Use {model.successor}.",
                        id="pipeline.W001",
                    )
                )
            elif setting == "VISION_MODELS" and not model.vision:
                found.append(
                    Error(f"VISION_MODELS names {name!r}, which sees no pictures.", id="pipeline.E002")
                )
    if settings.TRANSCRIPTION_MODEL and settings.TRANSCRIPTION_MODEL not in TRANSCRIPTION_MODELS:
        known = ", ".join(TRANSCRIPTION_MODELS)
        found.append(
            Error(
                f"TRANSCRIPTION_MODEL is {settings.TRANSCRIPTION_MODEL!r}, which is none of: {known}.",
                id="pipeline.E003",
            )
        )
    return found


@register()
def sound_models_are_known(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A name that nobody knows would never be chosen, in silence."""
    known = ", ".join(SOUND_MODELS)
    return [
        Error(f"SOUND_MODELS names {name!r}, which is none of: {known}.", id="pipeline.E004")
        for name in settings.SOUND_MODELS
        if name not in SOUND_MODELS
    ]


@register(Tags.database)
def sounds_have_prices(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Each sound model that may be chosen has a rate card in force: without a price nothing starts."""
    tables = connections["default"].introspection.table_names() if "default" in (databases or ()) else []
    if RateCard._meta.db_table not in tables:
        return []
    named = [name for name in settings.SOUND_MODELS if name in SOUND_MODELS]
    priced = rate_cards.current(named)
    return [
        Warning(
            f"SOUND_MODELS names {name!r}, which has no price: films with such a sound can't be rendered.",
            hint="Publish a rate card for it, or run seed_rate_cards.",
            id="pipeline.W002",
        )
        for name in named
        if name not in priced
    ]
