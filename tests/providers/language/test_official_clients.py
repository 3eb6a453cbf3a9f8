"""The vendors' own clients against the simulators: they hold the simulators to what the vendors really speak.

Groq's and OpenAI's clients validate strictly here: an answer that misses or misnames a field is an error. xAI's
own client speaks gRPC, so OpenAI's, which xAI documents for its HTTP API, stands in for it.
"""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import google.genai
import groq
import openai
import pytest
from google.genai import errors as genai_errors
from google.genai import types as genai_types
from groq import APIStatusError as GroqStatusError

from providers.catalogue.language import LANGUAGE_MODELS, TRANSCRIPTION_MODELS, LanguageModel
from providers.language.contract import Question, Turn, Video
from providers.language.errors import LanguageError
from tests.vendors import (
    CutOff,
    Failure,
    Gemini,
    Groq,
    HangUp,
    Raw,
    Request,
    Speech,
    StreamError,
    Words,
    Xai,
)
from tests.vendors.gemini import camel

from .vendors import GEMINI, GROQ, PICTURE, PLAN, XAI, Plan, Vendor, question

Simulator = Groq | Xai | Gemini
STATUS_ERRORS = (GroqStatusError, openai.APIStatusError)
# Each client would load the certificates anew, and needs none.
TLS = ssl.create_default_context()
HELLO = [{"role": "user", "content": "Hello, in JSON."}]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official clients read the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def official(vendor: Vendor, simulator: Simulator, *, key: str | None = None) -> Any:
    """The vendor's own client for chat completions, or the one it documents."""
    options: dict[str, Any] = {
        "api_key": key or simulator.key,
        "max_retries": 0,
        "timeout": 20,
        "_strict_response_validation": True,
    }
    match vendor.name:
        case "groq":
            http: Any = groq.DefaultHttpxClient(verify=TLS)
            return groq.Groq(base_url=simulator.root, http_client=http, **options)
        case "xai":
            http = openai.DefaultHttpxClient(verify=TLS)
            return openai.OpenAI(base_url=simulator.url, http_client=http, **options)
        case _:
            http = openai.DefaultHttpxClient(verify=TLS)
            return openai.OpenAI(base_url=f"{simulator.root}/v1beta/openai/", http_client=http, **options)


@pytest.fixture
def client(vendor: Vendor, simulator: Simulator) -> Iterator[Any]:
    with official(vendor, simulator) as opened:
        yield opened


@pytest.fixture
def genai(gemini: Gemini) -> Iterator[google.genai.Client]:
    opened = _genai(gemini)
    yield opened
    opened.close()


def _genai(gemini: Gemini, *, key: str | None = None) -> google.genai.Client:
    # The client's own default is v1; the documentation of files is v1beta's.
    options = genai_types.HttpOptions(
        base_url=gemini.root, api_version="v1beta", timeout=20_000, client_args={"verify": TLS}
    )
    return google.genai.Client(api_key=key or gemini.key, http_options=options)


# Chat completions


def test_the_official_client_reads_an_answer(vendor: Vendor, simulator: Simulator, client: Any) -> None:
    simulator.answers(
        Words(text=PLAN, input_tokens=1000, cached_tokens=400, output_tokens=200, thinking_tokens=50)
    )

    answer = client.chat.completions.create(model=vendor.fact.vendor_model, messages=HELLO)

    assert answer.choices[0].message.content == PLAN
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == vendor.fact.vendor_model
    assert answer.usage.prompt_tokens == 1000
    assert answer.usage.total_tokens == 1250
    assert answer.usage.prompt_tokens_details.cached_tokens == 400


def test_the_official_client_reads_a_stream(vendor: Vendor, simulator: Simulator, client: Any) -> None:
    simulator.answers(PLAN)

    stream = client.chat.completions.create(model=vendor.fact.vendor_model, messages=HELLO, stream=True)
    chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == PLAN
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_groqs_client_finds_the_ids_and_the_usage(groq: Groq) -> None:
    with official(GROQ, groq) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=GROQ.fact.vendor_model, messages=HELLO
        )
        last = list(
            client.chat.completions.create(model=GROQ.fact.vendor_model, messages=HELLO, stream=True)
        )[-1]

    assert answer.parse().x_groq.id.startswith("req_")
    assert answer.headers["x-ratelimit-limit-requests"]
    assert last.x_groq.usage.total_tokens > 0


