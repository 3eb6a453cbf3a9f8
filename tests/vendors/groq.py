"""Groq as a local server. Facts: the vendor's console documentation and its SDK groq 1.7.0."""

import email
import email.policy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .chat import (
    DONE,
    INVALID,
    Model,
    Read,
    array,
    between,
    boolean,
    check_fields,
    check_format,
    chunks,
    completion,
    event,
    keeps,
    mapping,
    one_of,
    positive,
    read_messages,
    stops,
    string,
    usage,
    whole,
)
from .server import (
    CutOff,
    Drip,
    Refused,
    Request,
    Response,
    Simulator,
    Speech,
    StreamError,
    Words,
    parsed,
    wire,
)

OSS = frozenset({"low", "medium", "high"})
MODELS: Mapping[str, Model] = {
    "openai/gpt-oss-120b": Model(efforts=OSS, reasoning=True),
    "openai/gpt-oss-20b": Model(efforts=OSS, reasoning=True),
    "openai/gpt-oss-safeguard-20b": Model(efforts=OSS, reasoning=True, strict=False),
    "qwen/qwen3.8-27b": Model(
        max_output_tokens=16_384, vision=True, strict=False, reasoning=True, efforts=OSS | {"none", "default"}
    ),
}
HEARING = frozenset({"whisper-large-v3", "whisper-large-v3-turbo"})
# llama-3.3-70b-versatile is simply not known any more; older ones are named.
DECOMMISSIONED = frozenset({"mixtral-8x7b-32768", "gemma2-9b-it"})
FIELDS = {
    "model": string,
    "messages": array,
    "max_completion_tokens": positive,
    "max_tokens": positive,
    "temperature": between(0, 2),
    "top_p": between(0, 1),
    "seed": whole,
    "n": one_of(1),
    "stop": stops,
    "stream": boolean,
    "response_format": mapping,
    "tools": array,
    "tool_choice": lambda value: isinstance(value, str | dict),
    "parallel_tool_calls": boolean,
    "reasoning_effort": string,
    "reasoning_format": one_of("hidden", "raw", "parsed"),
    "include_reasoning": boolean,
    "service_tier": one_of("on_demand", "flex", "auto", "performance"),
    "user": string,
    "documents": array,
    "citation_options": string,
    "search_settings": mapping,
    "compound_custom": mapping,
    "disable_tool_validation": boolean,
}
SOUND_FIELDS = frozenset(
    {
        "model",
        "file",
        "url",
        "language",
        "prompt",
        "response_format",
        "temperature",
        "timestamp_granularities[]",
    }
)
SOUNDS = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
PICTURES = 5
PICTURE_REQUEST_BYTES = 4 << 20
SOUND_BYTES = 25 << 20
SPEECH = Speech(phrases=[(0.0, 2.1, "Welcome to the harbour.")], seconds=9.4)


