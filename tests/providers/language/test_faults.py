"""Every way in which a vendor can fail, and the error it ends in."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from providers.catalogue.language import LANGUAGE_MODELS
from providers.language.contract import Usage
from providers.language.errors import (
    BadAnswer,
    ContentRefused,
    CredentialsRefused,
    LanguageError,
    ModelGone,
    RateLimited,
    RequestRefused,
    Truncated,
    Unavailable,
)
from providers.language.transport import LanguageClient
from tests.providers.servers import drips_headers, refused_port, serving
from tests.vendors import (
    CutOff,
    Drip,
    Failure,
    Gemini,
    Groq,
    HangUp,
    Raw,
    Silence,
    StreamError,
    Words,
    Xai,
    huge,
)

from .vendors import GEMINI, GROQ, PLAN, XAI, Vendor, ignored, question

Simulator = Groq | Xai | Gemini
SHORT = 0.5
# How much later than its time a call may end: the watchdog's tick, and a busy machine.
LATE = 2.0


@dataclass(frozen=True)
class Fault:
    """What the vendor does, and the error and code it ends in; without a code, the vendor's own."""

    said: Callable[[], Any]
    error: type[LanguageError]
    code: str | None = None


FAULTS = {
    "garbage": Fault(lambda: Raw(b"\x00\xff{garbage"), BadAnswer),
    "a page": Fault(lambda: Raw(b"<html>Please log in</html>", media_type="text/html"), BadAnswer),
    "another JSON": Fault(lambda: Raw(b"[1, 2]"), BadAnswer),
    "null": Fault(lambda: Raw(b"null"), BadAnswer),
    "choices of another kind": Fault(lambda: Raw(b'{"choices": [{"message": 3}], "usage": "x"}'), BadAnswer),
    "no choices": Fault(lambda: Raw(b'{"choices": [], "usage": null}'), BadAnswer),
    "deep JSON": Fault(lambda: Raw(b"[" * 100_000), BadAnswer),
    "half an answer": Fault(CutOff, BadAnswer, "cut_off"),
    "20 MB": Fault(huge, BadAnswer, "too_large"),
    "20 MB of an error": Fault(lambda: replace(huge(), status=500), Unavailable),
    "nothing said": Fault(lambda: Words(text=""), BadAnswer, "empty"),
    "an end of no known kind": Fault(lambda: Words(text=PLAN, finish="tool_calls"), BadAnswer, "tool_calls"),
    "connection closed": Fault(HangUp, Unavailable, "interrupted"),
    "redirect": Fault(lambda: Raw(b"", status=302), RequestRefused),
    "empty error": Fault(lambda: Raw(b"", status=502), Unavailable, "http_502"),
    "500": Fault(lambda: Failure(500), Unavailable),
    "503": Fault(lambda: Failure(503), Unavailable),
    "408": Fault(lambda: Failure(408), Unavailable),
    "400": Fault(lambda: Failure(400), RequestRefused),
    "413": Fault(lambda: Failure(413), RequestRefused),
    "422": Fault(lambda: Failure(422), RequestRefused),
    "401": Fault(lambda: Failure(401), CredentialsRefused),
    "402": Fault(lambda: Failure(402), CredentialsRefused),
    "403": Fault(lambda: Failure(403), CredentialsRefused),
    "404": Fault(lambda: Failure(404), ModelGone),
    "429": Fault(lambda: Failure(429), RateLimited),
    "a refusal": Fault(lambda: Words(text="I can't.", refusal=True), ContentRefused, "refusal"),
    "filtered": Fault(lambda: Words(text="", finish="content_filter"), ContentRefused, "content_filter"),
    "truncated": Fault(lambda: Words(text=PLAN[:20], finish="length"), Truncated),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_its_error(vendor: Vendor, simulator: Simulator, fault: str, streamed: bool) -> None:
    expected = FAULTS[fault]
    simulator.answers(expected.said())

    with pytest.raises(LanguageError) as caught:
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=ignored if streamed else None)

    assert type(caught.value) is expected.error
    assert expected.code in (None, caught.value.code)
    assert caught.value.provider == vendor.name


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "words",
    [
        Words(text="I can't.", refusal=True),
        Words(text=PLAN[:20], finish="length"),
        Words(text="", finish="content_filter"),
        Words(text=""),
    ],
    ids=["refusal", "truncated", "filtered", "empty"],
)
def test_an_error_carries_what_the_vendor_says_it_used(
    vendor: Vendor, simulator: Simulator, words: Words, streamed: bool
) -> None:
    usage = Usage(input_tokens=900, cached_tokens=100, output_tokens=80)
    simulator.answers(
        replace(words, input_tokens=900, cached_tokens=100, output_tokens=60, thinking_tokens=20)
    )

    with pytest.raises(LanguageError) as caught:
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=ignored if streamed else None)

    assert caught.value.usage == usage
    assert caught.value.cost == vendor.fact.cost(usage) > 0
    assert caught.value.request_id