def test_the_official_client_is_given_the_usage_of_a_stream_it_asks_for(
    vendor: Vendor, simulator: Simulator, client: Any
) -> None:
    if vendor.name == "groq":
        pytest.skip("Groq tells unasked")
    options = {"include_usage": True}
    stream = client.chat.completions.create(
        model=vendor.fact.vendor_model, messages=HELLO, stream=True, stream_options=options
    )
    assert list(stream)[-1].usage.total_tokens > 0


ERRORS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "InternalServerError",
}


@pytest.mark.parametrize("status", ERRORS)
def test_the_official_client_raises_its_own_error(
    vendor: Vendor, simulator: Simulator, client: Any, status: int
) -> None:
    library = groq if vendor.name == "groq" else openai
    simulator.answers(Failure(status, retry_after=7))

    with pytest.raises(getattr(library, ERRORS[status])) as caught:
        client.chat.completions.create(model=vendor.fact.vendor_model, messages=HELLO)

    assert caught.value.status_code == status
    # In a list, as Gemini sends it, the message is not found.
    assert vendor.name == "gemini" or "told to fail" in str(caught.value)
    if status == 429 and vendor.name != "gemini":
        assert caught.value.response.headers["retry-after"] == "7"


def test_the_official_client_finds_no_answer_in_what_is_none(
    vendor: Vendor, simulator: Simulator, client: Any
) -> None:
    library = groq if vendor.name == "groq" else openai
    for said in (CutOff(), HangUp(), Raw(b"garbage")):
        simulator.answers(said)
        with pytest.raises((library.APIError, ValueError)):
            client.chat.completions.create(model=vendor.fact.vendor_model, messages=HELLO)


def test_the_official_client_meets_an_error_in_a_stream(
    vendor: Vendor, simulator: Simulator, client: Any
) -> None:
    simulator.answers(StreamError("over_capacity"))
    stream = client.chat.completions.create(model=vendor.fact.vendor_model, messages=HELLO, stream=True)

    if vendor.name == "groq":
        assert list(stream)[-1].x_groq.error == "over_capacity"
    else:
        with pytest.raises(openai.APIError):
            list(stream)


def test_the_official_client_parses_a_plan_into_its_type(xai: Xai, gemini: Gemini) -> None:
    for vendor, simulator in ((XAI, xai), (GEMINI, gemini)):
        simulator.answers(PLAN)
        with official(vendor, simulator) as client:
            schema = {"name": "plan", "schema": _strict_plan(), "strict": True}
            answer = client.chat.completions.create(
                model=vendor.fact.vendor_model,
                messages=HELLO,
                response_format={"type": "json_schema", "json_schema": schema},
            )
        assert Plan.model_validate_json(answer.choices[0].message.content).shots


def _strict_plan() -> dict[str, Any]:
    """As OpenAI's own library writes it, without the counts."""
    from openai.lib._pydantic import to_strict_json_schema

    class Small(Plan):
        pass

    schema = to_strict_json_schema(Small)
    text = json.dumps(schema)
    for word in ('"minItems": 1, ', '"maxItems": 8, ', '"minItems": 1', '"maxItems": 8'):
        text = text.replace(word, "")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


# The same request through our adapter and through the official client


@dataclass(frozen=True)
class Row:
    """A question for our adapter and the status it ends with, by vendor where they differ."""

    ask: Callable[[Vendor], tuple[LanguageModel, Question]]
    status: int | dict[str, int] = 200
    streamed: bool = False
    key: str | None = None


def _plain(**more: Any) -> Callable[[Vendor], tuple[LanguageModel, Question]]:
    return lambda vendor: (vendor.fact, question(**more))


def _changed(**facts: Any) -> Callable[[Vendor], tuple[LanguageModel, Question]]:
    return lambda vendor: (replace(vendor.fact, **facts), question())


