"""System checks: the language models that the settings name are known and still there. Every id is stable."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from providers.catalogue.language import LANGUAGE_MODELS, TRANSCRIPTION_MODELS


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
