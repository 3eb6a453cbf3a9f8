"""What Google's APIs answer when they refuse: one body for all of them, read once for three adapters.

    {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": …, "details": [RetryInfo, QuotaFailure, …]}}

Pure functions: an HTTP failure in, a provider error out. Source: the vendor's API reference, 2026-11.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from providers.errors import (
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from providers.http import LONGEST_RETRY_AFTER, Answer, BadStatus, HttpError, UnusableBody
from providers.submission import read_error, submission_error

# The gRPC code that an accepted job ended with: ours, and whether the same request may succeed later. Any other
# is the vendor's fault, and nobody says that it passes. Code 1 is a cancelled job and stands with the states.
FAILURES: Mapping[int, tuple[FailureCode, bool]] = {
    3: (FailureCode.INVALID, False),
    7: (FailureCode.VENDOR_FAULT, False),
    8: (FailureCode.VENDOR_FAULT, True),
    13: (FailureCode.VENDOR_FAULT, True),
    14: (FailureCode.VENDOR_FAULT, True),
}
CANCELLED = 1
# An account without billing, or from a region where the API isn't offered, gets the first; a wrong key the second.
OURS_TO_FIX = frozenset({"FAILED_PRECONDITION", "API_KEY_INVALID"})
# And so does a request about a video that can't be used yet, or no longer.
NOT_READY = "FAILED_PRECONDITION"

_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


def submission_failure(
    provider: str, error: HttpError, *, by_model: bool = False, with_source: bool = False
) -> ProviderError:
    """What a failed submission means.

    `by_model`: the API counts every quota by model. `with_source`: an earlier video goes along, and it may be that
    which is gone or not ready.
    """
    match error:
        case BadStatus(status=404) if with_source:
            return RequestRefused(provider, code=FailureCode.INPUT_UNREADABLE)
        case BadStatus(status=400) if with_source and NOT_READY in (words := set(_words(error.answer))):
            if words & OURS_TO_FIX == {NOT_READY}:
                return RequestRefused(provider, code=FailureCode.INPUT_UNREADABLE)
            return CredentialsRefused(provider)
        case BadStatus(status=404):
            return RequestRefused(provider, code=FailureCode.MODEL_UNAVAILABLE)
        case BadStatus():
            return _told(provider, error, by_model) or submission_error(provider, error)
        case _:
            return submission_error(provider, error)


def read_failure(provider: str, error: HttpError, *, by_model: bool = False) -> ProviderError:
    """What a failed status or cancel call means."""
    told = _told(provider, error, by_model) if isinstance(error, BadStatus) else None
    return told or read_error(provider, error)


def _told(provider: str, error: BadStatus, by_model: bool) -> ProviderError | None:
    """What the body says of our account, whatever the call was for."""
    match error.status:
        case 400 if OURS_TO_FIX & set(_words(error.answer)):
            return CredentialsRefused(provider)
        case 402:
            return BalanceUsedUp(provider)
        case 429:
            wait, of_model = _wait(error.answer)
            return RateLimited(provider, retry_after=wait or error.retry_after, of_model=of_model or by_model)
        case _:
            return None


def _wait(answer: Answer) -> tuple[timedelta | None, bool]:
    """The wait that is asked for, and whether it is one model's quota that is used up."""
    wait, daily, of_model = None, False, False
    for detail in _details(answer):
        if seconds := _SECONDS.fullmatch(str(detail.get("retryDelay"))):
            wait = min(timedelta(seconds=float(seconds[1])), LONGEST_RETRY_AFTER)
        violations: Any = detail.get("violations")
        for one in violations if isinstance(violations, list) else []:
            quota = str(one.get("quotaId")) if isinstance(one, dict) else ""
            daily |= "PerDay" in quota
            of_model |= "PerDay" in quota or "PerModel" in quota
    # A day's quota is not back in the seconds that its RetryInfo names.
    return (LONGEST_RETRY_AFTER if daily else wait), of_model


def _words(answer: Answer) -> Iterator[str]:
    match _body(answer):
        case {"error": dict(error)}:
            # The official client of interactions takes `code` for a word.
            yield from (word for word in (error.get("status"), error.get("code")) if isinstance(word, str))
    for detail in _details(answer):
        if isinstance(reason := detail.get("reason"), str):
            yield reason


def _details(answer: Answer) -> list[Mapping[str, Any]]:
    match _body(answer):
        case {"error": {"details": list(details)}}:
            return [detail for detail in details if isinstance(detail, dict)]
        case _:
            return []


def _body(answer: Answer) -> Any:
    try:
        body = answer.json()
    except UnusableBody:
        return None
    # Some endpoints wrap the same in a list of one.
    return body[0] if isinstance(body, list) and body else body
