"""The names under which clips are worked on."""

# The job that makes a clip.
GENERATION = "generation"
# The job that fetches a result which came after its clip had failed.
LATE_RESULT = "late_result"


def gate_of(provider: str) -> str:
    """The gate that submissions to this provider pass."""
    return f"submit:{provider}"
