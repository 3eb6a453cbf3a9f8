"""xAI: chat completions over its OpenAI-compatible API. Facts: docs.x.ai, 2026-07."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from .compatible import CompatibleProvider, Dialect


class XaiProvider(CompatibleProvider):
    name = "xai"
    settings: ClassVar[Sequence[str]] = ("XAI_API_KEY", "XAI_BASE_URL")
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType({"XAI_BASE_URL": "https://api.x.ai/v1"})
    # `stream_options`, and a schema in a stream, are taken to be as in OpenAI [unconfirmed].
    dialect = Dialect(limit_field="max_completion_tokens", streams_schema=True, usage_option=True)