def test_an_error_inside_a_stream_is_no_answer(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(StreamError())

    with pytest.raises(Unavailable):
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=ignored)


def test_groqs_broken_stream_still_says_what_it_used(groq: Groq) -> None:
    groq.answers(StreamError())

    with pytest.raises(Unavailable) as caught:
        GROQ.adapter(groq).ask(GROQ.fact, question(), on_text=ignored)
    assert caught.value.code == "stream_error"
    assert caught.value.cost > 0


def test_a_stream_that_breaks_costs_what_it_said_before(vendor: Vendor, simulator: Simulator) -> None:
    chunk = {
        "choices": [{"delta": {"content": "{"}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 60},
    }
    usage = Usage(input_tokens=900, cached_tokens=0, output_tokens=60)
    events = [f"data: {json.dumps(chunk)}\n\n".encode(), b'data: {"error": {"message": "x"}}\n\n']
    simulator.answers(Raw(iter(events), media_type="text/event-stream"))

    with pytest.raises(Unavailable) as caught:
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=ignored)
    assert caught.value.usage == usage
    assert caught.value.cost == vendor.fact.cost(usage)


def test_half_a_stream_is_no_answer_though_its_pieces_came(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(
        Raw(iter([b'data: {"choices": [{"delta": {"content": "{"}}]}\n\n']), media_type="text/event-stream")
    )
    pieces: list[str] = []

    with pytest.raises(BadAnswer) as caught:
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=pieces.append)
    assert caught.value.code == "cut_off"
    assert pieces == ["{"]


@pytest.mark.parametrize(
    "line",
    [
        b"data: {garbage\n\n",
        b"data: 3\n\n",
        b"data: null\n\n",
        b"data: []\n\n",
        b'data: {"choices": 5}\n\n',
        b"\xff\xfe\n\n",
    ],
)
def test_garbage_in_a_stream_is_no_answer(vendor: Vendor, simulator: Simulator, line: bytes) -> None:
    simulator.answers(Raw(iter([line, b"data: [DONE]\n\n"]), media_type="text/event-stream"))

    with pytest.raises(BadAnswer):
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=ignored)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("said", [Silence(), Drip(seconds_a_byte=0.1)], ids=["silence", "drip"])
def test_a_call_ends_when_its_time_is_up(
    vendor: Vendor, simulator: Simulator, said: Silence | Drip, streamed: bool
) -> None:
    simulator.answers(said)
    adapter = vendor.adapter(simulator, seconds=SHORT)
    begun = time.monotonic()

    with pytest.raises(Unavailable) as caught:
        adapter.ask(vendor.fact, question(), on_text=ignored if streamed else None)

    assert caught.value.code == "timeout"
    assert SHORT <= time.monotonic() - begun < SHORT + LATE


def test_headers_that_drip_end_when_the_time_is_up(vendor: Vendor) -> None:
    with serving(drips_headers) as server:
        http = vendor.adapter(server, key="k" * 20, seconds=SHORT)  # type: ignore[arg-type]
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            http.ask(vendor.fact, question())

    assert caught.value.code == "timeout"
    assert time.monotonic() - begun < SHORT + LATE


def test_nobody_there_is_not_connected(vendor: Vendor) -> None:
    adapter = vendor.provider(key="k" * 20, url=f"http://127.0.0.1:{refused_port()}")

    with pytest.raises(Unavailable) as caught:
        adapter.ask(vendor.fact, question())
    assert caught.value.code == "not_connected"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_answer_over_the_size_is_not_read_to_its_end(
    vendor: Vendor, simulator: Simulator, streamed: bool
) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b"x" * 65_536

    kind = "text/event-stream" if streamed else "application/json"
    simulator.answers(Raw(endless(), media_type=kind))

    with pytest.raises(BadAnswer) as caught:
        vendor.adapter(simulator, answer_bytes=200_000).ask(
            vendor.fact, question(), on_text=ignored if streamed else None
        )
    assert caught.value.code == "too_large"
    # What was on its way when the connection ended.
    assert sent < 30_000_000