def _seen(count: int, size: int = 100) -> Callable[[Vendor], tuple[LanguageModel, Question]]:
    picture = replace(PICTURE, content=b"\xff\xd8\xff" * (size // 3))
    return lambda vendor: (LANGUAGE_MODELS[vendor.vision], question(pictures=[picture] * count))


def _conversation(vendor: Vendor) -> tuple[LanguageModel, Question]:
    turns = [
        Turn(role="user", text="Гавань"),
        Turn(role="assistant", text=PLAN),
        Turn(role="user", text="Короче 🎬"),
    ]
    return vendor.fact, replace(question(), turns=turns)


ROWS = {
    "plain": Row(_plain()),
    "streamed": Row(_plain(), streamed=True),
    "a conversation": Row(_conversation),
    "one picture": Row(_seen(1)),
    "five pictures": Row(_seen(5)),
    "pictures, streamed": Row(_seen(2), streamed=True),
    "a schema not sent": Row(_changed(schema="none")),
    "a schema not strict": Row(_changed(schema="best_effort")),
    "six pictures": Row(_seen(6), status={"groq": 400, "xai": 200, "gemini": 200}),
    "pictures of 5 MB": Row(_seen(2, 2_500_000), status={"groq": 413, "xai": 200, "gemini": 200}),
    "a wrong key": Row(_plain(), status={"groq": 401, "xai": 401, "gemini": 400}, key="wrong-key-0123456789"),
    "an unknown model": Row(_changed(vendor_model="no-such-model"), status=404),
    "a name with spaces": Row(
        lambda vendor: (vendor.fact, replace(question(), schema_name="my plan")), status=400
    ),
    "a name too long": Row(
        lambda vendor: (vendor.fact, replace(question(), schema_name="p" * 65)), status=400
    ),
    "nothing said": Row(lambda vendor: (vendor.fact, question("")), status=200),
    "too much to write": Row(
        lambda vendor: (replace(vendor.fact, max_output_tokens=200_000), question(max_output_tokens=100_000)),
        status={"groq": 400, "xai": 200, "gemini": 400},
    ),
    "too much to read": Row(
        lambda vendor: (vendor.fact, question("word " * 120_000)),
        status={"groq": 400, "xai": 200, "gemini": 200},
    ),
}
GROQS = {
    "a picture for the blind": Row(
        lambda vendor: (replace(vendor.fact, vision=True), question(pictures=[PICTURE])), status=400
    ),
    "strict where there is none": Row(
        lambda vendor: (replace(LANGUAGE_MODELS[vendor.vision], schema="strict"), question()), status=400
    ),
    "retired": Row(lambda _: (LANGUAGE_MODELS["groq/llama-3.3-70b-versatile"], question()), status=404),
    "decommissioned": Row(_changed(vendor_model="gemma2-9b-it"), status=400),
}


def _both(vendor: Vendor, simulator: Simulator, row: Row) -> tuple[Request, Request]:
    """The request as our adapter sends it, and its body sent by the official client."""
    simulator.answers(PLAN)
    model, asked = row.ask(vendor)
    pieces: list[str] = []
    with suppress(LanguageError):
        vendor.adapter(simulator, key=row.key).ask(
            model, asked, on_text=pieces.append if row.streamed else None
        )
    [ours] = simulator.requests
    with official(vendor, simulator, key=row.key) as client:
        try:
            answer = client.chat.completions.create(**ours.json)
            if row.streamed:
                assert list(answer)
        except STATUS_ERRORS:
            pass
    [_, theirs] = simulator.requests
    return ours, theirs


def _check(vendor: Vendor, simulator: Simulator, row: Row) -> None:
    ours, theirs = _both(vendor, simulator, row)

    assert ours.json == theirs.json
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert (ours.status, ours.code) == (theirs.status, theirs.code)
    assert ours.status == (row.status if isinstance(row.status, int) else row.status[vendor.name])


@pytest.mark.parametrize("row", ROWS)
def test_our_request_fares_as_the_official_clients(vendor: Vendor, simulator: Simulator, row: str) -> None:
    _check(vendor, simulator, ROWS[row])


@pytest.mark.parametrize("row", GROQS)
def test_our_request_to_groq_fares_as_groqs_own(groq: Groq, row: str) -> None:
    _check(GROQ, groq, GROQS[row])


# What the simulators refuse, whoever asks

SHAPE = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def _format(schema: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
    shape = {"name": "shape", "schema": schema, "strict": strict}
    return {"response_format": {"type": "json_schema", "json_schema": shape}}


OPTIONAL = {**SHAPE, "required": []}
OPEN = {name: value for name, value in SHAPE.items() if name != "additionalProperties"}
COUNTED = {**SHAPE, "properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 1}}}
REFUSALS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "an unknown field": ({"colour": "red"}, {"groq": 400, "xai": 400, "gemini": 400}),
    "two answers": ({"n": 2}, {"groq": 400, "xai": 400, "gemini": 200}),
    "too hot": ({"temperature": 3}, {"groq": 400, "xai": 400, "gemini": 400}),
    "words for a number": ({"seed": "x"}, {"groq": 400, "xai": 422, "gemini": 400}),
    "no messages": ({"messages": []}, {"groq": 400, "xai": 400, "gemini": 400}),
    "an unknown role": (
        {"messages": [{"role": "director", "content": "Go."}]},
        {"groq": 400, "xai": 400, "gemini": 400},
    ),
    "free JSON not mentioned": (
        {"messages": [{"role": "user", "content": "Hi."}], "response_format": {"type": "json_object"}},
        {"groq": 400, "xai": 400, "gemini": 400},
    ),
    "free JSON": ({"response_format": {"type": "json_object"}}, {"groq": 200, "xai": 200, "gemini": 200}),
    "a schema": (_format(SHAPE), {"groq": 200, "xai": 200, "gemini": 200}),
    "an optional property": (_format(OPTIONAL), {"groq": 400, "xai": 400, "gemini": 400}),
    "an optional property, not strict": (
        _format(OPTIONAL, strict=False),
        {"groq": 200, "xai": 200, "gemini": 200},
    ),
    "an open object": (_format(OPEN), {"groq": 400, "xai": 400, "gemini": 400}),
    "a count": (_format(COUNTED), {"groq": 400, "xai": 400, "gemini": 200}),
    "a count, not strict": (_format(COUNTED, strict=False), {"groq": 400, "xai": 400, "gemini": 200}),
    "no schema": (_format({"type": "objekt"}), {"groq": 400, "xai": 400, "gemini": 400}),
    "broken picture": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,%%"}}],
                }
            ]
        },
        {"groq": 400, "xai": 400, "gemini": 400},
    ),
    "a schema in a stream": ({**_format(SHAPE), "stream": True}, {"groq": 400, "xai": 200, "gemini": 200}),
    "penalties": ({"presence_penalty": 1}, {"groq": 400, "xai": 200, "gemini": 400}),
    "an effort unknown": ({"reasoning_effort": "extreme"}, {"groq": 400, "xai": 400, "gemini": 400}),
    "both reasoning fields": (
        {"reasoning_format": "hidden", "include_reasoning": True},
        {"groq": 400, "xai": 400, "gemini": 400},
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_the_simulator_is_as_strict_as_the_vendor(
    vendor: Vendor, simulator: Simulator, client: Any, name: str
) -> None:
    fields, statuses = REFUSALS[name]
    simulator.answers('{"a": "b"}')
    library = groq if vendor.name == "groq" else openai
    request = {"model": vendor.fact.vendor_model, "messages": HELLO} | fields
    known = {"model", "messages", "response_format", "stream"}
    create = client.chat.completions.create

    try:
        create(
            **{field: value for field, value in request.items() if field in known},
            extra_body={field: value for field, value in request.items() if field not in known},
        )
        status = 200
    except library.APIStatusError as error:
        status = error.status_code

    assert status == statuses[vendor.name]
    assert simulator.requests[-1].status == status


def test_pictures_of_24_mb_are_too_much_for_xai(xai: Xai) -> None:
    _check(XAI, xai, Row(_seen(4, 6_000_000), status=413))


def test_reasoning_models_of_xai_take_no_penalties(xai: Xai) -> None:
    with official(XAI, xai) as client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="grok-4", messages=HELLO, presence_penalty=1)


