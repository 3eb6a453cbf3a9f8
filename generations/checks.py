"""System checks: that videos can be signed, and by whom, and that limits are understood. Every id is stable."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from generations import certificates, provenance
from generations.provenance import SigningFailed
from providers.catalogue import MODELS
from providers.vendors import VIDEO_PROVIDERS


@register()
def videos_can_be_signed(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """The operator's certificate and key are there, belong together, and may sign content credentials."""
    try:
        provenance.prove_signing()
    except SigningFailed as error:
        return [Error(str(error), id="generations.E001")]
    return []


@register(Tags.security, deploy=True)
def signatures_can_be_trusted(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Somebody outside has a reason to trust what is signed here."""
    if not certificates.is_ours():
        return []
    return [
        Warning(
            "Content credentials are signed with a test certificate, which nobody else trusts.",
            hint="Set C2PA_CERTIFICATE_CHAIN and C2PA_PRIVATE_KEY: docs/provenance.md.",
            id="generations.W001",
        )
    ]


@register()
def limits_are_understood(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What vendors may cost and be asked: a word that nobody reads would be a limit that nobody keeps."""
    wrong = [
        *_unread("PROVIDER_BUDGETS", settings.PROVIDER_BUDGETS, ("day", "month")),
        *_unread("PROVIDER_LIMITS", settings.PROVIDER_LIMITS, ("concurrent", "per_minute", "per_day")),
    ]
    return [Error(f"{what} is not understood.", id="generations.E002") for what in wrong]


def _unread(setting: str, value: Mapping[str, Mapping[str, object]], words: Sequence[str]) -> Iterator[str]:
    for provider, limits in value.items():
        if provider not in VIDEO_PROVIDERS and not (setting == "PROVIDER_LIMITS" and provider in MODELS):
            yield f"{setting}: {provider}"
        for word, limit in limits.items():
            if word not in words or not _is_amount(limit):
                yield f"{setting}: {provider}: {word}"


def _is_amount(value: object) -> bool:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return False
    return amount.is_finite() and amount >= 0
