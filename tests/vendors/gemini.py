"""Gemini as a local server: its own API with files, and the OpenAI-compatible one.

Facts: the vendor's documentation and its SDK google-genai 3.4.0; of the compatible API only what
`providers/language/gemini.py` names. Its errors come in a list of one here [unconfirmed].
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
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
from .server import (
    CutOff,
    Drip,
    Failure,
    Refused,
    Request,
    Response,
    Said,
    Simulator,
    StreamError,
    Words,
    parsed,
    wire,
)

FLASH = Model(context_tokens=1_048_576, vision=True, reasoning=True)
MODELS: Mapping[str, Model] = dict.fromkeys(
    (
        "gemini-3.8-flash",
        "gemini-3.7-flash",
        "gemini-3.6-flash",
        "gemini-3.5-flash",
        "gemini-3.5-flash-lite",
        "gemini-2.5-flash",
        "gemini-2.5-pro",
    ),
    FLASH,
)
# From 2026-12-01.
REROUTED = {"gemini-2.5-flash": "gemini-3.5-flash-lite", "gemini-2.5-pro": "gemini-3.8-flash"}
FINISHES = frozenset(
    (
        *(
            "STOP",
            "MAX_TOKENS",
            "SAFETY",
            "PROHIBITED_CONTENT",
            "BLOCKLIST",
            "SPII",
            "IMAGE_SAFETY",
            "MODEL_ARMOR",
        ),
        *(
            "RECITATION",
            "LANGUAGE",
            "OTHER",
            "ESCALATION",
            "NO_IMAGE",
            "PUP_LIMITED_DISABLED",
            "CONTINUATION",
        ),
        *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
        "MISSING_THOUGHT_SIGNATURE",
    )
)
BLOCKS = frozenset(
    ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK")
)
STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
VIDEOS = frozenset(
    f"video/{kind}"
    for kind in ("mp4", "mpeg", "mov", "quicktime", "avi", "x-flv", "mpg", "webm", "wmv", "3gpp")
)
CATEGORIES = frozenset(
    f"HARM_CATEGORY_{kind}"
    for kind in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")
)
THRESHOLDS = frozenset(
    ("BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF")
)
REQUEST_FIELDS = frozenset(
    (
        *("contents", "systemInstruction", "generationConfig", "safetySettings", "tools", "toolConfig"),
        *("cachedContent", "serviceTier", "store", "continuationToken"),
    )
)
CONFIG = {
    "responseMimeType": one_of("application/json", "text/plain"),
    "responseSchema": mapping,
    "responseJsonSchema": mapping,
    "temperature": between(0, 2),
    "topP": between(0, 1),
    "topK": positive,
    "seed": whole,
    "stopSequences": array,
    "candidateCount": one_of(1),
    "maxOutputTokens": positive,
    "presencePenalty": between(-2, 2),
    "frequencyPenalty": between(-2, 2),
    "thinkingConfig": mapping,
    "mediaResolution": one_of(
        "MEDIA_RESOLUTION_LOW",
        "MEDIA_RESOLUTION_MEDIUM",
        "MEDIA_RESOLUTION_HIGH",
        "MEDIA_RESOLUTION_UNSPECIFIED",
    ),
}
LEVELS = frozenset(("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"))
JSON_SCHEMA_WORDS = frozenset(
    (
        *(
            "$id",
            "$defs",
            "$ref",
            "$anchor",
            "type",
            "format",
            "title",
            "description",
            "enum",
            "items",
            "prefixItems",
        ),
        *(
            "minItems",
            "maxItems",
            "minimum",
            "maximum",
            "anyOf",
            "oneOf",
            "properties",
            "additionalProperties",
        ),
        *("required", "propertyOrdering"),
    )
)
SCHEMA_TYPES = frozenset(("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"))
COMPATIBLE_FIELDS = {
    "model": string,
    "messages": array,
    "max_tokens": positive,
    "max_completion_tokens": positive,
    "temperature": between(0, 2),
    "top_p": between(0, 1),
    "n": whole,
    "stop": stops,
    "stream": boolean,
    "stream_options": mapping,
    "response_format": mapping,
    "reasoning_effort": one_of("none", "minimal", "low", "medium", "high"),
    "tools": array,
    "tool_choice": lambda value: isinstance(value, str | dict),
}
REQUEST_BYTES = 100 << 20
FILE_BYTES = 2 << 30
CHUNK_UNIT = 256 << 10
DURATION = re.compile(r"\d+(?:\.\d+)?s")


@dataclass(slots=True, kw_only=True)
class File:
    """An uploaded file, or one that is being uploaded."""

    name: str
    display_name: str
    media_type: str
    size: int
    content: bytearray = field(default_factory=bytearray, repr=False)
    state: str = "PROCESSING"
    asked: int = 0
    """How often its state was asked for."""
    expired: bool = False


class Gemini(Simulator):
    """`processing`: how often a file is still PROCESSING when asked about; `video`: what becomes of it then.

    `rerouted`: whether the day has come on which 2.5 is answered by its successors.
    """

    def __init__(
        self,
        *,
        key: str = "AIzaSimulated0123456789",
        processing: int = 1,
        video: Literal["ACTIVE", "FAILED"] = "ACTIVE",
        rerouted: bool = False,
    ) -> None:
        super().__init__(key=key)
        self._processing = processing
        self._video = video
        self._rerouted = rerouted
        self.files: dict[str, File] = {}
        self._uploads: dict[str, File] = {}
        self.upload_root = ""
        """Where uploads are sent, if not here."""

    def expire(self, name: str) -> None:
        """Two days pass for the file."""
        self.files[name].expired = True

    def respond(self, request: Request) -> Response:
        if request.path.startswith("/v1beta/openai/"):
            self._check_key(request.headers.get("authorization") == f"Bearer {self.key}")
            return self._compatible(request)
        if request.path == "/upload/v1beta/files" and "upload_id" in request.query:
            # The address itself is the secret.
            return self._take_chunk(request, self._uploads.get(request.query["upload_id"][0]))
        self._check_key(request.headers.get("x-goog-api-key") == self.key)
        route = request.path.removeprefix("/v1beta/")
        model = re.fullmatch(r"models/([^:/]+):(generateContent|streamGenerateContent|countTokens)", route)
        match request.method:
            case "POST" if request.path == "/upload/v1beta/files":
                return self._start_upload(request)
            case "POST" if model:
                return self._generate(request, model[1], model[2])
            case "GET" if route == "files":
                return _json({"files": [self._described(file) for file in self.files.values()]})
            case "GET" if route.startswith("files/"):
                return self._ask_file(route)
            case "DELETE" if route.startswith("files/"):
                self._file(route)
                del self.files[route]
                return _json({})
            case "GET" if route == "models":
                return _json({"models": [_described_model(name) for name in MODELS]})
            case "GET" if route.removeprefix("models/") in MODELS:
                return _json(_described_model(route.removeprefix("models/")))
            case _:
                raise Refused(404, "NOT_FOUND", "Requested entity was not found.")

    def refuse(self, request: Request, refused: Refused) -> Response:
        status = STATUSES.get(refused.status, "UNKNOWN")
        if refused.status == 400 and refused.code == "FAILED_PRECONDITION":
            status = refused.code
        details: list[dict[str, Any]] = []
        if refused.code == "API_KEY_INVALID":
            details.append(
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                }
            )
        if refused.status == 429:
            period = "PerDay" if refused.more.get("per_day") else "PerMinute"
            violation = {"quotaId": f"GenerateRequests{period}PerProjectPerModel", "quotaValue": "15"}
            details.append(
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
            )
            if (seconds := refused.more.get("retry_after")) is not None:
                details.append(
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"}
                )
        request.code = "API_KEY_INVALID" if refused.code == "API_KEY_INVALID" else status
        body: Any = {
            "error": {
                "code": refused.status,
                "message": refused.message,
                "status": status,
                "details": details,
            }
        }
        if not details:
            del body["error"]["details"]
        return _json([body] if request.path.startswith("/v1beta/openai/") else body, refused.status)

    def _check_key(self, right: bool) -> None:
        if not right:
            raise Refused(400, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.")

    # Files

    def _start_upload(self, request: Request) -> Response:
        headers = request.headers
        if (
            headers.get("x-goog-upload-protocol") != "resumable"
            or headers.get("x-goog-upload-command") != "start"
        ):
            raise Refused(400, INVALID, "Invalid upload protocol or command.")
        size = headers.get("x-goog-upload-header-content-length", "")
        media_type = headers.get("x-goog-upload-header-content-type", "")
        if not size.isdecimal() or not media_type:
            raise Refused(400, INVALID, "Missing upload header.")
        if int(size) > FILE_BYTES:
            raise Refused(400, INVALID, "The file is too large.")
        described = camel(parsed(request)).get("file", {}) if request.body else {}
        # The client repeats there what the headers say.
        if described.keys() - {"name", "displayName", "mimeType", "sizeBytes"}:
            raise Refused(400, INVALID, "Invalid JSON payload received: unknown name in file.")
        name = described.get("name", f"files/simulated-{self.number()}")
        if not re.fullmatch(r"files/[a-z0-9-]{1,40}", name) or len(described.get("displayName", "")) > 512:
            raise Refused(400, INVALID, "Invalid file name.")
        upload = f"upload-{self.number()}"
        self._uploads[upload] = File(
            name=name, display_name=described.get("displayName", ""), media_type=media_type, size=int(size)
        )
        address = f"{self.upload_root or self.root}/upload/v1beta/files"
        headers_out = {
            "x-goog-upload-url": f"{address}?upload_id={upload}&upload_protocol=resumable",
            "x-goog-upload-status": "active",
            "x-goog-upload-chunk-granularity": str(CHUNK_UNIT),
        }
        return Response(headers=headers_out)

    def _take_chunk(self, request: Request, file: File | None) -> Response:
        if file is None:
            raise Refused(404, "NOT_FOUND", "Upload not found.")
        if request.headers.get("x-goog-upload-offset") != str(len(file.content)):
            raise Refused(400, INVALID, "Wrong upload offset.")
        commands = [word.strip() for word in request.headers.get("x-goog-upload-command", "").split(",")]
        if commands not in (["upload"], ["upload", "finalize"]):
            raise Refused(400, INVALID, "Invalid upload command.")
        if commands == ["upload"] and len(request.body) % CHUNK_UNIT:
            raise Refused(400, INVALID, "A chunk must be a multiple of the granularity.")
        file.content += request.body
        if commands == ["upload"]:
            return Response(headers={"x-goog-upload-status": "active"})
        if len(file.content) != file.size:
            raise Refused(400, INVALID, "The upload is not of the announced size.")
        self._uploads = {key: other for key, other in self._uploads.items() if other is not file}
        self.files[file.name] = file
        if not self._processing:
            file.state = self._video
        response = _json({"file": self._described(file)})
        response.headers["x-goog-upload-status"] = "final"
        return response

    def _ask_file(self, name: str) -> Response:
        file = self._file(name)
        file.asked += 1
        if file.asked > self._processing:
            file.state = self._video
        return _json(self._described(file))

    def _file(self, name: str) -> File:
        file = self.files.get(name)
        if file is None or file.expired:
            raise Refused(
                403,
                "PERMISSION_DENIED",
                f"You do not have permission to access the File {name.rpartition('/')[2]} or it may not exist.",
            )
        return file

    def _described(self, file: File) -> dict[str, Any]:
        described: dict[str, Any] = {
            "name": file.name,
            "displayName": file.display_name,
            "mimeType": file.media_type,
            "sizeBytes": str(file.size),
            "createTime": "2026-11-20T10:00:00Z",
            "updateTime": "2026-11-20T10:00:01Z",
            "expirationTime": "2026-11-22T10:00:00Z",
            "sha256Hash": b64encode(sha256(file.content).hexdigest().encode()).decode(),
            "uri": f"{self.root}/v1beta/{file.name}",
            "state": file.state,
            "source": "UPLOADED",
        }
        if file.state == "FAILED":
            described["error"] = {"code": 3, "message": "The video could not be decoded."}
        return described

    # Its own API

    def _generate(self, request: Request, name: str, verb: str) -> Response:
        if len(request.body) > REQUEST_BYTES:
            raise Refused(400, INVALID, "Request payload size exceeds the limit.")
        body = camel(parsed(request))
        if name not in MODELS:
            raise Refused(404, "NOT_FOUND", f"models/{name} is not found for API version v1beta.")
        _known(body, REQUEST_FIELDS)
        tokens = self._read_contents(body.get("contents"))
        if "systemInstruction" in body:
            tokens += self._read_content(body["systemInstruction"], system=True)
        if verb == "countTokens":
            return _json({"totalTokens": tokens})
        config = body.get("generationConfig", {})
        _check_config(config, name)
        _check_safety(body.get("safetySettings", []))
        return self._say(request, name, tokens, stream=verb == "streamGenerateContent")

    def _read_contents(self, contents: Any) -> int:
        if not isinstance(contents, list) or not contents:
            raise Refused(400, INVALID, "GenerateContentRequest.contents: contents is not specified")
        return sum(self._read_content(content, system=False) for content in contents)

    def _read_content(self, content: Any, *, system: bool) -> int:
        """Its tokens."""
        match content:
            case {"parts": [_, *_] as parts, **rest} if not rest.keys() - {"role"}:
                pass
            case _:
                raise Refused(400, INVALID, "contents.parts must not be empty.")
        if not system and rest.get("role") not in (None, "user", "model"):
            raise Refused(400, INVALID, "Please use a valid role: user, model.")
        return sum(self._read_part(part) for part in parts)

    def _read_part(self, part: Any) -> int:
        match part:
            case {"text": str(text), **rest} if not rest:
                return len(text) // 4 + 1
            case {"inlineData": {"mimeType": str(kind), "data": str(data)}, **rest}:
                _check_beside(rest)
                try:
                    # In either alphabet: Google's client uses that of URLs.
                    content = b64decode(data.replace("-", "+").replace("_", "/"), validate=True)
                except Base64Error:
                    raise Refused(
                        400, INVALID, "Invalid value at inline_data.data: Base64 decoding failed."
                    ) from None
                return 560 if kind.startswith("image/") else len(content) // 1000
            case {"fileData": {"fileUri": str(uri), **more}, **rest} if not more.keys() - {
                "mimeType",
                "displayName",
            }:
                _check_beside(rest)
                return self._read_file(uri, more.get("mimeType"))
            case _:
                raise Refused(400, INVALID, f"Invalid JSON payload received. Unknown part: {sorted(part)}")

    def _read_file(self, uri: str, media_type: Any) -> int:
        if not uri.startswith(f"{self.root}/v1beta/files/"):
            return 1_000 if uri.startswith("https://") else _refuse_uri()
        file = self._file(uri.removeprefix(f"{self.root}/v1beta/"))
        if media_type is not None and media_type not in VIDEOS:
            raise Refused(400, INVALID, f"Unsupported MIME type: {media_type}")
        if file.state != "ACTIVE":
            raise Refused(
                400,
                "FAILED_PRECONDITION",
                f"The File {file.name.rpartition('/')[2]} is not in an ACTIVE state and usage is not allowed.",
            )
        return 102 * 10

    def _say(self, request: Request, name: str, tokens: int, *, stream: bool) -> Response:
        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        words = _words(said)
        answered = words.model or (REROUTED.get(name, name) if self._rerouted else name)
        given = tokens if words.input_tokens is None else words.input_tokens
        written = len(words.text) // 4 + 1 if words.output_tokens is None else words.output_tokens
        report: dict[str, Any] = {"promptTokenCount": given, "totalTokenCount": given}
        report["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": given}]
        if words.cached_tokens:
            report["cachedContentTokenCount"] = words.cached_tokens
        finish = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(
            words.finish, words.finish
        )
        head = {"modelVersion": answered, "responseId": f"r-{self.number()}"}
        fault = said if isinstance(said, CutOff | Drip) else None
        if words.refusal:
            block = finish if finish in BLOCKS else "PROHIBITED_CONTENT"
            whole = {"promptFeedback": {"blockReason": block}, "usageMetadata": report, **head}
            return _fit([whole], stream, fault)
        report["candidatesTokenCount"] = written
        report["totalTokenCount"] = given + written + words.thinking_tokens
        if words.thinking_tokens:
            report["thoughtsTokenCount"] = words.thinking_tokens
        assert finish in FINISHES or finish.isupper(), finish

        def whole_or_piece(text: str, last: bool) -> dict[str, Any]:
            parts: list[dict[str, Any]] = [{"text": words.thought, "thought": True}] if words.thought else []
            if text:
                parts.append({"text": text})
            candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
            if not parts:
                candidate["content"] = {"role": "model"}
            if last:
                candidate |= {"finishReason": finish, "safetyRatings": []}
            return {"candidates": [candidate], "usageMetadata": report, **head}

        if not stream:
            return _fit([whole_or_piece(words.text, True)], stream, fault)
        starts = range(0, max(len(words.text), 1), words.piece_length)
        pieces = [words.text[start : start + words.piece_length] for start in starts]
        return _fit(
            [whole_or_piece(piece, number == len(pieces)) for number, piece in enumerate(pieces, 1)],
            stream,
            fault,
        )

    # The OpenAI-compatible API

    def _compatible(self, request: Request) -> Response:
        if (request.method, request.path) != ("POST", "/v1beta/openai/chat/completions"):
            raise Refused(404, "NOT_FOUND", "Requested entity was not found.")
        body = parsed(request)
        check_fields(body, COMPATIBLE_FIELDS)
        name = body["model"].removeprefix("models/")
        if name not in MODELS:
            raise Refused(404, "NOT_FOUND", f"models/{name} is not found for API version v1main.")
        if len(request.body) > REQUEST_BYTES:
            raise Refused(400, INVALID, "Request payload size exceeds the limit.")
        read = read_messages(body["messages"])
        if (body.get("max_tokens") or body.get("max_completion_tokens") or 1) > MODELS[
            name
        ].max_output_tokens + 1:
            raise Refused(400, INVALID, "max_output_tokens must be less than 65537.")
        check_format(body.get("response_format"), read, counts=True)

        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        words = _words(said)
        answered = words.model or (REROUTED.get(name, name) if self._rerouted else name)
        report = usage(words, read, thinking_inside=False)
        # It has no field for thinking; the total has it.
        report.pop("completion_tokens_details", None)
        id = f"r-{self.number()}"
        fault = said if isinstance(said, CutOff | Drip) else None
        if body.get("stream"):
            wanted = bool((body.get("stream_options") or {}).get("include_usage"))
            broken = isinstance(said, StreamError)
            pieces = _stream(words, id, answered, report if wanted else None, broken)
            return Response(headers={"Content-Type": "text/event-stream"}, body=pieces, fault=fault)
        if isinstance(said, StreamError):
            raise Refused(503, said.code, "The model is overloaded.")
        response = _json(completion(words, id=id, model=answered, usage=report))
        response.fault = fault
        return response


def camel(node: Any) -> Any:
    """The body with its names in one spelling: Google takes `mime_type` for `mimeType`, and its client mixes them.

    The names inside a schema are its own.
    """
    if isinstance(node, list):
        return [camel(item) for item in node]
    if not isinstance(node, dict):
        return node
    spelt = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): value for name, value in node.items()}
    own = ("responseSchema", "responseJsonSchema")
    return {name: value if name in own else camel(value) for name, value in spelt.items()}


def _words(said: Said) -> Words:
    match said:
        case Words():
            return said
        case CutOff() | Drip() | StreamError():
            return Words(text=said.text)
        case Failure():
            raise AssertionError("a failure has no words")
        case _:
            return Words(text=str(said))


def _refuse_uri() -> int:
    raise Refused(400, INVALID, "Invalid or unsupported file uri.")


def _known(body: Mapping[Any, Any], names: frozenset[str]) -> None:
    for name in body:
        if name not in names:
            raise Refused(
                400, INVALID, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )


def _check_beside(rest: Mapping[Any, Any]) -> None:
    """What may stand in a part beside its media."""
    _known(rest, frozenset(("videoMetadata", "mediaResolution", "mediaProcessing")))
    metadata = rest.get("videoMetadata", {})
    _known(metadata, frozenset(("startOffset", "endOffset", "fps", "contentLayers")))
    for name in ("startOffset", "endOffset"):
        if name in metadata and not DURATION.fullmatch(str(metadata[name])):
            raise Refused(400, INVALID, f"Invalid value at video_metadata.{name}")
    if "fps" in metadata and not (between(0, 24)(metadata["fps"]) and metadata["fps"] > 0):
        raise Refused(400, INVALID, "fps must be in the range (0.0, 24.0].")
    if rest.get("mediaProcessing", "STATIC") not in ("STATIC", "AGENTIC"):
        raise Refused(400, INVALID, "Invalid value at media_processing")


def _check_config(config: Mapping[str, Any], model: str) -> None:
    _known(config, frozenset(CONFIG))
    for name, value in config.items():
        if not CONFIG[name](value):
            raise Refused(400, INVALID, f"Invalid value at 'generation_config.{name}'")
    if config.get("maxOutputTokens", 1) > MODELS[model].max_output_tokens:
        raise Refused(400, INVALID, "max_output_tokens must be less than 65537.")
    thinking = config.get("thinkingConfig", {})
    _known(thinking, frozenset(("thinkingLevel", "thinkingBudget", "includeThoughts")))
    if "thinkingLevel" in thinking and ("-2.5-" in model or thinking["thinkingLevel"] not in LEVELS):
        raise Refused(400, INVALID, "Thinking level is not supported for this model.")
    if "responseSchema" in config and "responseJsonSchema" in config:
        raise Refused(400, INVALID, "response_schema and response_json_schema are mutually exclusive.")
    schema = config.get("responseSchema", config.get("responseJsonSchema"))
    if schema is None:
        return
    if config.get("responseMimeType") != "application/json":
        raise Refused(400, INVALID, "A response schema needs response_mime_type application/json.")
    _check_schema(schema, upper="responseSchema" in config)


def _check_schema(node: Any, *, upper: bool) -> None:
    if not isinstance(node, dict):
        return
    words = (
        JSON_SCHEMA_WORDS - {"$id", "$defs", "$ref", "$anchor"} | {"nullable"} if upper else JSON_SCHEMA_WORDS
    )
    _known(node, frozenset(words))
    kinds = node.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if (kind.upper() if not upper else kind) not in SCHEMA_TYPES:
            raise Refused(400, INVALID, "Invalid value at 'generation_config.response_schema.type'")
    for inner in (*node.get("properties", {}).values(), *node.get("$defs", {}).values()):
        _check_schema(inner, upper=upper)
    for word in ("anyOf", "oneOf", "prefixItems"):
        for inner in node.get(word, ()):
            _check_schema(inner, upper=upper)
    for word in ("items", "additionalProperties"):
        _check_schema(node.get(word), upper=upper)


def _check_safety(settings: Any) -> None:
    for setting in settings:
        match setting:
            case {"category": str(category), "threshold": str(threshold)} if (
                category in CATEGORIES and threshold in THRESHOLDS
            ):
                pass
            case _:
                raise Refused(400, INVALID, "Invalid value at 'safety_settings'")


def _fit(bodies: list[dict[str, Any]], stream: bool, fault: CutOff | Drip | None) -> Response:
    if not stream:
        response = _json(bodies[0])
        response.fault = fault
        return response
    pieces = (event(body).replace(b"\n\n", b"\r\n\r\n") for body in bodies)
    return Response(headers={"Content-Type": "text/event-stream"}, body=pieces, fault=fault)


def _stream(
    words: Words, id: str, model: str, report: Mapping[str, Any] | None, broken: bool
) -> Iterator[bytes]:
    every = list(chunks(words, id=id, model=model))
    for chunk in every[:-1] if broken else every:
        yield event(chunk)
    if broken:
        yield event({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})
        return
    if report is not None:
        yield event(every[-1] | {"choices": [], "usage": report})
    yield DONE


def _described_model(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "inputTokenLimit": MODELS[name].context_tokens,
        "outputTokenLimit": MODELS[name].max_output_tokens,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def _json(body: object, status: int = 200) -> Response:
    return Response(
        status=status, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
    )