def test_a_streamed_text_over_the_size_is_refused(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(Words(text="x" * 30_000, piece_length=3_000))

    with pytest.raises(BadAnswer) as caught:
        vendor.adapter(simulator, answer_bytes=20_000).ask(vendor.fact, question(), on_text=ignored)
    assert caught.value.code == "too_large"


def test_the_vendors_wait_is_handed_on(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(Failure(429, "rate_limit_exceeded", retry_after=27))

    with pytest.raises(RateLimited) as caught:
        vendor.adapter(simulator).ask(vendor.fact, question())
    assert caught.value.retry_after == timedelta(seconds=27)


def test_a_quota_of_geminis_day_lasts_until_its_midnight(gemini: Gemini) -> None:
    gemini.answers(Failure(429, retry_after=27, per_day=True))

    with pytest.raises(RateLimited) as caught:
        GEMINI.adapter(gemini).ask(GEMINI.fact, question())
    assert caught.value.retry_after is not None
    assert timedelta(0) < caught.value.retry_after <= timedelta(hours=25)
    assert caught.value.retry_after != timedelta(seconds=27)


def test_a_wrong_key_is_refused(vendor: Vendor, simulator: Simulator) -> None:
    with pytest.raises(CredentialsRefused):
        vendor.adapter(simulator, key="wrong-key-0123456789").ask(vendor.fact, question())


@pytest.mark.parametrize("form", ["nested", "flat"])
@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_key_at_xai_is_refused_in_every_form(form: Any, status: Any) -> None:
    with Xai(error_form=form, wrong_key=status) as xai, pytest.raises(CredentialsRefused):
        XAI.adapter(xai, key="wrong-key-0123456789").ask(XAI.fact, question())


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, RequestRefused), (403, CredentialsRefused), (404, ModelGone), (429, RateLimited)],
)
def test_xais_flat_errors_mean_the_same(status: int, error: type[LanguageError]) -> None:
    with Xai(error_form="flat") as xai:
        xai.answers(Failure(status))
        with pytest.raises(error):
            XAI.adapter(xai).ask(XAI.fact, question())


def test_a_prompt_against_xais_rules_is_refused_for_its_content() -> None:
    with Xai(error_form="flat") as xai:
        xai.answers(Failure(403, message="Content violates usage guidelines."))
        with pytest.raises(ContentRefused):
            XAI.adapter(xai).ask(XAI.fact, question())


def test_json_that_groq_could_not_validate_may_be_asked_for_again(groq: Groq) -> None:
    model = LANGUAGE_MODELS["groq/qwen/qwen3.8-27b"]
    groq.answers('{"title": 3}')

    with pytest.raises(BadAnswer) as caught:
        GROQ.adapter(groq).ask(model, question())
    assert caught.value.code == "json_validate_failed"


def test_a_full_flex_tier_is_unavailable(groq: Groq) -> None:
    groq.answers(Failure(498, "capacity_exceeded"))

    with pytest.raises(Unavailable):
        GROQ.adapter(groq).ask(GROQ.fact, question())


def test_a_decommissioned_model_is_gone(groq: Groq) -> None:
    with pytest.raises(ModelGone) as caught:
        GROQ.adapter(groq).ask(replace(GROQ.fact, vendor_model="gemma2-9b-it"), question())
    assert caught.value.code == "model_decommissioned"


def test_nothing_is_tried_twice(vendor: Vendor, simulator: Simulator) -> None:
    for status in (408, 409, 429, 500, 503):
        simulator.answers(Failure(status))
        with pytest.raises(LanguageError):
            vendor.adapter(simulator).ask(vendor.fact, question())
    assert len(simulator.requests) == 5


def test_a_request_over_groqs_whole_minute_is_refused() -> None:
    with Groq(tokens_per_minute=100) as groq, pytest.raises(RequestRefused) as caught:
        GROQ.adapter(groq).ask(GROQ.fact, question("word " * 200))
    assert caught.value.code == "rate_limit_exceeded"


def test_the_bounds_are_a_hundred_seconds_and_two_megabytes() -> None:
    config = LanguageClient.for_address("https://api.groq.com/openai/v1").config

    assert (config.total_seconds, config.body_bytes) == (100, 2 << 20)
    assert config.allowed_origins == {"https://api.groq.com:443"}


def test_calls_side_by_side_do_not_mix(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(lambda request: f'{{"heard": {request.json["messages"][-1]["content"]}}}')
    adapter = vendor.adapter(simulator)

    def ask(number: int) -> bool:
        pieces: list[str] = []
        answer = adapter.ask(
            vendor.fact, question(str(number)), on_text=pieces.append if number % 2 else None
        )
        return answer.text == f'{{"heard": {number}}}' and "".join(pieces) in ("", answer.text)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(40)))
