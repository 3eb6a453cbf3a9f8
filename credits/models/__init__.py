"""The rows of money."""

from .ledger import Account, Entry, Hold, HoldGroup
from .rate_cards import Modifier, RateCard, VendorUnit

__all__ = ["Account", "Entry", "Hold", "HoldGroup", "Modifier", "RateCard", "VendorUnit"]
