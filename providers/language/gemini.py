"""Gemini: words and pictures over its OpenAI-compatible API, video over its own. Facts: its
documentation and google-genai 3.4.0, 2026-11.

Of the compatible API, taken from ai.google.dev/gemini-api/docs/openai are the path
`/v1beta/openai/chat/completions`, the Bearer key, pictures as data URLs, `response_format` with a schema, and
streaming. Unconfirmed: `max_tokens` and `stream_options`, a schema in a stream, and what its errors look like.

A video is uploaded, waited for, asked about and deleted, within one call.
"""

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from providers.catalogue.language import LANGUAGE_MODELS, LanguageModel
from providers.errors import UnsupportedFeature
from providers.http import Answer as HttpAnswer
from providers.http import HttpError, UnusableBody

from .compatible import CompatibleProvider, Dialect, count, failed_call
from .contract import NO_USAGE, Answer, Question, Usage, Video
from .errors import BadAnswer, ContentRefused, LanguageError, RequestRefused, Truncated, Unavailable
from .refusals import refusal, word
from .schema import UnwritableSchema, gemini_schema
from .transport import LanguageClient

CHUNK_BYTES = 8 << 20
POLL_SECONDS = 2.0
VIDEO_SECONDS = 300.0
DELETE_SECONDS = 10.0
# Frames a second, where a cut may come within one: shorter videos are looked at twice as closely.
SHORT_VIDEO_SECONDS = 60.0
CLOSE_FPS = 2

