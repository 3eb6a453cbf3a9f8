"""What the ledger and the prices refuse.

DomainError
├─ InsufficientCredits      a hold over the balance
├─ SpendingSuspended        a hold while something is owed
├─ DailyLimitReached        a hold over what one day may spend
├─ KeyReused                the same movement asked for with other figures
├─ HoldNotFound
├─ HoldClosed               the hold has ended in another way
├─ CaptureExceedsHold
├─ RefundExceedsCaptured
├─ NoPrice                  so nothing starts
└─ BelowVendorCost          a rate card that would sell at a loss
"""

from workers.errors import DomainError


class InsufficientCredits(DomainError):
    """This needs {needed} credits; the balance is {balance}."""

    code = "insufficient_credits"


class SpendingSuspended(DomainError):
    """A payment was reversed: {receivable} credits are owed. Spending resumes once they are paid."""

    code = "spending_suspended"


class DailyLimitReached(DomainError):
    """This needs {needed} credits; {remaining} of the day's {limit} are left."""

    code = "daily_limit_reached"


class KeyReused(DomainError):
    """The movement {key} was already made with other figures."""

    code = "key_reused"


class HoldNotFound(DomainError):
    """There is no hold {hold_id}."""

    code = "hold_not_found"


class HoldClosed(DomainError):
    """The hold {hold_id} is already {state}, with {captured} credits captured."""

    code = "hold_closed"


class CaptureExceedsHold(DomainError):
    """{amount} credits can't be captured from a hold of {held}."""

    code = "capture_exceeds_hold"


class RefundExceedsCaptured(DomainError):
    """{amount} credits can't be refunded: {refundable} of what was captured are left."""

    code = "refund_exceeds_captured"


class NoPrice(DomainError):
    """{subject} has no price for {factor}: {reason}."""

    code = "no_price"


class BelowVendorCost(DomainError):
    """{subject} would sell for {price}; the vendor asks {cost}."""

    code = "below_vendor_cost"
