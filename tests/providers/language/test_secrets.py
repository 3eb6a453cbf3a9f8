"""Keys, and addresses that are keys, are nowhere to be read."""

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from providers.language.contract import Video
from providers.language.errors import LanguageError
from tests.vendors import Failure, Gemini, Groq, HangUp, Raw, Words, Xai

from .vendors import GEMINI, PLAN, Vendor, ignored, question

Simulator = Groq | Xai | Gemini
KEY = "very-secret-key-0123456789"


def _echo(request: Any) -> Failure:
    """A vendor that repeats the key in every place it has."""
    return Failure(400, KEY, f"Bad request with {KEY}.")


@pytest.mark.parametrize(
    "said",
    [
        PLAN,
        Failure(401, message=f"Wrong key {KEY}"),
        _echo,
        HangUp(),
        Raw(KEY.encode()),
        Words(text=PLAN, finish=KEY),
    ],
    ids=["good", "401", "echo", "closed", "garbage", "finish"],
)
def test_no_log_and_no_error_has_the_key(vendor: Vendor, said: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    written: list[str] = []
    with vendor.simulator(key=KEY) as simulator:
        simulator.answers(said)
        adapter = vendor.adapter(simulator)
        for on_text in (None, ignored):
            try:
                adapter.ask(vendor.fact, question(), on_text=on_text)
            except LanguageError as error:
                written += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        written += [repr(adapter), repr(vars(adapter)["_openai"])]

    for text in (caplog.text, *written):
        assert KEY not in text


def test_the_key_is_nowhere_in_an_upload_and_its_address_in_no_log_above_debug(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0" * 100)
    with Gemini(key=KEY) as gemini:
        gemini.answers(Failure(500))
        asked = question()
        with pytest.raises(LanguageError) as caught:
            GEMINI.adapter(gemini, poll_seconds=0.01).ask(
                GEMINI.fact,
                type(asked)(
                    system="",
                    turns=asked.turns,
                    schema_name="plan",
                    schema=asked.schema,
                    video=Video(path=film, media_type="video/mp4", seconds=1),
                ),
            )

    text = caplog.text + "".join(traceback.format_exception(caught.value))
    assert KEY not in text
    # urllib3 logs addresses at DEBUG; config.logs is what stands between those and the log.
    above = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert not any("upload_id=" in message for message in above)
    # The address may be another host's, and is secret enough.
    chunks = [request for request in gemini.requests if request.query]
    assert chunks
    assert not any("x-goog-api-key" in request.headers for request in chunks)


def test_the_environment_changes_nothing(
    vendor: Vendor, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "of-someone-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "an-organisation")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer of-someone-else\nX-Extra: 1")
    simulator.answers(PLAN)

    assert vendor.adapter(simulator).ask(vendor.fact, question()).text == PLAN

    sent = simulator.requests[0].headers
    assert sent.keys() <= {
        *(
            "accept",
            "accept-encoding",
            "authorization",
            "connection",
            "content-length",
            "content-type",
            "host",
        ),
        "user-agent",
    }
    assert sent["authorization"] == f"Bearer {simulator.key}"


def test_a_redirect_takes_the_key_nowhere(vendor: Vendor, simulator: Simulator) -> None:
    with vendor.simulator(key=simulator.key) as elsewhere:
        simulator.answers(Raw(b"", status=307))
        with pytest.raises(LanguageError):
            vendor.adapter(simulator).ask(vendor.fact, question())
        assert not elsewhere.requests


def test_a_private_address_is_reached_only_where_the_operator_named_it(
    gemini: Gemini, tmp_path: Path
) -> None:
    """An upload's address comes from the vendor: the guard of the one HTTP client stands before it."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0" * 100)
    with Gemini(key=gemini.key) as elsewhere:
        gemini.upload_root = elsewhere.root
        asked = question()
        with pytest.raises(LanguageError) as caught:
            GEMINI.adapter(gemini, poll_seconds=0.01).ask(
                GEMINI.fact,
                type(asked)(
                    system="",
                    turns=asked.turns,
                    schema_name="plan",
                    schema=asked.schema,
                    video=Video(path=film, media_type="video/mp4", seconds=1),
                ),
            )
        assert caught.value.code == "address_refused"
        assert not elsewhere.requests
