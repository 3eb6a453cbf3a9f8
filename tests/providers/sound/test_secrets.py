"""Keys, and what vendors write, are nowhere to be read; the environment changes nothing."""

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from providers.errors import ProviderError
from providers.sound.contract import SoundProvider
from tests.vendors import Audio, ElevenLabs, Failure, Fal, HangUp, JobFailure, Raw

from .vendors import ELEVENLABS_CALLS, elevenlabs, mmaudio, noise, speech

KEY = "very-secret-key-0123456789"
WRITTEN = "Sorry, your prompt about the harbour was bad."


def texts(error: ProviderError) -> list[str]:
    return [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]


@pytest.mark.parametrize("kind", ELEVENLABS_CALLS)
@pytest.mark.parametrize(
    "said",
    [
        Audio(),
        Failure(401, message=f"Wrong key {KEY}: {WRITTEN}"),
        Failure(400, KEY, f"{WRITTEN} {KEY}"),
        Failure(500, KEY, WRITTEN),
        Raw(json.dumps({"detail": {"status": WRITTEN, "message": KEY}}).encode(), status=422),
        HangUp(),
        Raw(f"{WRITTEN} {KEY}".encode()),
    ],
    ids=["good", "401", "echo", "500", "422", "closed", "garbage"],
)
def test_no_log_and_no_error_has_the_key_or_the_vendors_words(
    kind: str, said: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ElevenLabs(key=KEY) as vendor:
        vendor.answers(said)
        adapter = elevenlabs(vendor)
        _check(adapter, lambda: ELEVENLABS_CALLS[kind](adapter, tmp_path), caplog)


@pytest.mark.parametrize(
    "failure", [None, JobFailure(422, WRITTEN, message=KEY), JobFailure(500, message=f"{WRITTEN} {KEY}")]
)
def test_nor_has_a_job_at_fal(
    failure: JobFailure | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Fal(key=KEY) as fal:
        fal.outcomes += [failure] if failure else []
        adapter = mmaudio(fal)
        _check(adapter, lambda: noise(adapter, tmp_path), caplog)


def _check(adapter: SoundProvider, call: Any, caplog: pytest.LogCaptureFixture) -> None:
    written = [repr(adapter), str(adapter)]
    try:
        written.append(repr(call()))
    except ProviderError as error:
        written += texts(error)
    for text in (caplog.text, *written):
        assert KEY not in text
        assert WRITTEN not in text


def test_the_environment_changes_nothing(
    vendor: ElevenLabs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("ELEVENLABS_API_KEY", "of-someone-else")
    monkeypatch.setenv("FAL_KEY", "of-someone-else")

    speech(elevenlabs(vendor), tmp_path)

    for request in vendor.requests:
        assert request.headers["xi-api-key"] == vendor.key
        assert request.headers.keys() <= {
            *("accept", "accept-encoding", "connection", "content-length", "content-type", "host"),
            *("user-agent", "xi-api-key"),
        }


def test_a_redirect_takes_the_key_nowhere(vendor: ElevenLabs, tmp_path: Path) -> None:
    with ElevenLabs(key=vendor.key) as elsewhere:
        vendor.answers(Raw(b"", status=307))
        for call in ELEVENLABS_CALLS.values():
            with pytest.raises(ProviderError):
                call(elevenlabs(vendor), tmp_path)
        assert not elsewhere.requests