def test_xais_deferred_answer_is_pending_then_there_then_gone(xai: Xai) -> None:
    xai.answers(PLAN)
    with openai.OpenAI(base_url=xai.url, api_key=xai.key, max_retries=0) as client:
        body: Any = {"model": XAI.fact.vendor_model, "messages": HELLO, "deferred": True}
        id = client.post("/chat/completions", body=body, cast_to=object)["request_id"]  # type: ignore[index]
        path = f"/chat/deferred-completion/{id}"
        answers = [client.get(path, cast_to=openai.types.chat.ChatCompletion) for _ in range(2)]
        with pytest.raises(openai.NotFoundError):
            client.get(path, cast_to=object)

    assert answers[1].choices[0].message.content == PLAN


def test_the_models_are_listed(groq: Groq, xai: Xai, gemini: Gemini, genai: google.genai.Client) -> None:
    with official(GROQ, groq) as client:
        names = {model.id for model in client.models.list().data}
        assert "openai/gpt-oss-120b" in names
        assert "llama-3.3-70b-versatile" not in names
        assert client.models.retrieve("qwen/qwen3.8-27b").id == "qwen/qwen3.8-27b"
    with official(XAI, xai) as client:
        assert XAI.fact.vendor_model in {model.id for model in client.models.list()}
    assert "models/gemini-3.8-flash" in {model.name for model in genai.models.list()}


