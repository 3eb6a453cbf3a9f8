"""The adapter for every vendor that speaks OpenAI's chat completions: one class, the differences as data."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

import httpx2
import openai

from providers import http
from providers.catalogue.language import LANGUAGE_MODELS, LanguageModel
from providers.errors import UnsupportedFeature

from .contract import NO_USAGE, Answer, LanguageProvider, Question, Usage
from .errors import BadAnswer, ContentRefused, LanguageError, Truncated, Unavailable
from .refusals import refusal, refusal_in_stream, word
from .schema import UnwritableSchema, strict_schema, whole_schema
from .transport import CutOff, LanguageClient, Late, Transport

# docs.x.ai, 2026-07.
TICKS_PER_DOLLAR = Decimal(10**10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a vendor departs from the others."""

    limit_field: Literal["max_completion_tokens", "max_tokens"]
    streams_schema: bool
    """Whether an answer kept to a schema can be streamed."""
    usage_option: bool
    """Whether a stream says what it used only if asked."""
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Fields added for a model, by the vendor's name of it."""


class CompatibleProvider(LanguageProvider):
    """Over the `openai` library, which forms requests and takes streams apart; `transport` carries them."""

    dialect: ClassVar[Dialect]

    def __init__(self, *, key: str, url: str, http: LanguageClient | None = None) -> None:
        """`url` is where /chat/completions lies; `http` replaces the client, for other bounds."""
        self._http = http or LanguageClient.for_address(url)
        self._openai = openai.OpenAI(
            # The transport has the key.
            api_key="none",
            base_url=url,
            max_retries=0,
            http_client=httpx2.Client(
                transport=Transport(self._http, {"Authorization": f"Bearer {key}"}),
                trust_env=False,
                follow_redirects=False,
            ),
        )

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        key, url = (values[name] for name in cls.settings)
        return cls(key=key, url=url)

    def ask(
        self, model: LanguageModel, question: Question, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        if question.video:
            raise UnsupportedFeature(self.name, "video")
        request = self._request(model, question, streamed=on_text is not None)
        if on_text is None:
            with self._errors():
                response = self._openai.chat.completions.with_raw_response.create(**request).http_response
                said = _Said(request_id=response.headers.get("x-request-id", ""))
                said.add(json.loads(response.content), "message")
        else:
            said = self._streamed(model, request, on_text)
        return self._read(model, said)

    def _request(self, model: LanguageModel, question: Question, *, streamed: bool) -> dict[str, Any]:
        if question.pictures and not model.vision:
            raise UnsupportedFeature(self.name, "pictures with this model")
        carried = model.schema != "none" and (self.dialect.streams_schema or not streamed)
        system = question.system
        try:
            if carried:
                shape = {
                    "name": question.schema_name,
                    "schema": strict_schema(question.schema),
                    "strict": model.schema == "strict",
                }
                response_format: dict[str, object] = {"type": "json_schema", "json_schema": shape}
            else:
                schema = json.dumps(whole_schema(question.schema), separators=(",", ":"))
                system += f"\n\nAnswer with one JSON object that keeps to this JSON Schema: {schema}"
                system = system.strip()
                response_format = {"type": "json_object"}
        except UnwritableSchema:
            raise UnsupportedFeature(self.name, "this schema") from None
        *earlier, last = question.turns
        return {
            "model": model.vendor_model,
            "messages": [
                *([{"role": "system", "content": system}] if system else []),
                *({"role": turn.role, "content": turn.text} for turn in earlier),
                {"role": last.role, "content": _content(last.text, question)},
            ],
            "response_format": response_format,
            self.dialect.limit_field: min(question.max_output_tokens, model.max_output_tokens),
            **({"stream_options": {"include_usage": True}} if streamed and self.dialect.usage_option else {}),
            "extra_body": dict(self.dialect.options.get(model.vendor_model, {})),
        }

    def _streamed(
        self, model: LanguageModel, request: Mapping[str, Any], on_text: Callable[[str], None]
    ) -> "_Said":
        with self._errors():
            stream = self._openai.chat.completions.create(stream=True, **request)
        said = _Said(request_id=stream.response.headers.get("x-request-id", ""))
        rest = self._http.config.body_bytes
        with stream:
            for piece in self._pieces(model, stream, said):
                rest -= len(piece)
                if rest < 0:
                    raise self._failed(BadAnswer("too_large", provider=self.name), model, said)
                on_text(piece)
        return said

    def _pieces(self, model: LanguageModel, stream: "openai.Stream[Any]", said: "_Said") -> Iterator[str]:
        # Inside the generator: an error of who takes the pieces is not the vendor's.
        try:
            with self._errors():
                for chunk in stream:
                    if piece := said.add(chunk.model_dump(warnings=False), "delta"):
                        yield piece
        except LanguageError as error:
            raise self._failed(error, model, said) from None

    def _read(self, model: LanguageModel, said: "_Said") -> Answer:
        """The answer, or the error that carries what it cost."""
        error: LanguageError | None = None
        if said.broken:
            error = Unavailable("stream_error", provider=self.name)
        elif said.refused or said.finish == "content_filter":
            error = ContentRefused("refusal" if said.refused else said.finish, provider=self.name)
        elif said.finish == "length":
            error = Truncated(said.finish, provider=self.name)
        elif said.finish != "stop":
            error = BadAnswer(word(said.finish) or "cut_off", provider=self.name)
        elif not said.text:
            error = BadAnswer("empty", provider=self.name)
        if error is not None:
            raise self._failed(error, model, said)
        return Answer(
            text=said.text,
            model=said.answered_by(model),
            usage=said.usage,
            cost=self._cost(model, said),
            request_id=said.request_id,
        )

    def _cost(self, model: LanguageModel, said: "_Said") -> Decimal:
        """As the vendor states it, else by the price of the model that answered, else of the one asked."""
        if said.cost is not None:
            return said.cost
        return LANGUAGE_MODELS.get(f"{self.name}/{said.answered_by(model)}", model).cost(said.usage)

    def _failed(self, error: LanguageError, model: LanguageModel, said: "_Said") -> LanguageError:
        """The error with what was used until then."""
        error.usage, error.cost = said.usage, self._cost(model, said)
        error.request_id = error.request_id or said.request_id
        return error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever the library or the client raises, as one of our errors."""
        try:
            yield
        except openai.APIStatusError as error:
            answer = http.Answer(
                host="",
                status=error.status_code,
                headers=error.response.headers,
                body=error.response.content,
            )
            raise refusal(
                self.name, answer, request_id=error.response.headers.get("x-request-id", "")
            ) from None
        except openai.APIConnectionError as error:
            raise failed_call(self.name, error.__cause__) from None
        except openai.APIError as error:
            raise refusal_in_stream(self.name, error.body) from None
        except http.HttpError as error:
            raise failed_call(self.name, error) from None
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, RecursionError):
            # What the library makes of a body that is not what it expects.
            raise BadAnswer("unreadable", provider=self.name) from None


def failed_call(provider: str, error: BaseException | None) -> LanguageError:
    """The error that a failure of the one HTTP client means."""
    match error:
        case CutOff():
            return BadAnswer("cut_off", provider=provider)
        case http.UnusableBody():
            return BadAnswer("too_large", provider=provider)
        case Late():
            return Unavailable("timeout", provider=provider)
        case http.NotConnected():
            return Unavailable("not_connected", provider=provider)
        case http.TargetRefused():
            return Unavailable("address_refused", provider=provider)
        case _:
            return Unavailable("interrupted", provider=provider)


@dataclass(slots=True, kw_only=True)
class _Said:
    """What a vendor has said so far; whatever is not of the expected kind counts as not said."""

    request_id: str = ""
    pieces: list[str] = field(default_factory=list)
    model: str = ""
    finish: str = ""
    refused: bool = False
    broken: bool = False
    """The vendor says, in a stream, that it ends early."""
    usage: Usage = NO_USAGE
    cost: Decimal | None = None
    """As the vendor states it."""

    held: str = ""
    """The first half of a letter whose second half comes with the next piece."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def answered_by(self, model: LanguageModel) -> str:
        """The vendor's name of the model that answered; of the one asked, where it does not say."""
        return self.model.removeprefix("models/") or model.vendor_model

    def add(self, body: object, part: Literal["message", "delta"]) -> str:
        """Takes in a whole answer or a chunk of one; returns the text it brings."""
        if not isinstance(body, Mapping):
            return ""
        if isinstance(model := body.get("model"), str):
            self.model = model
        self._add_usage(body.get("usage"))
        match body.get("x_groq"):
            case {**groq}:
                self._add_usage(groq.get("usage"))
                self.broken = self.broken or bool(groq.get("error"))
                self.request_id = self.request_id or str(groq.get("id") or "")
        self.request_id = self.request_id or str(body.get("id") or "")
        match body.get("choices"):
            case [{**choice}, *_]:
                return self._add_choice(choice, part)
        return ""

    def _add_choice(self, choice: Mapping[Any, Any], part: str) -> str:
        if isinstance(finish := choice.get("finish_reason"), str):
            self.finish = finish
        match choice.get(part):
            case {"refusal": str(refused)} if refused:
                self.refused = True
            case {"content": str(text)}:
                text = self._letters(self.held + text)
                self.pieces.append(text)
                return text
        return ""

    def _letters(self, text: str) -> str:
        """The text in whole letters: JSON may spell one in two halves, and a stream may part them."""
        self.held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return text.removesuffix(self.held).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _add_usage(self, usage: object) -> None:
        if not isinstance(usage, Mapping):
            return
        given, written, total = (count(usage, f"{name}_tokens") for name in ("prompt", "completion", "total"))
        details = usage.get("prompt_tokens_details")
        cached = count(details, "cached_tokens") if isinstance(details, Mapping) else 0
        self.usage = Usage(
            input_tokens=given,
            cached_tokens=min(cached, given),
            # xAI and Gemini leave thinking out of the completion, and charge it: github.com/vercel/ai/pull/12425.
            output_tokens=max(written, total - given),
        )
        if ticks := count(usage, "cost_in_usd_ticks"):
            self.cost = ticks / TICKS_PER_DOLLAR


def _content(text: str, question: Question) -> str | list[dict[str, object]]:
    if not question.pictures:
        return text
    parts: list[dict[str, object]] = [{"type": "text", "text": text}]
    for one in question.pictures:
        url = f"data:{one.media_type};base64,{b64encode(one.content).decode()}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts


def count(body: Mapping[str, object], name: str) -> int:
    """The number of something in what a vendor reports; 0 where it does not say."""
    value = body.get(name)
    return value if type(value) is int and value > 0 else 0
