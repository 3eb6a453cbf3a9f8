"""What goes wrong at a vendor, as our errors: what can be repeated, and what must not be."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from providers.errors import (
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from providers.sound.elevenlabs import ElevenLabsProvider
from providers.sound.transport import client_for
from tests.providers.servers import closes, full_backlog, refused_port, resets, serving
from tests.vendors import CutOff, Drip, ElevenLabs, Failure, HangUp, Raw, Silence

from .vendors import EFFECT, ELEVENLABS_CALLS, effect, elevenlabs, posts

CALL = pytest.mark.parametrize("kind", ELEVENLABS_CALLS)


def detailed(status: int, detail: Any) -> Raw:
    return Raw(json.dumps({"detail": detail}).encode(), status=status)


def fails(vendor: ElevenLabs, folder: Path, said: Any, *, kind: str = "effect", **more: Any) -> ProviderError:
    vendor.answers(said)
    with pytest.raises(ProviderError) as caught:
        ELEVENLABS_CALLS[kind](elevenlabs(vendor, **more), folder)
    assert posts(vendor) == 1
    assert not list(folder.iterdir())
    return caught.value


@CALL
@pytest.mark.parametrize(
    "said",
    [Failure(500), Failure(502), Failure(503), Failure(504), HangUp(), CutOff(), Raw(b"", status=302)],
    ids=lambda said: f"{type(said).__name__} {getattr(said, 'status', '')}",
)
def test_a_call_whose_answer_is_lost_is_unknown_and_not_repeated(
    vendor: ElevenLabs, tmp_path: Path, kind: str, said: Any
) -> None:
    assert isinstance(fails(vendor, tmp_path, said, kind=kind), OutcomeUnknown)


@CALL
@pytest.mark.parametrize("said", [Silence(), Drip()], ids=["silence", "drip"])
def test_a_call_without_an_answer_in_time_is_unknown_and_not_repeated(
    vendor: ElevenLabs, tmp_path: Path, kind: str, said: Any
) -> None:
    began = time.monotonic()
    assert isinstance(fails(vendor, tmp_path, said, kind=kind, seconds=0.5), OutcomeUnknown)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("behaviour", [resets, closes])
def test_a_connection_that_ends_is_unknown(tmp_path: Path, behaviour: Any) -> None:
    with serving(behaviour) as server:
        adapter = ElevenLabsProvider(
            key="k", url=server.url, voice="x", http=client_for(server.url, seconds=5)
        )
        with pytest.raises(OutcomeUnknown):
            adapter.make_effect(EFFECT, tmp_path / "effect")
        assert len(server.received) == 1


def test_a_vendor_that_is_not_there_got_nothing(tmp_path: Path) -> None:
    with full_backlog() as full:
        for url in (f"http://127.0.0.1:{refused_port()}", full, "https://no-such-host.invalid"):
            adapter = ElevenLabsProvider(key="k", url=url, voice="x")
            with pytest.raises(NotSent):
                adapter.make_effect(EFFECT, tmp_path / "effect")


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        (Failure(400, "max_character_limit_exceeded"), RequestRefused, FailureCode.INVALID),
        (Failure(400, "voice_not_found"), RequestRefused, FailureCode.VOICE_UNKNOWN),
        (Failure(404, "voice_not_found"), RequestRefused, FailureCode.VOICE_UNKNOWN),
        (
            detailed(404, {"code": "voice_not_found", "type": "not_found"}),
            RequestRefused,
            FailureCode.VOICE_UNKNOWN,
        ),
        (Failure(400, "bad_prompt"), RequestRefused, FailureCode.MODERATED),
        (Failure(403, "content_against_policy"), RequestRefused, FailureCode.MODERATED),
        (
            detailed(400, {"code": "x", "data": {"prompt_suggestion": "A song like the sea"}}),
            RequestRefused,
            FailureCode.MODERATED,
        ),
        (detailed(400, {"prompt_suggestion": "…"}), RequestRefused, FailureCode.MODERATED),
        (
            detailed(422, [{"loc": ["body", "text"], "msg": "m", "type": "t"}]),
            RequestRefused,
            FailureCode.INVALID,
        ),
        (detailed(422, "a sentence"), RequestRefused, FailureCode.INVALID),
        (Raw(b"<html>", status=400), RequestRefused, FailureCode.INVALID),
        (Failure(401, "invalid_api_key"), CredentialsRefused, None),
        (Failure(401, "missing_permissions"), CredentialsRefused, None),
        (Failure(403, "only_for_creator+"), CredentialsRefused, None),
        (Failure(401, "quota_exceeded"), BalanceUsedUp, None),
        (Failure(429, "quota_exceeded"), BalanceUsedUp, None),
        (Failure(409), OutcomeUnknown, None),
    ],
)
def test_a_refusal_is_told_by_the_vendors_own_word(
    vendor: ElevenLabs, tmp_path: Path, said: Any, error: type[ProviderError], code: FailureCode | None
) -> None:
    failure = fails(vendor, tmp_path, said)
    assert type(failure) is error
    assert getattr(failure, "code", None) is code


@pytest.mark.parametrize("word", ["too_many_concurrent_requests", "concurrent_limit_exceeded", "system_busy"])
@pytest.mark.parametrize("wait", [None, 9])
def test_too_many_calls_wait_as_long_as_the_vendor_says(
    vendor: ElevenLabs, tmp_path: Path, word: str, wait: int | None
) -> None:
    failure = fails(vendor, tmp_path, Failure(429, word, retry_after=wait))
    assert isinstance(failure, RateLimited)
    assert failure.retry_after == (timedelta(seconds=wait) if wait else None)
    assert failure.retryable


def test_a_wrong_key_is_ours_to_fix(vendor: ElevenLabs, tmp_path: Path) -> None:
    for call in ELEVENLABS_CALLS.values():
        with pytest.raises(CredentialsRefused) as caught:
            call(elevenlabs(vendor, key="wrong"), tmp_path)
        assert not isinstance(caught.value, BalanceUsedUp)


def test_an_empty_balance_is_no_wrong_key(vendor: ElevenLabs, tmp_path: Path) -> None:
    vendor.account.credits = 99
    with pytest.raises(BalanceUsedUp):
        effect(elevenlabs(vendor), tmp_path)
    assert vendor.requests[-1].status == 401
