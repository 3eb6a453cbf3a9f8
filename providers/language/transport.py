"""Carries the `openai` library's calls over the project's one HTTP client.

So its guard holds for them too: the address checked, no environment, no redirect, a bound on the whole call's
time and on the answer's size. What goes out is the body and the headers named here; the key is put on here, and
the library never has it.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from typing import Self, cast
from urllib.parse import urlsplit

import httpx2
import requests

from providers.http import CHUNK_BYTES, Answer, Client, ClientConfig, Interrupted, UnusableBody, origin

SENT = ("Accept", "Content-Type")
KEPT = ("content-type", "retry-after", "x-request-id")

CALL_SECONDS = 100.0
ANSWER_BYTES = 2 << 20
# A streamed piece of some four letters comes in about 300 bytes of its own, and none of it is kept.
STREAM_OVERHEAD = 8


class Late(Interrupted):
    """{host} took too long."""


class CutOff(UnusableBody):
    """The answer from {host} breaks off."""


class LanguageClient(Client):
    """The one HTTP client, patient with a model that thinks, with answers that are read as they come."""

    @classmethod
    def for_address(
        cls, url: str, *, seconds: float = CALL_SECONDS, answer_bytes: int = ANSWER_BYTES
    ) -> Self:
        """A client for the vendor at `url`, an operator's setting: that origin may be plain and private."""
        return cls(
            ClientConfig(
                allowed_origins=frozenset({origin(url)}),
                read_seconds=seconds,
                total_seconds=seconds,
                body_bytes=answer_bytes,
            )
        )

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        seconds: float | None = None,
    ) -> Answer:
        """A whole answer, whatever its status; raises as `exchange`."""
        pieces = self.exchange(method, url, headers=headers, body=body, seconds=seconds)
        head = cast(requests.Response, next(pieces))
        content = b"".join(cast(Generator[bytes], pieces))
        return Answer(host=_host(head), status=head.status_code, headers=head.headers, body=content)

    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, seconds: float | None = None
    ) -> Generator[requests.Response | bytes]:
        """First the answer's head, then its body, piece by piece; closing the iterator ends the call.

        Raises HttpError: Late when the time is up, and for a 2xx UnusableBody past the limit and CutOff where
        it breaks off. Any other answer just ends there.
        """
        seconds = min(seconds or self.config.total_seconds, self.config.total_seconds)
        begun, ok = _now(), None
        try:
            with self._open(method, url, headers=headers, body=body, seconds=seconds) as response:
                ok = 200 <= response.status_code < 300
                yield response
                yield from self._body(response, ok)
        except Interrupted as error:
            if _now() - begun >= seconds:
                raise Late(error.host) from None
            if ok is None:
                raise
            if ok:
                raise CutOff(error.host) from None

    def _body(self, response: requests.Response, ok: bool) -> Iterator[bytes]:
        streamed = response.headers.get("Content-Type", "").startswith("text/event-stream")
        rest = self.config.body_bytes * (STREAM_OVERHEAD if streamed else 1)
        for piece in response.raw.stream(CHUNK_BYTES, decode_content=True):
            rest -= len(piece)
            if rest < 0:
                if ok:
                    raise UnusableBody(_host(response))
                return
            yield piece


class Transport(httpx2.BaseTransport):
    """What the `openai` library sends through; errors are those of `providers.http`."""

    def __init__(self, client: LanguageClient, headers: Mapping[str, str]) -> None:
        """`headers` go with every call."""
        self._client = client
        self._headers = headers

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: request.headers[name] for name in SENT if name in request.headers}
        pieces = self._client.exchange(
            request.method, str(request.url), headers={**headers, **self._headers}, body=request.read()
        )
        head = cast(requests.Response, next(pieces))
        return httpx2.Response(
            head.status_code,
            headers=[(name, head.headers[name]) for name in KEPT if name in head.headers],
            stream=_Body(cast(Generator[bytes], pieces)),
        )


def _host(response: requests.Response) -> str:
    return urlsplit(response.url).hostname or "?"


def _now() -> float:
    # The watchdog's clock.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Body(httpx2.SyncByteStream):
    def __init__(self, pieces: Generator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._pieces.close()
