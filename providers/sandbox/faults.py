"""The ways in which an order can ask the service to misbehave: `{"sandbox": {"fault": …, "seconds": …}}`."""

import time
from enum import StrEnum


class Fault(StrEnum):
    """Each is what a real vendor has been seen to do."""

    SLOW = "slow"
    """Takes at least 30 s."""
    STUCK = "stuck"
    """Stays at "rendering" for ever."""
    FAILED = "failed"
    """Ends as "error" with a fault of the service's own."""
    MODERATED = "moderated"
    """Ends as "error": the content policy."""
    MODERATED_AT_SUBMIT = "moderated_at_submit"
    """Refused with 422: the content policy. Nothing is accepted."""
    RATE_LIMITED = "rate_limited"
    """429 with Retry-After for the first such order; the same order again is accepted."""
    SERVER_ERROR = "server_error"
    """500 for the first such order, nothing accepted; the same order again is accepted."""
    SERVER_ERROR_AFTER_ACCEPTING = "server_error_after_accepting"
    """Accepted, but the answer is 500."""
    TIMEOUT_AFTER_ACCEPTING = "timeout_after_accepting"
    """Accepted, but the answer does not come for a minute."""
    MALFORMED_JSON = "malformed_json"
    """Accepted, but the answer is cut in the middle of its JSON."""
    MALFORMED_STATUS = "malformed_status"
    """The first two status answers are cut in the middle of their JSON."""
    UNKNOWN_STATUS = "unknown_status"
    """While it renders the status is a word that no documentation has."""
    UNKNOWN_END = "unknown_end"
    """It ends with a status that no documentation has."""
    DONE_WITHOUT_MEDIA = "done_without_media"
    """Says "done" and names no file."""
    TRUNCATED_VIDEO = "truncated_video"
    """The file lacks its last part, though the HTTP answer is whole."""
    EXPIRED_LINK = "expired_link"
    """The link in the webhook and in the first "done" answer has lapsed; a later answer has a good one."""
    WEBHOOK_LATE = "webhook_late"
    """The webhook comes 10 s after the end."""
    WEBHOOK_TWICE = "webhook_twice"
    """The same delivery, with the same id, comes twice."""
    WEBHOOK_OUT_OF_ORDER = "webhook_out_of_order"
    """A "rendering" webhook comes after the "done" one."""
    WEBHOOK_FORGED = "webhook_forged"
    """Somebody else's webhook, badly signed, claims an early "done" with a file elsewhere; the true one
    follows.
    """
    WEBHOOK_BEFORE_ANSWER = "webhook_before_answer"
    """The last webhook comes before the order is answered."""
    NO_WEBHOOK = "no_webhook"
    """No webhook comes at all."""
    REFUSE_CANCEL = "refuse_cancel"
    """A cancel is always too late."""
    IGNORE_CANCEL = "ignore_cancel"
    """A cancel is accepted, and the video is made all the same."""


class SoundFault(StrEnum):
    """The same for sounds, which are answered at once."""

    SLOW = "slow"
    """Takes at least 30 s."""
    MODERATED = "moderated"
    """Refused with 422: the content policy."""
    RATE_LIMITED = "rate_limited"
    """429 with Retry-After for the first such order; the same order again is accepted."""
    SERVER_ERROR = "server_error"
    """500 for the first such order, nothing accepted; the same order again is accepted."""
    TIMEOUT_AFTER_ACCEPTING = "timeout_after_accepting"
    """Accepted and made, but the answer does not come for a minute."""
    MALFORMED_JSON = "malformed_json"
    """Accepted and made, but the answer is cut in the middle of its JSON."""


class Refusals:
    """Which orders were refused, to be accepted when they come again."""

    def __init__(self) -> None:
        self._refused: dict[str, float] = {}

    def refuses(self, digest: str) -> bool:
        """Whether this order is refused now; the next equal one is not, within two minutes."""
        refused_at = self._refused.pop(digest, None)
        if refused_at is not None and time.time() - refused_at < REFUSAL_SECONDS:
            return False
        self._refused[digest] = time.time()
        return True


REFUSED_ONCE = frozenset({Fault.RATE_LIMITED, Fault.SERVER_ERROR})
WITHOUT_MEDIA = frozenset(
    {Fault.STUCK, Fault.FAILED, Fault.MODERATED, Fault.UNKNOWN_END, Fault.DONE_WITHOUT_MEDIA},
)
REFUSAL_SECONDS = 120.0
SLOW_SECONDS = 30.0
LATE_SECONDS = 10.0
SILENT_SECONDS = 60.0
RETRY_AFTER_SECONDS = 2