class Groq(Simulator):
    """`tokens_per_minute`: the limit above which one request is refused whatever is left of it."""

    def __init__(self, *, key: str = "gsk_simulated0123456789", tokens_per_minute: int | None = None) -> None:
        super().__init__(key=key)
        self._tokens_per_minute = tokens_per_minute

    @property
    def url(self) -> str:
        return f"{self.root}/openai/v1"

    def respond(self, request: Request) -> Response:
        route = (request.method, request.path.removeprefix("/openai/v1"))
        if not request.path.startswith("/openai/v1/"):
            raise Refused(404, "unknown_url", f"Unknown request URL: {request.method} {request.path}.")
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "invalid_api_key", "Invalid API Key")
        match route:
            case ("POST", "/chat/completions"):
                response = self._chat(request)
            case ("POST", "/audio/transcriptions"):
                response = self._transcribe(request)
            case ("GET", "/models"):
                listed = [_described(name) for name in (*MODELS, *sorted(HEARING))]
                response = _json({"object": "list", "data": listed})
            case ("GET", path) if path.removeprefix("/models/") in MODELS:
                response = _json(_described(path.removeprefix("/models/")))
            case _:
                raise Refused(404, "unknown_url", f"Unknown request URL: {request.method} {request.path}.")
        response.headers |= self._limits()
        return response

    def refuse(self, request: Request, refused: Refused) -> Response:
        error: dict[str, Any] = {"message": refused.message, "type": INVALID}
        if refused.code and refused.code != INVALID:
            error["code"] = refused.code
        if refused.status == 429:
            error |= {"type": "tokens", "code": refused.code or "rate_limit_exceeded"}
        if refused.status >= 500:
            error["type"] = "internal_server_error"
        error |= {name: refused.more[name] for name in ("param", "failed_generation") if name in refused.more}
        request.code = error.get("code", "")
        response = _json({"error": error}, refused.status)
        response.headers |= self._limits()
        if refused.status == 429 and refused.more.get("retry_after") is not None:
            response.headers["retry-after"] = str(refused.more["retry_after"])
        return response

    def _limits(self) -> dict[str, str]:
        return {
            "x-request-id": f"req_{self.number():08d}",
            "x-ratelimit-limit-requests": "1000",
            "x-ratelimit-remaining-requests": "999",
            "x-ratelimit-reset-requests": "1m26.4s",
            "x-ratelimit-limit-tokens": str(self._tokens_per_minute or 8000),
            "x-ratelimit-remaining-tokens": "7600",
            "x-ratelimit-reset-tokens": "7.66s",
        }

    def _chat(self, request: Request) -> Response:
        body = parsed(request)
        check_fields(body, FIELDS)
        name = body["model"]
        if name in DECOMMISSIONED:
            raise Refused(400, "model_decommissioned", f"The model `{name}` has been decommissioned.")
        model = MODELS.get(name)
        if model is None:
            raise Refused(
                404, "model_not_found", f"The model `{name}` does not exist or you do not have access to it."
            )
        read = read_messages(body["messages"])
        self._check_pictures(request, model, read)
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or 1024
        if limit > model.max_output_tokens:
            raise Refused(
                400,
                INVALID,
                f"`max_completion_tokens` must be at most {model.max_output_tokens}",
                param="max_completion_tokens",
            )
        if read.tokens + limit > model.context_tokens:
            raise Refused(
                400, "context_length_exceeded", "Please reduce the length of the messages or completion."
            )
        if self._tokens_per_minute and read.tokens > self._tokens_per_minute:
            raise Refused(
                413, "rate_limit_exceeded", "Request too large for model on tokens per minute (TPM)."
            )
        _check_reasoning(body, model)
        schema = _format(body, model, read)
        return self._say(request, body, model, read, schema)

    def _check_pictures(self, request: Request, model: Model, read: Read) -> None:
        if not read.pictures:
            return
        if not model.vision:
            raise Refused(400, INVALID, "messages[1].content must be a string", param="messages")
        if read.pictures > PICTURES:
            raise Refused(
                400, INVALID, f"Too many images provided. This model supports up to {PICTURES} images"
            )
        if read.picture_bytes and len(request.body) > PICTURE_REQUEST_BYTES:
            raise Refused(413, "request_too_large", "Request Entity Too Large")

    def _say(
        self,
        request: Request,
        body: Mapping[str, Any],
        model: Model,
        read: Read,
        schema: Mapping[str, Any] | None,
    ) -> Response:
        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        stream = bool(body.get("stream"))
        match said:
            case Words():
                words = said
            case CutOff() | Drip() | StreamError():
                words = Words(text=said.text)
            case _:
                words = Words(text=str(said))
        if words.thought and body.get("reasoning_format") == "hidden":
            words = Words(text=words.text)
        report = usage(words, read, thinking_inside=True)
        id, groq = f"chatcmpl-{self.number()}", f"req_{self.number():08d}"
        fault = said if isinstance(said, CutOff | Drip) else None
        if stream:
            broken = said.code if isinstance(said, StreamError) else ""
            pieces = _stream(words, id, body["model"], groq, report, broken)
            return Response(headers={"Content-Type": "text/event-stream"}, body=pieces, fault=fault)
        if isinstance(said, StreamError):
            raise Refused(500, said.code, "The stream broke.")
        form = body.get("response_format") or {}
        constrained = form.get("type") == "json_object" or (
            schema is not None and not form["json_schema"].get("strict")
        )
        if constrained and words.finish == "stop" and not words.refusal and not keeps(words.text, schema):
            raise Refused(
                400,
                "json_validate_failed",
                "Failed to validate JSON. Please adjust your prompt.",
                failed_generation=words.text,
            )
        whole = completion(words, id=id, model=body["model"], usage={**report, **TIMES})
        whole |= {"system_fingerprint": "fp_11aa22", "service_tier": "on_demand", "x_groq": {"id": groq}}
        return Response(headers=JSON, body=json.dumps(whole).encode(), fault=fault)

    def _transcribe(self, request: Request) -> Response:
        form = _form(request)
        if unknown := set(form) - SOUND_FIELDS:
            raise Refused(400, INVALID, f"unknown param: {sorted(unknown)[0]}", param=sorted(unknown)[0])
        name = form.get("model", (b"", ""))[0].decode()
        if not name:
            raise Refused(400, INVALID, "`model` is required", param="model")
        if name not in HEARING:
            raise Refused(
                404, "model_not_found", f"The model `{name}` does not exist or you do not have access to it."
            )
        if ("file" in form) == ("url" in form):
            raise Refused(400, INVALID, "one of `file` and `url` is required", param="file")
        if "file" in form:
            content, filename = form["file"]
            if len(content) > SOUND_BYTES:
                raise Refused(413, "request_too_large", "Request Entity Too Large")
            if filename.rpartition(".")[2].lower() not in SOUNDS:
                raise Refused(
                    400, INVALID, f"file must be one of the following types: {SOUNDS}", param="file"
                )
            if not content:
                raise Refused(400, INVALID, "file is empty", param="file")
        shape = form.get("response_format", (b"json", ""))[0].decode()
        if shape not in ("json", "text", "verbose_json"):
            raise Refused(
                400,
                INVALID,
                "response_format must be one of json, text, verbose_json",
                param="response_format",
            )
        granularity = form.get("timestamp_granularities[]", (b"", ""))[0].decode()
        if granularity and (shape != "verbose_json" or granularity not in ("word", "segment")):
            raise Refused(
                400, INVALID, "timestamp_granularities needs verbose_json", param="timestamp_granularities[]"
            )
        return self._write_down(request, shape, granularity)

    def _write_down(self, request: Request, shape: str, granularity: str) -> Response:
        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        speech = said if isinstance(said, Speech) else SPEECH
        text = " ".join(phrase for _, _, phrase in speech.phrases)
        if shape == "text":
            return Response(headers={"Content-Type": "text/plain"}, body=text.encode())
        body: dict[str, Any] = {"text": f" {text}", "x_groq": {"id": f"req_{self.number():08d}"}}
        if shape == "verbose_json":
            body |= {"task": "transcribe", "language": speech.language, "duration": speech.seconds}
            if granularity in ("", "segment"):
                body["segments"] = [
                    {
                        "id": n,
                        "start": start,
                        "end": end,
                        "text": f" {phrase}",
                        "avg_logprob": -0.2,
                        "no_speech_prob": 0.01,
                    }
                    for n, (start, end, phrase) in enumerate(speech.phrases)
                ]
            else:
                body["words"] = [
                    {"word": word, "start": start, "end": end}
                    for start, end, phrase in speech.phrases
                    for word in phrase.split()
                ]
        fault = said if isinstance(said, CutOff | Drip) else None
        return Response(headers=JSON, body=json.dumps(body).encode(), fault=fault)


