"""Standard Webhooks: what is believed and what is not."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from providers.errors import BadSignature
from providers.signatures import sign, verify

from .forgeries import signed, standard_webhook_forgeries

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"an older secret, on its way out").decode()
BODY = b'{"type": "video.done", "data": {"id": "vid_1", "status": "done"}}'


def test_the_published_vector_is_signed_alike() -> None:
    headers = sign(
        SECRET,
        message_id="msg_test_1",
        at=datetime.fromtimestamp(1_700_000_000, UTC),
        body=b'{"id":"abc123","status":"succeeded"}',
    )
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-signature"] == "v1,nZx/eaDc8x6VgQ/aOYzv4VxU3wGnjrx5oXPWE66NXk0="


def test_the_reference_library_believes_what_we_sign() -> None:
    Webhook(SECRET).verify(BODY, signed(SECRET, BODY))


def test_what_the_vendor_signed_is_believed_and_named() -> None:
    assert verify("vendor", [SECRET], signed(SECRET, BODY, message_id="msg_7"), BODY) == "msg_7"


def test_header_names_are_read_in_any_case() -> None:
    headers = {name.title(): value for name, value in signed(SECRET, BODY).items()}
    assert verify("vendor", [SECRET], headers, BODY) == "msg_1"


@pytest.mark.parametrize("secrets", [[SECRET, OLD_SECRET], [OLD_SECRET, SECRET]])
def test_either_secret_is_believed_while_it_rotates(secrets: list[str]) -> None:
    for used in (SECRET, OLD_SECRET):
        assert verify("vendor", secrets, signed(used, BODY), BODY)


def test_a_good_signature_counts_among_strange_ones() -> None:
    headers = signed(SECRET, BODY)
    headers["webhook-signature"] = f"v1a,xx nonsense v1,, v1,%% v2,AA== {headers['webhook-signature']}"
    assert verify("vendor", [SECRET], headers, BODY)


@pytest.mark.parametrize("minutes", [-4, 0, 4])
def test_four_minutes_either_way_are_tolerated(minutes: int) -> None:
    assert verify("vendor", [SECRET], signed(SECRET, BODY, late=timedelta(minutes=minutes)), BODY)


@pytest.mark.parametrize("name", [forgery.name for forgery in standard_webhook_forgeries(SECRET, BODY)])
def test_a_forgery_is_refused(name: str) -> None:
    # Made now: one from ten minutes ahead, made when the suite was collected, comes of age while it runs.
    forgery = next(made for made in standard_webhook_forgeries(SECRET, BODY) if made.name == name)

    with pytest.raises(BadSignature) as refusal:
        verify("vendor", [SECRET, OLD_SECRET], forgery.headers, forgery.body)
    assert SECRET not in str(refusal.value)


def test_with_no_secret_nothing_is_believed() -> None:
    with pytest.raises(BadSignature):
        verify("vendor", [], signed(SECRET, BODY), BODY)
