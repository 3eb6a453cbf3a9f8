"""Whatever a vendor answers outside 2xx becomes one of our errors; nothing of it makes the reader stumble."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.http import Answer
from providers.language.errors import CredentialsRefused, LanguageError, ModelGone, RateLimited, Unavailable
from providers.language.refusals import refusal, refusal_in_stream

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KNOWN = (
    "error",
    "code",
    "status",
    "message",
    "details",
    "type",
    "reason",
    "violations",
    "quotaId",
    "retryDelay",
)
LIKELY = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["27s", "PerDay", "model_not_found", "9" * 400 + "s", "API_KEY_INVALID"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KNOWN), inner, max_size=4),
    max_leaves=12,
)


def answer(status: int, body: Any, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(host="", status=status, headers=headers, body=content)


@given(
    status=st.integers(300, 599),
    body=JSON | LIKELY | st.builds(lambda inner: {"error": inner}, LIKELY) | st.binary(),
)
def test_any_answer_becomes_an_error(status: int, body: Any) -> None:
    error = refusal("groq", answer(status, body))

    assert isinstance(error, LanguageError)
    assert error.code
    assert error.cost == 0


@given(body=JSON | LIKELY)
def test_any_error_in_a_stream_becomes_an_error(body: Any) -> None:
    assert isinstance(refusal_in_stream("groq", body), LanguageError)


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (404, {"error": {"message": "x", "code": "model_not_found"}}, ModelGone, "model_not_found"),
        (400, {"error": {"message": "x", "code": "model_decommissioned"}}, ModelGone, "model_decommissioned"),
        (
            400,
            {"code": "invalid-argument", "error": "Incorrect API key provided."},
            CredentialsRefused,
            "invalid-argument",
        ),
        (
            402,
            {"error": {"code": 402, "status": "RESOURCE_EXHAUSTED"}},
            CredentialsRefused,
            "RESOURCE_EXHAUSTED",
        ),
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], RateLimited, "RESOURCE_EXHAUSTED"),
        (503, {"error": {"code": 503, "status": "UNAVAILABLE"}}, Unavailable, "UNAVAILABLE"),
        (498, b"", Unavailable, "http_498"),
        (500, {"error": {"message": "x", "code": "sk-0123456789"}}, Unavailable, "http_500"),
    ],
)
def test_the_vendors_word_is_the_code(status: int, body: Any, error: type[LanguageError], code: str) -> None:
    found = refusal("groq", answer(status, body))

    assert type(found) is error
    assert found.code == code


def test_the_wait_is_the_header_or_geminis_detail() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"}
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [detail]}}
    waits = []
    for found in (refusal("x", answer(429, body)), refusal("x", answer(429, {}, **{"Retry-After": "9"}))):
        assert isinstance(found, RateLimited)
        waits.append(found.retry_after)
    assert waits == [timedelta(seconds=27.5), timedelta(seconds=9)]
