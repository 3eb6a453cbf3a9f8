"""The three vendors side by side: a simulator, our adapter on it, and a model to ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from providers.catalogue.language import LANGUAGE_MODELS, LanguageModel
from providers.language.compatible import CompatibleProvider
from providers.language.contract import Picture, Question, Turn
from providers.language.gemini import GeminiProvider
from providers.language.groq import GroqProvider
from providers.language.transport import LanguageClient
from providers.language.xai import XaiProvider
from tests.vendors import Gemini, Groq, Xai

# Not a picture, but nothing here looks inside.
PICTURE = Picture(content=b"\xff\xd8\xff\xe0 not a whole picture", media_type="image/jpeg")


class Shot(BaseModel):
    """One shot."""

    prompt: str = Field(max_length=200)
    seconds: float = Field(gt=0, le=15)
    camera: Literal["still", "moving"] = "still"
    note: str | None = None


class Plan(BaseModel):
    """A film, with everything pydantic writes that a vendor may not take."""

    title: str = Field(min_length=1, max_length=80)
    shots: list[Shot] = Field(min_length=1, max_length=8)


PLAN = Plan(title="Harbour at dawn", shots=[Shot(prompt="A boat leaves port", seconds=4)]).model_dump_json()


def question(
    words: str = "A harbour at dawn.",
    *,
    pictures: Sequence[Picture] = (),
    schema: dict[str, Any] | None = None,
    **more: Any,
) -> Question:
    return Question(
        system="You plan films.",
        turns=[Turn(role="user", text=words)],
        pictures=pictures,
        schema_name="plan",
        schema=Plan.model_json_schema() if schema is None else schema,
        **more,
    )


def ignored(_: str) -> None:
    """Takes the pieces of a streamed answer."""


@dataclass(frozen=True)
class Vendor:
    """`model` and `vision` are the ids of a model, and of one that takes pictures."""

    name: str
    simulator: Callable[..., Groq | Xai | Gemini]
    provider: Callable[..., CompatibleProvider]
    model: str
    vision: str

    def adapter(
        self,
        simulator: Groq | Xai | Gemini,
        *,
        key: str | None = None,
        seconds: float = 20,
        answer_bytes: int = 2 << 20,
        **more: Any,
    ) -> CompatibleProvider:
        http = LanguageClient.for_address(simulator.url, seconds=seconds, answer_bytes=answer_bytes)
        return self.provider(key=key or simulator.key, url=simulator.url, http=http, **more)

    @property
    def fact(self) -> LanguageModel:
        return LANGUAGE_MODELS[self.model]


GROQ = Vendor("groq", Groq, GroqProvider, "groq/openai/gpt-oss-120b", "groq/qwen/qwen3.8-27b")
XAI = Vendor("xai", Xai, XaiProvider, "xai/grok-4-1-fast-non-reasoning", "xai/grok-4-1-fast-non-reasoning")
GEMINI = Vendor("gemini", Gemini, GeminiProvider, "gemini/gemini-3.8-flash", "gemini/gemini-3.8-flash")
VENDORS = {vendor.name: vendor for vendor in (GROQ, XAI, GEMINI)}