# Transcription

SAID = Speech(phrases=[(0.0, 2.1, "Welcome to the harbour."), (2.5, 4.0, "Mind the step.")], seconds=4.2)


@pytest.mark.parametrize("shape", ["json", "verbose_json", "text"])
def test_groqs_client_reads_a_transcript(groq: Groq, shape: Any) -> None:
    groq.answers(SAID)
    with official(GROQ, groq) as client:
        client._strict_response_validation = shape == "json"
        heard = client.audio.transcriptions.create(
            file=("sound.wav", b"RIFF"), model="whisper-large-v3", response_format=shape
        )

    if shape == "text":
        assert str(heard).startswith("Welcome")
        return
    assert heard.text.strip() == "Welcome to the harbour. Mind the step."
    if shape == "verbose_json":
        assert [segment["end"] for segment in heard.segments] == [2.1, 4.0]
        assert heard.duration == 4.2


SOUNDS: dict[str, tuple[dict[str, Any], int]] = {
    "good": ({}, 200),
    "words": ({"response_format": "verbose_json", "timestamp_granularities": ["word"]}, 200),
    "words without verbose": ({"response_format": "json", "timestamp_granularities": ["word"]}, 400),
    "subtitles": ({"response_format": "srt"}, 400),
    "an unknown model": ({"model": "whisper-1"}, 404),
    "a text": ({"file": ("notes.txt", b"RIFF")}, 400),
    "nothing": ({"file": ("sound.wav", b"")}, 400),
    "26 MB": ({"file": ("sound.wav", b"\0" * 27_000_000)}, 413),
    "an unknown field": ({"extra_body": {"colour": "red"}}, 400),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_groqs_simulator_is_as_strict_with_sounds(groq: Groq, name: str) -> None:
    fields, expected = SOUNDS[name]
    client = official(GROQ, groq)
    client._strict_response_validation = False
    with client, suppress(GroqStatusError):
        client.audio.transcriptions.create(
            **{"file": ("sound.wav", b"RIFF"), "model": "whisper-large-v3", **fields}
        )
    assert groq.requests[-1].status == expected


def test_our_transcription_is_the_form_that_groqs_client_sends(groq: Groq, tmp_path: Path) -> None:
    from tests.vendors.groq import _form

    sound = tmp_path / "sound.wav"
    sound.write_bytes(b"RIFF")
    GROQ.adapter(groq).transcribe(TRANSCRIPTION_MODELS["groq/whisper-large-v3"], sound)
    with official(GROQ, groq) as client:
        client._strict_response_validation = False
        client.audio.transcriptions.create(
            file=sound,
            model="whisper-large-v3",
            response_format="verbose_json",
            timestamp_granularities=["segment"],
        )

    ours, theirs = groq.requests
    assert _form(ours) == _form(theirs)
    assert ours.status == theirs.status == 200


# Gemini's own API

CONFIG = genai_types.GenerateContentConfig(automatic_continuation=False)


def _uploaded(genai: google.genai.Client, path: Path, size: int = 20_000) -> genai_types.File:
    path.write_bytes(b"\0" * size)
    return genai.files.upload(file=path, config=genai_types.UploadFileConfig(mime_type="video/mp4"))


@pytest.mark.parametrize("size", [1, 20_000, 8 << 20, (8 << 20) + 1, 17 << 20])
def test_geminis_client_uploads_files_of_every_size(
    gemini: Gemini, genai: google.genai.Client, tmp_path: Path, size: int
) -> None:
    file = _uploaded(genai, tmp_path / "film.mp4", size)

    assert file.name is not None
    assert file.state == genai_types.FileState.PROCESSING
    assert file.size_bytes == size
    assert len(gemini.files[file.name].content) == size
    assert genai.files.get(name=file.name).state == genai_types.FileState.PROCESSING
    assert genai.files.get(name=file.name).state == genai_types.FileState.ACTIVE
    genai.files.delete(name=file.name)
    with pytest.raises(genai_errors.ClientError) as caught:
        genai.files.get(name=file.name)
    assert caught.value.code == 403


def test_geminis_client_is_told_that_a_video_cannot_be_read(tmp_path: Path) -> None:
    with Gemini(video="FAILED", processing=0) as gemini:
        genai = _genai(gemini)
        file = _uploaded(genai, tmp_path / "film.mp4")
        assert file.state == genai_types.FileState.FAILED
        assert file.error is not None
        assert file.error.message
        genai.close()


def test_geminis_client_reads_an_answer(gemini: Gemini, genai: google.genai.Client) -> None:
    gemini.answers(
        Words(
            text=PLAN, thought="Hm.", input_tokens=90, cached_tokens=10, output_tokens=30, thinking_tokens=5
        )
    )

    answer = genai.models.generate_content(model="gemini-3.8-flash", contents="Plan a film.", config=CONFIG)

    assert answer.text == PLAN
    assert answer.model_version == "gemini-3.8-flash"
    assert answer.response_id
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.thoughts_token_count == 5
    assert answer.usage_metadata.total_token_count == 125


def test_geminis_client_reads_a_stream(gemini: Gemini, genai: google.genai.Client) -> None:
    gemini.answers(PLAN)
    stream = genai.models.generate_content_stream(
        model="gemini-3.8-flash", contents="Plan a film.", config=CONFIG
    )

    pieces = [piece.text or "" for piece in stream]

    assert len(pieces) > 5
    assert "".join(pieces) == PLAN


def test_geminis_client_counts_tokens(genai: google.genai.Client) -> None:
    counted = genai.models.count_tokens(model="gemini-3.8-flash", contents="word " * 400)
    assert counted.total_tokens == 501


def test_geminis_client_reads_a_refusal(gemini: Gemini, genai: google.genai.Client) -> None:
    gemini.answers(Words(text="", refusal=True, finish="SAFETY"), Words(text="", finish="SAFETY"))

    blocked = genai.models.generate_content(model="gemini-3.8-flash", contents="x", config=CONFIG)
    stopped = genai.models.generate_content(model="gemini-3.8-flash", contents="x", config=CONFIG)

    assert blocked.prompt_feedback is not None
    assert blocked.prompt_feedback.block_reason == genai_types.BlockedReason.SAFETY
    assert not blocked.candidates
    assert stopped.candidates is not None
    assert stopped.candidates[0].finish_reason == genai_types.FinishReason.SAFETY


@pytest.mark.parametrize("status", [400, 402, 403, 404, 429, 500, 503, 504])
def test_geminis_client_raises_its_own_errors(
    gemini: Gemini, genai: google.genai.Client, status: int
) -> None:
    gemini.answers(Failure(status, retry_after=27))

    with pytest.raises(genai_errors.APIError) as caught:
        genai.models.generate_content(model="gemini-3.8-flash", contents="x", config=CONFIG)

    assert isinstance(caught.value, genai_errors.ClientError if status < 500 else genai_errors.ServerError)
    assert caught.value.code == status
    assert caught.value.status in genai_status(status)
    if status == 429:
        assert caught.value.details["error"]["details"][1]["retryDelay"] == "27s"


def genai_status(status: int) -> tuple[str, ...]:
    """As the vendor documents its errors."""
    return {
        400: ("INVALID_ARGUMENT",),
        402: ("RESOURCE_EXHAUSTED",),
        403: ("PERMISSION_DENIED",),
        404: ("NOT_FOUND",),
        429: ("RESOURCE_EXHAUSTED",),
        500: ("INTERNAL",),
        503: ("UNAVAILABLE",),
        504: ("DEADLINE_EXCEEDED",),
    }[status]


def test_a_wrong_key_at_gemini_is_a_bad_argument(gemini: Gemini) -> None:
    genai = _genai(gemini, key="wrong-key-0123456789")
    with pytest.raises(genai_errors.ClientError) as caught:
        genai.models.generate_content(model="gemini-3.8-flash", contents="x", config=CONFIG)
    genai.close()

    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def _config(**fields: Any) -> genai_types.GenerateContentConfig:
    return genai_types.GenerateContentConfig(automatic_continuation=False, **fields)


TYPED = genai_types.Schema(
    type=genai_types.Type.OBJECT, properties={"a": genai_types.Schema(type=genai_types.Type.STRING)}
)
SAFETY = genai_types.SafetySetting(
    category=genai_types.HarmCategory.HARM_CATEGORY_HARASSMENT,
    threshold=genai_types.HarmBlockThreshold.BLOCK_ONLY_HIGH,
)
JSON = "application/json"
CONFIGS: dict[str, tuple[dict[str, Any], int]] = {
    "everything": (
        {"temperature": 0.2, "max_output_tokens": 100, "seed": 3, "top_p": 0.5, "safety_settings": [SAFETY]},
        200,
    ),
    "a typed schema": ({"response_mime_type": JSON, "response_schema": TYPED}, 200),
    "a JSON schema": ({"response_mime_type": JSON, "response_json_schema": SHAPE}, 200),
    "both schemas": (
        {"response_mime_type": JSON, "response_json_schema": SHAPE, "response_schema": TYPED},
        400,
    ),
    "a schema without its type": ({"response_json_schema": SHAPE}, 400),
    "a schema with a length": (
        {"response_mime_type": JSON, "response_json_schema": {"type": "string", "maxLength": 3}},
        400,
    ),
    "too much to write": ({"max_output_tokens": 70_000}, 400),
    "two answers": ({"candidate_count": 2}, 400),
    "thinking": (
        {"thinking_config": genai_types.ThinkingConfig(thinking_level=genai_types.ThinkingLevel.LOW)},
        200,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_geminis_simulator_is_as_strict_as_the_vendor(
    gemini: Gemini, genai: google.genai.Client, name: str
) -> None:
    fields, expected = CONFIGS[name]
    gemini.answers('{"a": "b"}')
    try:
        genai.models.generate_content(model="gemini-3.8-flash", contents="x", config=_config(**fields))
        status = 200
    except genai_errors.APIError as error:
        status = error.code
    assert status == expected


def test_a_file_is_no_use_before_it_is_active_or_after_it_expired(
    gemini: Gemini, genai: google.genai.Client, tmp_path: Path
) -> None:
    file = _uploaded(genai, tmp_path / "film.mp4")
    assert file.name is not None

    def ask() -> None:
        contents: Any = [file, "What is this?"]
        genai.models.generate_content(model="gemini-3.8-flash", contents=contents, config=CONFIG)

    with pytest.raises(genai_errors.ClientError) as processing:
        ask()
    assert processing.value.status == "FAILED_PRECONDITION"
    while genai.files.get(name=file.name).state != genai_types.FileState.ACTIVE:
        pass
    ask()
    gemini.expire(file.name)
    with pytest.raises(genai_errors.ClientError) as expired:
        ask()
    assert expired.value.code == 403


def test_our_question_about_a_video_is_what_geminis_client_would_ask(
    gemini: Gemini, genai: google.genai.Client, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0" * 20_000)
    gemini.answers(PLAN)
    asked = replace(
        # Google's client writes base64 in the alphabet of URLs; of this both alphabets write the same.
        question("What happens?", pictures=[replace(PICTURE, content=b"a picture")]),
        video=Video(path=film, media_type="video/mp4", seconds=10),
    )
    GEMINI.adapter(gemini, poll_seconds=0.01).ask(GEMINI.fact, asked)
    ours = next(request for request in gemini.requests if request.path.endswith(":generateContent"))
    sent = ours.json
    # The file of our question is deleted.
    file = _uploaded(genai, tmp_path / "again.mp4")
    assert file.name is not None
    while genai.files.get(name=file.name).state != genai_types.FileState.ACTIVE:
        pass
    sent["contents"][0]["parts"][0]["fileData"]["fileUri"] = file.uri

    genai.models.generate_content(
        model="gemini-3.8-flash",
        contents=[genai_types.Content.model_validate(content) for content in sent["contents"]],
        config=genai_types.GenerateContentConfig.model_validate(
            {
                **sent["generationConfig"],
                "systemInstruction": sent["systemInstruction"],
                "automaticContinuation": False,
            }
        ),
    )

    theirs = gemini.requests[-1]
    assert (ours.status, theirs.status) == (200, 200)
    assert camel(theirs.json) == sent
