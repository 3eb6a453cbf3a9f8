"""Groq: chat completions over its OpenAI-compatible API, and transcription. Facts: its documentation, 2026."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from providers.catalogue.language import TranscriptionModel

from .compatible import CompatibleProvider, Dialect
from .contract import Phrase, Transcript
from .errors import BadAnswer


class GroqProvider(CompatibleProvider):
    name = "groq"
    settings: ClassVar[Sequence[str]] = ("GROQ_API_KEY", "GROQ_BASE_URL")
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"GROQ_BASE_URL": "https://api.groq.com/openai/v1"}
    )
    dialect = Dialect(
        limit_field="max_completion_tokens",
        # Documented as unsupported in 2025 [current state unconfirmed].
        streams_schema=False,
        usage_option=False,
        options=MappingProxyType(
            {
                "openai/gpt-oss-120b": {"reasoning_effort": "low"},
                "openai/gpt-oss-20b": {"reasoning_effort": "low"},
                "qwen/qwen3.8-27b": {"reasoning_format": "hidden"},
            }
        ),
    )

    def transcribe(self, model: TranscriptionModel, sound: Path) -> Transcript:
        with self._errors():
            response = self._openai.audio.transcriptions.with_raw_response.create(
                model=model.vendor_model,
                file=(sound.name, sound.read_bytes()),
                response_format="verbose_json",
                timestamp_granularities=["segment"],
            ).http_response
            body = json.loads(response.content)
        match body:
            case {"text": str(text), "duration": float() | int() as seconds, "segments": list(segments)}:
                phrases = tuple(_phrase(segment) for segment in segments)
            case _:
                raise BadAnswer("unreadable", provider=self.name)
        match body.get("x_groq"):
            case {"id": str(request_id)}:
                pass
            case _:
                request_id = response.headers.get("x-request-id", "")
        return Transcript(
            text=text.strip(),
            language=str(body.get("language") or ""),
            phrases=phrases,
            seconds=float(seconds),
            cost=model.cost(seconds),
            request_id=request_id,
        )


def _phrase(segment: object) -> Phrase:
    match segment:
        case {"start": float() | int() as start, "end": float() | int() as end, "text": str(text)}:
            return Phrase(start_seconds=float(start), end_seconds=float(end), text=text.strip())
        case _:
            raise BadAnswer("unreadable", provider=GroqProvider.name)
