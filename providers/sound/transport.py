"""The one HTTP client as sounds need it: patient, since an answer is the whole sound and comes when it is made."""

from providers.http import Client, ClientConfig, origin

CALL_SECONDS = 120.0


def client_for(url: str, *, seconds: float = CALL_SECONDS) -> Client:
    """A client for the vendor at `url`, an operator's setting: that origin may be plain and private."""
    return Client(
        ClientConfig(allowed_origins=frozenset({origin(url)}), read_seconds=seconds, total_seconds=seconds)
    )
