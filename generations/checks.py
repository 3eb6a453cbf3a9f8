"""System checks: that videos can be signed, and by whom. Every id is stable."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register

from generations import certificates, provenance
from generations.provenance import SigningFailed


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
