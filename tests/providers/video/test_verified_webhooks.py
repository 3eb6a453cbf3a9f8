"""Which adapters check the signature of every delivery: some only once they have the secret or the key for it."""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from providers.contract import Webhooks
from providers.errors import BadSignature
from providers.vendors import VIDEO_PROVIDERS
from providers.video.edenai import EdenAIProvider
from providers.video.gemini_omni import GeminiOmniProvider
from providers.video.gemini_veo import GeminiVeoProvider
from providers.video.kie import KieProvider
from providers.video.openai import OpenAIProvider
from providers.video.replicate import ReplicateProvider
from tests.providers.contract import KEY

NOWHERE = "http://127.0.0.1:9"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
PUBLIC_KEY = (
    generate_private_key(65_537, 2_048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
GEMINI = {"type": "video.generated", "data": {"id": "id-1"}}
# The adapter; its optional setting, filled; a true delivery without a signature; what it claims without, and with.
OPTIONAL: list[tuple[Any, Mapping[str, str], Any, bool, bool]] = [
    (
        KieProvider,
        {"KIE_WEBHOOK_SECRET": "one, two"},
        {"code": 200, "data": {"taskId": "id-1", "state": "waiting"}},
        False,
        True,
    ),
    (
        EdenAIProvider,
        {"EDENAI_WEBHOOK_PUBLIC_KEY": PUBLIC_KEY},
        {"job_id": "id-1", "status": "processing"},
        False,
        True,
    ),
    # Whether Google signs is unconfirmed: what has no signature is taken even where there is a secret.
    (GeminiOmniProvider, {"GEMINI_OMNI_WEBHOOK_SECRET": SECRET}, GEMINI, False, False),
    (GeminiVeoProvider, {"GEMINI_VEO_WEBHOOK_SECRET": SECRET}, GEMINI, False, False),
]


def settings_of(kind: Any, filled: Mapping[str, str]) -> dict[str, str]:
    values = {name: NOWHERE if name.endswith("_URL") else KEY for name in kind.settings}
    return {**values, **dict.fromkeys(kind.optional, ""), **filled}


@pytest.mark.parametrize(
    ("kind", "filled", "delivery", "without", "having"), OPTIONAL, ids=[one[0].name for one in OPTIONAL]
)
def test_what_an_adapter_claims_is_what_it_does(
    kind: Any, filled: Mapping[str, str], delivery: Any, without: bool, having: bool
) -> None:
    body = json.dumps(delivery).encode()
    for settings, claim in (({}, without), (filled, having)):
        adapter = kind.from_settings(settings_of(kind, settings))
        assert adapter.verifies_webhooks is claim
        if claim:
            with pytest.raises(BadSignature):
                adapter.read_webhook({}, body)
        else:
            assert [update.external_id for update in adapter.read_webhook({}, body)] == ["id-1"]


def test_openai_has_no_delivery_to_believe_until_it_has_a_secret() -> None:
    for secret in ("", SECRET):
        settings = settings_of(OpenAIProvider, {"OPENAI_VIDEOS_WEBHOOK_SECRET": secret})
        adapter = OpenAIProvider.from_settings(settings)
        assert adapter.verifies_webhooks is bool(secret)
        with pytest.raises(BadSignature):
            adapter.read_webhook({}, b'{"type": "video.completed", "data": {"id": "id-1"}}')


def test_replicate_fetches_the_secret_that_it_was_not_given() -> None:
    for secret in ("", SECRET):
        adapter = ReplicateProvider.from_settings(
            settings_of(ReplicateProvider, {"REPLICATE_WEBHOOK_SECRET": secret})
        )
        assert adapter.verifies_webhooks
        with pytest.raises(BadSignature):
            adapter.read_webhook({}, b'{"id": "id-1", "status": "starting"}')


def test_no_adapter_claims_more_than_its_kind() -> None:
    """One that has nothing optional to verify with does as its kind says."""
    depending = {kind.name for kind, *_ in OPTIONAL} | {"openai"}
    for name, path in VIDEO_PROVIDERS.items():
        module, _, cls = path.rpartition(".")
        kind: Any = getattr(import_module(module), cls)
        if name not in depending and name != "vertex":
            adapter = kind.from_settings(settings_of(kind, {}))
            assert adapter.verifies_webhooks == (kind.webhooks is Webhooks.SIGNED), name
