"""xAI's chat completions as a local server. Facts: docs.x.ai, 2026-07."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from .chat import (
    DONE,
    INVALID,
    Model,
    array,
    between,
    boolean,
    check_fields,
    check_format,
    chunks,
    completion,
    event,
    mapping,
    one_of,
    positive,
    read_messages,
    stops,
    string,
    usage,
    whole,
)
from .server import CutOff, Drip, Refused, Request, Response, Simulator, StreamError, Words, parsed, wire

MODELS: Mapping[str, Model] = {
    "grok-4": Model(context_tokens=256_000, vision=True, reasoning=True),
    "grok-4-1-fast-reasoning": Model(context_tokens=2_000_000, vision=True, reasoning=True),
    "grok-4-1-fast-non-reasoning": Model(context_tokens=2_000_000, vision=True),
    "grok-4.20-reasoning-latest": Model(context_tokens=2_000_000, vision=True, reasoning=True),
    "grok-4.20-non-reasoning": Model(context_tokens=2_000_000, vision=True),
    "grok-code-fast-1": Model(context_tokens=256_000, reasoning=True),
}
FIELDS = {
    "model": string,
    "messages": array,
    "max_tokens": positive,
    "max_completion_tokens": positive,
    "temperature": between(0, 2),
    "top_p": between(0, 1),
    "n": one_of(1),
    "seed": whole,
    "stream": boolean,
    "stream_options": mapping,
    "tools": array,
    "tool_choice": lambda value: isinstance(value, str | dict),
    "response_format": mapping,
    "stop": stops,
    "presence_penalty": between(-2, 2),
    "frequency_penalty": between(-2, 2),
    "deferred": boolean,
    "user": string,
}
NOT_WITH_REASONING = ("stop", "presence_penalty", "frequency_penalty")
PICTURE_BYTES = 20_000_000
# What the flat form calls an error of this status.
FLAT: Mapping[int, str] = {
    400: "invalid-argument",
    401: "unauthenticated",
    403: "permission-denied",
    404: "not-found",
    429: "resource-exhausted",
    503: "unavailable",
}


class Xai(Simulator):
    """`error_form`: which of its two error bodies it uses; `wrong_key`: the status a wrong key is answered with."""

    def __init__(
        self,
        *,
        key: str = "xai-simulated0123456789",
        error_form: Literal["nested", "flat"] = "nested",
        wrong_key: Literal[400, 401] = 401,
    ) -> None:
        super().__init__(key=key)
        self._error_form = error_form
        self._wrong_key = wrong_key
        # A completion to be fetched, and how often it is still pending.
        self._deferred: dict[str, tuple[int, bytes]] = {}

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def respond(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(self._wrong_key, "invalid_api_key", "Incorrect API key provided.")
        path = request.path.removeprefix("/v1")
        match (request.method, path):
            case ("POST", "/chat/completions"):
                response = self._chat(request)
            case ("GET", "/models"):
                listed = [{"id": name, "object": "model", "created": 1, "owned_by": "xai"} for name in MODELS]
                response = _json({"object": "list", "data": listed})
            case ("GET", path) if path.startswith("/chat/deferred-completion/"):
                response = self._fetch(path.rpartition("/")[2])
            case (_, "/chat/completions" | "/models"):
                raise Refused(405, "method_not_allowed", "Method not allowed.")
            case _:
                raise Refused(404, "not_found", "Not found.")
        response.headers["x-request-id"] = f"xai-{self.number()}"
        return response

    def refuse(self, request: Request, refused: Refused) -> Response:
        if self._error_form == "flat":
            request.code = FLAT.get(refused.status, "internal-error")
            body: dict[str, Any] = {"code": request.code, "error": refused.message}
        else:
            request.code = refused.code or INVALID
            error = {"message": refused.message, "type": INVALID, "code": request.code}
            body = {"error": error | {"param": refused.more.get("param")}}
        response = _json(body, refused.status)
        response.headers["x-request-id"] = f"xai-{self.number()}"
        if refused.status == 429 and refused.more.get("retry_after") is not None:
            response.headers["retry-after"] = str(refused.more["retry_after"])
        return response

    def _chat(self, request: Request) -> Response:
        body = parsed(request)
        for name in FIELDS:
            if name in body and not _right_type(name, body[name]):
                raise Refused(422, INVALID, f"{name}: invalid type", param=name)
        check_fields(body, FIELDS)
        model = MODELS.get(body["model"])
        if model is None:
            raise Refused(
                404,
                "model_not_found",
                f"The model {body['model']} does not exist or your team does not have access to it.",
            )
        read = read_messages(body["messages"])
        if read.pictures and not model.vision:
            raise Refused(400, INVALID, "Image inputs are not supported by this model.", param="messages")
        if read.picture_bytes > PICTURE_BYTES:
            raise Refused(413, "request_too_large", "The request is too large.")
        if model.reasoning:
            for name in NOT_WITH_REASONING:
                if body.get(name) is not None:
                    raise Refused(400, INVALID, f"{name} is not supported by reasoning models.", param=name)
        if body.get("stream_options") is not None and not body.get("stream"):
            raise Refused(400, INVALID, "stream_options needs stream.", param="stream_options")
        if body.get("deferred") and body.get("stream"):
            raise Refused(400, INVALID, "deferred goes without stream.", param="deferred")
        if read.tokens > model.context_tokens:
            raise Refused(400, "context_length_exceeded", "The prompt is longer than the model's context.")
        check_format(body.get("response_format"), read, counts=False)

        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        match said:
            case Words():
                words = said
            case CutOff() | Drip() | StreamError():
                words = Words(text=said.text)
            case _:
                words = Words(text=str(said))
        report = usage(words, read, thinking_inside=False)
        if words.ticks is not None:
            report["cost_in_usd_ticks"] = words.ticks
        id = f"xai-{self.number()}"
        fault = said if isinstance(said, CutOff | Drip) else None
        if body.get("stream"):
            wanted = bool((body.get("stream_options") or {}).get("include_usage"))
            broken = said.code if isinstance(said, StreamError) else ""
            pieces = _stream(words, id, body["model"], report if wanted else None, broken)
            return Response(headers={"Content-Type": "text/event-stream"}, body=pieces, fault=fault)
        if isinstance(said, StreamError):
            raise Refused(500, said.code, "The stream broke.")
        whole = json.dumps(completion(words, id=id, model=body["model"], usage=report)).encode()
        if body.get("deferred"):
            self._deferred[id] = (1, whole)
            return _json({"request_id": id})
        return Response(headers={"Content-Type": "application/json"}, body=whole, fault=fault)

    def _fetch(self, id: str) -> Response:
        """A deferred completion: pending once, then there, then gone."""
        if id not in self._deferred:
            raise Refused(404, "not_found", "Deferred completion not found.")
        pending, whole = self._deferred[id]
        if pending:
            self._deferred[id] = (pending - 1, whole)
            return Response(status=202)
        del self._deferred[id]
        return Response(headers={"Content-Type": "application/json"}, body=whole)


def _right_type(name: str, value: Any) -> bool:
    """422 is for a field of the wrong type; 400 for a value out of bounds."""
    if value is None:
        return True
    match name:
        case "model" | "user":
            return isinstance(value, str)
        case "messages" | "tools":
            return isinstance(value, list)
        case "max_tokens" | "max_completion_tokens" | "n" | "seed":
            return type(value) is int
        case "stream" | "deferred":
            return isinstance(value, bool)
        case "response_format" | "stream_options":
            return isinstance(value, dict)
        case _:
            return True


def _stream(
    words: Words, id: str, model: str, report: Mapping[str, Any] | None, broken: str
) -> Iterator[bytes]:
    every = list(chunks(words, id=id, model=model))
    for chunk in every[:-1] if broken else every:
        yield event(chunk)
    if broken:
        yield event({"error": {"message": "The stream broke.", "type": "server_error", "code": broken}})
        return
    if report is not None:
        yield event(every[-1] | {"choices": [], "usage": report})
    yield DONE


def _json(body: object, status: int = 200) -> Response:
    return Response(
        status=status, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
    )
