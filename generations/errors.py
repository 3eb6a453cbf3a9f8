"""What can be wrong with a request for a clip."""

from workers.errors import DomainError


class InvalidRequest(DomainError):
    """{reason}"""

    code = "invalid"

    def __init__(self, *, field: str, reason: str, code: str = "invalid", **details: object) -> None:
        """`code` says what is wrong with `field`; it is the answer's code."""
        self.code = code  # type: ignore[misc]
        super().__init__(field=field, reason=reason, **details)


class ModelRetired(DomainError):
    """The model {model} was retired. Use {successor}."""

    code = "model_retired"


class ModelUnavailable(DomainError):
    """The model {model} is not available: {reason}."""

    code = "model_unavailable"
    retryable = True


class TierRequired(DomainError):
    """This needs the tier {tier}."""

    code = "tier_required"


class NotFound(DomainError):
    """There is no {what} with this id."""

    code = "not_found"


class NoPriceNoStart(DomainError):
    """There is no price for this request, so it can't start: {reason}."""

    code = "no_price"


class QuoteExpired(DomainError):
    """The quote expired at {expires_at}. Ask for a new estimate."""

    code = "quote_expired"


class QuoteUsed(DomainError):
    """The quote was used already. Ask for a new estimate."""

    code = "quote_used"


class QuoteMismatch(DomainError):
    """The request is not the one that was quoted: {fields} differ."""

    code = "quote_mismatch"


class PriceChanged(DomainError):
    """The price is {credits} credits, above max_credits {max_credits}."""

    code = "price_changed"


class TooManyJobs(DomainError):
    """{queued} jobs of this account wait already, and its tier allows {limit}."""

    code = "too_many_jobs"
    retryable = True


class DailyCreditsSpent(DomainError):
    """This would spend {needed} credits today, and this account's limit is {limit} a day."""

    code = "daily_limit"
    retryable = True


class QueueFull(DomainError):
    """The queue is full. Try again in about {retry_after} seconds."""

    code = "queue_full"
    retryable = True


class Moderated(DomainError):
    """The prompt is not allowed here."""

    code = "moderated"


class AlreadyEnded(DomainError):
    """It has ended: it is {status}."""

    code = "already_ended"


class WorkerBusy(DomainError):
    """A worker is at it right now. Try again in a moment."""

    code = "worker_busy"
    retryable = True


class NotSubmitted(DomainError):
    """It was never submitted, so it has no result."""

    code = "not_submitted"


class NotRetryable(DomainError):
    """Only a failed or cancelled generation can be tried again; this one is {status}."""

    code = "not_retryable"


class RetriedAlready(DomainError):
    """This generation was tried again already, as {generation_id}."""

    code = "retried_already"


class StillRunning(DomainError):
    """It still has running work. Cancel that first."""

    code = "still_running"


class NotCompleted(DomainError):
    """There is no video to download: the generation is {status}."""

    code = "not_completed"


class Gone(DomainError):
    """The video expired at {expires_at}. The record and the recipe remain."""

    code = "expired"
