"""The names under which clips are worked on."""

# The job that makes a clip.
GENERATION = "generation"
# The job that fetches a result which came after its clip had failed.
LATE_RESULT = "late_result"
# The job that looks at one of our accounts at a vendor, again and again.
VENDOR_ACCOUNT = "vendor_account"
# The job that holds a day's attempts of an account against the vendor's own list.
RECONCILIATION = "reconciliation"

# The stages that bring a clip's video home: as it came, or examined first.
DELIVER, DELIVER_EXAMINED = "deliver", "deliver_examined"
DELIVERING = (DELIVER, DELIVER_EXAMINED)


def delivering(*, examined: bool) -> str:
    """The stage that brings such a clip's video home."""
    return DELIVER_EXAMINED if examined else DELIVER


def gate_of(provider: str) -> str:
    """The gate that submissions to this provider pass."""
    return f"submit:{provider}"
