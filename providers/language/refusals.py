"""Reads an answer outside 2xx: which of our errors it is.

Error tables: the vendors' documentation, 2026-11. The vendor's sentence is only looked
at, never handed on.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from providers.http import Answer

from .errors import (
    BadAnswer,
    ContentRefused,
    CredentialsRefused,
    LanguageError,
    ModelGone,
    RateLimited,
    RequestRefused,
    Unavailable,
)

# Gemini's quotas of a day begin anew at its midnight.
PACIFIC = ZoneInfo("America/Los_Angeles")
UNAVAILABLE = frozenset({408, 424, 498, 499})
KINDS: Mapping[str, type[LanguageError]] = {
    "json_validate_failed": BadAnswer,
    "model_not_found": ModelGone,
    "model_decommissioned": ModelGone,
    "invalid_api_key": CredentialsRefused,
    "API_KEY_INVALID": CredentialsRefused,
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
}
# No digits: no key, no id.
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,63}")


def refusal(provider: str, answer: Answer, *, request_id: str = "") -> LanguageError:
    """The error that an answer outside 2xx means."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    code, message, details = _fields(body)
    kind = _kind(answer.status, code, message)
    code = word(code) or f"http_{answer.status}"
    if kind is RateLimited:
        wait = _retry_delay(details) or answer.retry_after
        return RateLimited(code, retry_after=wait, provider=provider, request_id=request_id)
    return kind(code, provider=provider, request_id=request_id)


def refusal_in_stream(provider: str, body: object) -> LanguageError:
    """The error that a stream ends with, in an answer that began as a 200."""
    code, message, _ = _fields({"error": body})
    kind = RateLimited if code == "rate_limit_exceeded" else _kind(500, code, message)
    return kind(word(code) or "stream_error", provider=provider)


def word(code: object) -> str:
    """The vendor's code if it is nothing but a word, else ""."""
    return code if isinstance(code, str) and _WORD.fullmatch(code) else ""


def _fields(body: object) -> tuple[str, str, list[Any]]:
    """The code, the sentence and Gemini's details, in whichever form they come."""
    match body:
        # Gemini's OpenAI-compatible endpoint has been seen to send a list of one [unconfirmed].
        case [dict(first), *_]:
            return _fields(first)
        case {"error": {"status": str(status), **error}}:
            listed: Any = error.get("details")
            details = [detail for detail in _list(listed) if isinstance(detail, Mapping)]
            reason = next((detail["reason"] for detail in details if "reason" in detail), status)
            return str(reason), str(error.get("message")), details
        case {"error": {**error}}:
            return str(error.get("code") or error.get("type") or ""), str(error.get("message")), []
        case {"code": str(code), "error": str(message)}:
            return code, message, []
        case {"error": str(message)}:
            return "", message, []
        case _:
            return "", "", []


def _kind(status: int, code: str, message: str) -> type[LanguageError]:
    message = message.lower()
    if code in KINDS:
        return KINDS[code]
    if status == 429:
        return RateLimited
    if status in UNAVAILABLE or status >= 500:
        return Unavailable
    if status == 404:
        return ModelGone
    # What xAI says of a prompt against its rules, with 400 or 403 [unconfirmed].
    if "usage guidelines" in message:
        return ContentRefused
    # xAI answers 400 to some wrong keys, Gemini always.
    if status in (401, 402, 403) or (status == 400 and ("api key" in message or "api_key" in message)):
        return CredentialsRefused
    return RequestRefused


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _retry_delay(details: list[Any]) -> timedelta | None:
    for detail in details:
        for violation in _list(detail.get("violations")):
            if isinstance(violation, Mapping) and "PerDay" in str(violation.get("quotaId")):
                return _until_midnight()
    for detail in details:
        if seconds := re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)s", str(detail.get("retryDelay"))):
            return timedelta(seconds=float(seconds[1]))
    return None


def _until_midnight() -> timedelta:
    now = datetime.now(PACIFIC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    # As instants: two times of one zone would be subtracted as a wall clock shows them.
    return timedelta(seconds=midnight.timestamp() - now.timestamp())
