"""Every line is JSON with the ids in force, and no line carries a secret."""

import json
import logging

import pytest
from django.test import Client

from config.logs import Formatter, Redaction
from workers import log_context


def line(message: str, *arguments: object, **extra: object) -> dict[str, object]:
    record = logging.LogRecord("tests", logging.INFO, __file__, 1, message, arguments, None)
    record.__dict__.update(extra)
    written: dict[str, object] = json.loads(Formatter().format(record))
    return written


def test_a_line_carries_the_ids_of_the_enclosing_blocks() -> None:
    with (
        log_context.log_context(request="r1", user=None),
        log_context.log_context(generation="g1", attempt="a1"),
    ):
        log_context.add(user="u1")
        written = line("sent %s", "it", ms=5)
    outside = line("later")

    assert written | {"at": ""} == {
        "level": "INFO",
        "logger": "tests",
        "message": "sent it",
        "ms": 5,
        "at": "",
        "request": "r1",
        "generation": "g1",
        "attempt": "a1",
        "user": "u1",
    }
    assert set(outside) == {"level", "logger", "message", "at"}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key is luma-0123456789", "key is [redacted]"),
        ("redis://:sesame@host:1/0", "redis://:[redacted]@host:1/0"),
        ("postgresql://me:sesame@host/video", "postgresql://me:[redacted]@host/video"),
        ("Authorization: Bearer abc.def-ghi.jkl", "Authorization: Bearer [redacted]"),
        ("api-key vid_0123456789abcdef", "api-key [redacted]"),
        ("/a.mp4?X-Amz-Signature=0f0f&x=1", "/a.mp4?X-Amz-Signature=[redacted]&x=1"),
        ("an ordinary line about a key", "an ordinary line about a key"),
    ],
)
def test_secrets_are_taken_out(text: str, clean: str) -> None:
    redact = Redaction({"LUMA_API_KEY": "luma-0123456789", "SHORT_KEY": "a key", "DEBUG": "ordinary line"})

    assert redact(text) == clean


def test_a_secret_in_an_exception_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMA_API_KEY", "luma-0123456789")
    try:
        raise ValueError("refused luma-0123456789")
    except ValueError as error:
        record = logging.LogRecord(
            "tests", logging.ERROR, __file__, 1, "failed", (), (ValueError, error, error.__traceback__)
        )

    written = Formatter().format(record)

    assert "luma-0123456789" not in written
    assert "refused [redacted]" in written


def test_a_request_keeps_its_callers_id(client: Client) -> None:
    assert (
        client.get("/healthz", headers={"X-Request-ID": "from-outside.1"})["X-Request-ID"] == "from-outside.1"
    )


def test_a_request_id_that_could_forge_a_log_line_is_replaced(client: Client) -> None:
    given = 'x", "level": "ERROR'

    answered = client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]

    assert answered != given
    assert len(answered) == 32


def test_a_finished_request_is_one_line_with_its_id(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="requests_in"):
        client.get("/api/v1/nothing-here/", headers={"X-Request-ID": "r-1"})
        client.get("/healthz")

    assert [record.getMessage() for record in caplog.records if record.name == "requests_in"] == [
        "GET /api/v1/nothing-here/ 404"
    ]