JSON = {"Content-Type": "application/json"}
TIMES = {"queue_time": 0.021, "prompt_time": 0.034, "completion_time": 0.71, "total_time": 0.744}


def _json(body: object, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_754_400_000, "owned_by": "Groq", "active": True}


def _check_reasoning(body: Mapping[str, Any], model: Model) -> None:
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in model.efforts:
        raise Refused(
            400, INVALID, "`reasoning_effort` is not supported with this model", param="reasoning_effort"
        )
    if body.get("reasoning_format") is not None and body.get("include_reasoning") is not None:
        raise Refused(
            400, INVALID, "`reasoning_format` excludes `include_reasoning`", param="reasoning_format"
        )


def _format(body: Mapping[str, Any], model: Model, read: Read) -> Mapping[str, Any] | None:
    schema = check_format(body.get("response_format"), read, counts=False)
    if schema is None:
        return None
    if not (model.strict if body["response_format"]["json_schema"].get("strict") else model.best_effort):
        raise Refused(
            400, INVALID, "This model does not support response format `json_schema`", param="response_format"
        )
    if body.get("stream") or body.get("tools"):
        raise Refused(
            400,
            INVALID,
            "response_format `json_schema` goes with neither streaming nor tools",
            param="response_format",
        )
    return schema


def _stream(
    words: Words, id: str, model: str, groq: str, report: Mapping[str, Any], broken: str
) -> Iterator[bytes]:
    every = list(chunks(words, id=id, model=model))
    every[0]["x_groq"] = {"id": groq}
    if broken:
        last = every[-1] | {
            "choices": [],
            "x_groq": {"id": groq, "error": broken, "usage": {**report, **TIMES}},
        }
    else:
        last = every[-1] | {"x_groq": {"id": groq, "usage": {**report, **TIMES}}}
    for chunk in (*every[:-1], last):
        yield event(chunk)
    yield DONE


def _form(request: Request) -> dict[str, tuple[bytes, str]]:
    """The parts of a multipart form: content and file name."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise Refused(415, "unsupported_media_type", "Content-Type must be multipart/form-data")
    message = email.message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + request.body, policy=email.policy.HTTP
    )
    form: dict[str, tuple[bytes, str]] = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        form[str(name)] = (content if isinstance(content, bytes) else b"", part.get_filename() or "")
    return form
