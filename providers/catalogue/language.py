"""Language and transcription models, and what they cost.

Facts and prices as the vendors' documentation and two maintained price maps gave them in 2026-11. A price of cached
input that is not known is the full one. Rows of models that are gone stay: they price what was asked of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from providers.language.contract import Usage

MILLION = Decimal(1_000_000)
SECONDS_PER_HOUR = Decimal(3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """What one model of one vendor can do and costs. Prices are USD per million tokens."""

    id: str
    """Ours, stable: "<provider>/<the vendor's name>"."""
    provider: str
    vendor_model: str
    input_price: Decimal
    output_price: Decimal
    cached_price: Decimal
    context_tokens: int
    max_output_tokens: int
    vision: bool = False
    video: bool = False
    schema: Literal["strict", "best_effort", "none"]
    """What a JSON Schema in the request does: the answer keeps it, may miss it, or it can't be sent."""
    retires_at: datetime | None = None
    successor: str | None = None
    """The id of the model to use instead."""

    def cost(self, usage: Usage) -> Decimal:
        """USD, unrounded."""
        fresh = usage.input_tokens - usage.cached_tokens
        return (
            fresh * self.input_price
            + usage.cached_tokens * self.cached_price
            + usage.output_tokens * self.output_price
        ) / MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionModel:
    """A model that writes down speech. The price is USD per hour of sound."""

    id: str
    provider: str
    vendor_model: str
    price_per_hour: Decimal
    shortest_seconds: int = 10
    """What a shorter sound is charged as."""

    def cost(self, seconds: float) -> Decimal:
        """USD, unrounded, for a sound of that length."""
        return (
            max(Decimal(str(seconds)), Decimal(self.shortest_seconds))
            * self.price_per_hour
            / SECONDS_PER_HOUR
        )


def _groq(
    name: str,
    prices: tuple[str, str, str],
    *,
    vision: bool = False,
    schema: Literal["strict", "best_effort", "none"],
    max_output_tokens: int = 65_536,
    retires_at: datetime | None = None,
    successor: str | None = None,
) -> LanguageModel:
    return LanguageModel(
        id=f"groq/{name}",
        provider="groq",
        vendor_model=name,
        input_price=Decimal(prices[0]),
        output_price=Decimal(prices[1]),
        cached_price=Decimal(prices[2]),
        context_tokens=131_072,
        max_output_tokens=max_output_tokens,
        vision=vision,
        schema=schema,
        retires_at=retires_at,
        successor=successor,
    )


def _xai(name: str, prices: tuple[str, str, str]) -> LanguageModel:
    # Contexts, limits of output and cached prices are not in the sheet: public price maps of 2026 [unconfirmed].
    return LanguageModel(
        id=f"xai/{name}",
        provider="xai",
        vendor_model=name,
        input_price=Decimal(prices[0]),
        output_price=Decimal(prices[1]),
        cached_price=Decimal(prices[2]),
        context_tokens=2_000_000,
        max_output_tokens=30_000,
        vision=True,
        schema="strict",
    )


def _gemini(
    name: str,
    prices: tuple[str, str, str],
    *,
    retires_at: datetime | None = None,
    successor: str | None = None,
) -> LanguageModel:
    return LanguageModel(
        id=f"gemini/{name}",
        provider="gemini",
        vendor_model=name,
        input_price=Decimal(prices[0]),
        output_price=Decimal(prices[1]),
        cached_price=Decimal(prices[2]),
        context_tokens=1_048_576,
        max_output_tokens=65_536,
        vision=True,
        video=True,
        schema="strict",
        retires_at=retires_at,
        successor=successor,
    )


LLAMA_ENDED = datetime(2026, 8, 16, tzinfo=UTC)
GEMINI_2_5_ENDS = datetime(2026, 12, 1, tzinfo=UTC)

LANGUAGE_MODELS: Mapping[str, LanguageModel] = MappingProxyType(
    {
        model.id: model
        for model in (
            _groq("openai/gpt-oss-120b", ("0.15", "0.60", "0.075"), schema="strict"),
            _groq("openai/gpt-oss-20b", ("0.075", "0.30", "0.0375"), schema="strict"),
            # Sources disagree about its cached price.
            _groq(
                "qwen/qwen3.8-27b",
                ("0.80", "4.00", "0.80"),
                vision=True,
                schema="best_effort",
                max_output_tokens=16_384,
            ),
            _groq(
                "llama-3.3-70b-versatile",
                ("0.59", "0.79", "0.59"),
                schema="none",
                max_output_tokens=32_768,
                retires_at=LLAMA_ENDED,
                successor="groq/openai/gpt-oss-120b",
            ),
            _xai("grok-4-1-fast-non-reasoning", ("0.20", "0.50", "0.20")),
            _xai("grok-4-1-fast-reasoning", ("0.20", "0.50", "0.20")),
            _xai("grok-4.20-non-reasoning", ("2", "6", "2")),
            _xai("grok-4.20-reasoning-latest", ("2", "6", "2")),
            # The prices of 3.6 to 3.8 hold until 2026-12-31.
            _gemini("gemini-3.8-flash", ("0.75", "3.75", "0.075")),
            _gemini("gemini-3.7-flash", ("0.75", "3.75", "0.075")),
            _gemini("gemini-3.6-flash", ("0.75", "3.75", "0.075")),
            _gemini("gemini-3.5-flash", ("1.50", "9.00", "0.15")),
            _gemini("gemini-3.5-flash-lite", ("0.30", "2.50", "0.03")),
            # From that day calls are answered, and charged, as the successor's.
            _gemini(
                "gemini-2.5-flash",
                ("0.30", "2.50", "0.30"),
                retires_at=GEMINI_2_5_ENDS,
                successor="gemini/gemini-3.5-flash-lite",
            ),
        )
    }
)

TRANSCRIPTION_MODELS: Mapping[str, TranscriptionModel] = MappingProxyType(
    {
        model.id: model
        for model in (
            TranscriptionModel(
                id="groq/whisper-large-v3",
                provider="groq",
                vendor_model="whisper-large-v3",
                price_per_hour=Decimal("0.111"),
            ),
            TranscriptionModel(
                id="groq/whisper-large-v3-turbo",
                provider="groq",
                vendor_model="whisper-large-v3-turbo",
                price_per_hour=Decimal("0.04"),
            ),
        )
    }
)
