"""The line between "not accepted" and "perhaps accepted", drawn once for every vendor.

A submission costs money, so it is repeated only when the vendor cannot have it. Pure functions: an HTTP
failure in, a provider error out.

    nothing left this machine: refused, connect time-out, DNS, no free connection     NotSent
    429                                                                              RateLimited
    401, 402, 403                                                                    CredentialsRefused
    any other 4xx but 408, 409, 425                                                  RequestRefused
    reset, read time-out, 3xx, 408, 409, 425, 5xx, unreadable 2xx                    OutcomeUnknown

503 is unknown too: proxies answer it when a backend resets after reading the request. 408, 409 and 425 can
speak of an earlier copy of the same request. A vendor whose sheet promises that a status means "not
accepted" says so in `not_accepted`, and gets NotSent for it.
"""

from .errors import (
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RequestRefused,
)
from .http import BadStatus, HttpError, NotConnected, TargetRefused

CREDENTIALS = frozenset({401, 402, 403})
GONE = frozenset({404, 410})
PERHAPS_AN_EARLIER_COPY = frozenset({408, 409, 425})


def submission_error(
    provider: str,
    error: HttpError,
    *,
    refusal: FailureCode = FailureCode.INVALID,
    not_accepted: frozenset[int] = frozenset(),
) -> ProviderError:
    """What a failed submission means. `refusal` is the reason if the vendor refused the request itself."""
    if isinstance(error, NotConnected | TargetRefused):
        return NotSent(provider)
    if not isinstance(error, BadStatus):
        return OutcomeUnknown(provider)
    if error.status == 429:
        return RateLimited(provider, retry_after=error.retry_after)
    if error.status in CREDENTIALS:
        return CredentialsRefused(provider)
    if error.status in not_accepted:
        return NotSent(provider, retry_after=error.retry_after)
    if 400 <= error.status < 500 and error.status not in PERHAPS_AN_EARLIER_COPY:
        return RequestRefused(provider, code=refusal)
    return OutcomeUnknown(provider)


def read_error(provider: str, error: HttpError) -> ProviderError:
    """What a failed status, look-up or cancel call means; these may always be repeated."""
    if not isinstance(error, BadStatus):
        return ReadFailed(provider)
    if error.status == 429:
        return RateLimited(provider, retry_after=error.retry_after)
    if error.status in CREDENTIALS:
        return CredentialsRefused(provider)
    if error.status in GONE:
        return JobNotFound(provider)
    return ReadFailed(provider, retry_after=error.retry_after)