ROLES: Mapping[str, str] = {"user": "user", "assistant": "model"}
NO_HEADERS: Mapping[str, str] = {}
_FILE = re.compile(r"files/[a-z0-9-]{1,40}")
REFUSED = frozenset({"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "MODEL_ARMOR"})


class GeminiProvider(CompatibleProvider):
    name = "gemini"
    settings: ClassVar[Sequence[str]] = ("GEMINI_API_KEY", "GEMINI_BASE_URL")
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"GEMINI_BASE_URL": "https://generativelanguage.googleapis.com"}
    )
    dialect = Dialect(limit_field="max_tokens", streams_schema=True, usage_option=True)

    def __init__(
        self,
        *,
        key: str,
        url: str,
        http: LanguageClient | None = None,
        poll_seconds: float = POLL_SECONDS,
        video_seconds: float = VIDEO_SECONDS,
    ) -> None:
        """`url` is the host's; `video_seconds` bounds a call with a video, which is asked for in between."""
        self._url = url.rstrip("/")
        super().__init__(key=key, url=f"{self._url}/v1beta/openai/", http=http)
        self._headers = {"x-goog-api-key": key}
        self._poll_seconds = poll_seconds
        self._video_seconds = video_seconds

    def ask(
        self, model: LanguageModel, question: Question, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """As the contract; an answer about a video is handed to `on_text` in one piece."""
        if question.video is None:
            return super().ask(model, question, on_text=on_text)
        if not model.video:
            raise UnsupportedFeature(self.name, "video with this model")
        try:
            schema = gemini_schema(question.schema)
        except UnwritableSchema:
            raise UnsupportedFeature(self.name, "this schema") from None
        ends_at = time.monotonic() + self._video_seconds
        with self._uploaded(question.video, ends_at) as file_uri:
            answer = self._generate(model, _request(model, question, schema, file_uri), ends_at)
        if on_text is not None:
            on_text(answer.text)
        return answer

    @contextmanager
    def _uploaded(self, video: Video, ends_at: float) -> Iterator[str]:
        """The file's URI at the vendor, ready for use; it is deleted in the end."""
        file = self._upload(video.path, video.media_type, ends_at)
        address = f"{self._url}/v1beta/{file['name']}"
        try:
            while file["state"] == "PROCESSING":
                if time.monotonic() + self._poll_seconds > ends_at:
                    raise Unavailable("timeout", provider=self.name)
                time.sleep(self._poll_seconds)
                file = self._file(self._json(self._call("GET", address, ends_at)))
            if file["state"] != "ACTIVE":
                # It can't be decoded.
                raise RequestRefused("video_unreadable", provider=self.name)
            yield file["uri"]
        finally:
            # The vendor deletes it after two days.
            with suppress(HttpError):
                self._http.call("DELETE", address, headers=self._headers, seconds=DELETE_SECONDS)

    def _upload(self, path: Path, media_type: str, ends_at: float) -> Mapping[str, str]:
        size, offset = path.stat().st_size, 0
        start = self._call(
            "POST",
            f"{self._url}/upload/v1beta/files",
            ends_at,
            headers={
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(size),
                "X-Goog-Upload-Header-Content-Type": media_type,
            },
            content={"file": {"displayName": "video"}},
        )
        address = start.headers.get("x-goog-upload-url", "")
        with path.open("rb") as source:
            while True:
                chunk = source.read(CHUNK_BYTES)
                last = offset + len(chunk) >= size
                # The address is the secret here: it needs no key, and may be another host's.
                answer = self._call(
                    "POST",
                    address,
                    ends_at,
                    keyed=False,
                    headers={
                        "X-Goog-Upload-Offset": str(offset),
                        "X-Goog-Upload-Command": "upload, finalize" if last else "upload",
                    },
                    body=chunk,
                )
                if answer.headers.get("x-goog-upload-status") != ("final" if last else "active"):
                    raise BadAnswer("upload", provider=self.name)
                if last:
                    break
                offset += len(chunk)
        match self._json(answer):
            case {"file": file}:
                return self._file(file)
            case _:
                raise BadAnswer("unreadable", provider=self.name)

    def _generate(self, model: LanguageModel, request: Mapping[str, object], ends_at: float) -> Answer:
        address = f"{self._url}/v1beta/models/{model.vendor_model}:generateContent"
        body = self._json(self._call("POST", address, ends_at, content=request))
        if not isinstance(body, Mapping):
            raise BadAnswer("unreadable", provider=self.name)
        answered = str(body.get("modelVersion") or model.vendor_model).removeprefix("models/")
        usage = _usage(body.get("usageMetadata"))
        cost = LANGUAGE_MODELS.get(f"{self.name}/{answered}", model).cost(usage)
        request_id = str(body.get("responseId") or "")

        def failed(kind: type[LanguageError], code: str) -> LanguageError:
            return kind(code, provider=self.name, cost=cost, usage=usage, request_id=request_id)

        match body:
            case {"candidates": [{**candidate}, *_]}:
                finish = word(candidate.get("finishReason"))
            case {"promptFeedback": {"blockReason": reason}}:
                raise failed(ContentRefused, word(reason) or "blocked")
            case _:
                raise failed(BadAnswer, "unreadable")
        if finish == "MAX_TOKENS":
            raise failed(Truncated, finish)
        if finish in REFUSED or finish.startswith("IMAGE_"):
            raise failed(ContentRefused, finish)
        if finish != "STOP":
            raise failed(BadAnswer, finish or "cut_off")
        text = _text(candidate)
        if not text:
            raise failed(BadAnswer, "empty")
        return Answer(text=text, model=answered, usage=usage, cost=cost, request_id=request_id)

    def _call(
        self,
        method: str,
        address: str,
        ends_at: float,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        content: object = None,
        body: bytes = b"",
        keyed: bool = True,
    ) -> HttpAnswer:
        """A 2xx answer to a body, or to `content` as JSON; raises LanguageError."""
        rest = ends_at - time.monotonic()
        if rest <= 0:
            raise Unavailable("timeout", provider=self.name)
        if content is not None:
            headers, body = {**headers, "Content-Type": "application/json"}, json.dumps(content).encode()
        try:
            answer = self._http.call(
                method,
                address,
                headers={**(self._headers if keyed else {}), **headers},
                body=body,
                seconds=rest,
            )
        except HttpError as error:
            raise failed_call(self.name, error) from None
        if not answer.ok:
            raise refusal(self.name, answer)
        return answer

    def _json(self, answer: HttpAnswer) -> Any:
        try:
            return answer.json()
        except UnusableBody:
            raise BadAnswer("unreadable", provider=self.name) from None

    def _file(self, body: object) -> Mapping[str, str]:
        """What the vendor says of a file, as far as it is used here."""
        match body:
            case {"name": str(name), "uri": str(uri), "state": str(state)} if _FILE.fullmatch(name):
                return {"name": name, "uri": uri, "state": state}
            case _:
                raise BadAnswer("unreadable", provider=self.name)


def _request(
    model: LanguageModel, question: Question, schema: Mapping[str, Any], file_uri: str
) -> dict[str, object]:
    video = question.video
    assert video is not None
    *earlier, last = question.turns
    return {
        **({"systemInstruction": {"parts": [{"text": question.system}]}} if question.system else {}),
        "contents": [
            *({"role": ROLES[turn.role], "parts": [{"text": turn.text}]} for turn in earlier),
            {
                "role": ROLES[last.role],
                "parts": [
                    {
                        "fileData": {"fileUri": file_uri, "mimeType": video.media_type},
                        "videoMetadata": {"fps": CLOSE_FPS if video.seconds <= SHORT_VIDEO_SECONDS else 1},
                        "mediaProcessing": "STATIC",
                    },
                    *(
                        {"inlineData": {"mimeType": one.media_type, "data": b64encode(one.content).decode()}}
                        for one in question.pictures
                    ),
                    {"text": last.text},
                ],
            },
        ],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": schema,
            "maxOutputTokens": min(question.max_output_tokens, model.max_output_tokens),
            # From Gemini 3 on; models before it have a budget instead.
            **({} if "-2.5-" in model.vendor_model else {"thinkingConfig": {"thinkingLevel": "LOW"}}),
        },
    }


def _text(candidate: Mapping[Any, Any]) -> str:
    match candidate.get("content"):
        case {"parts": [*parts]}:
            said = [part for part in parts if isinstance(part, Mapping) and part.get("thought") is not True]
            text = "".join(part["text"] for part in said if isinstance(part.get("text"), str))
            # JSON may spell half a letter.
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case _:
            return ""


def _usage(reported: object) -> Usage:
    if not isinstance(reported, Mapping):
        return NO_USAGE
    given, cached = count(reported, "promptTokenCount"), count(reported, "cachedContentTokenCount")
    return Usage(
        input_tokens=given,
        cached_tokens=min(cached, given),
        output_tokens=count(reported, "candidatesTokenCount") + count(reported, "thoughtsTokenCount"),
    )
