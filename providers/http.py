"""The one HTTP client: everything that leaves this system goes through it.

It connects only to the address it has checked, speaks HTTPS to public addresses only, follows no redirect
unasked, retries nothing, and bounds every call in time and size. The exact `scheme://host:port` origins of
the embedded stack are let through by `ClientConfig.allowed_origins`.

    HttpError
    ├─ TargetRefused     our own guard said no: nothing was sent
    ├─ NotConnected      refused, connect time-out, DNS failure, untrusted certificate, no free connection:
    │                    nothing was sent
    ├─ Interrupted       there was a connection: the request may have been read
    ├─ BadStatus         an answer outside 2xx
    └─ UnusableBody      a 2xx whose body is not JSON, or too large

Messages name the host and the status only: no path, no query, no header, no body.
"""

import hashlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from requests_hardened.ip_filter import InvalidIPAddress
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError, SSLError

from .contract import OutputSource
from .embedded_media import NotBase64, Sink, cut
from .transport import Call, ClientConfig, Session, Watchdog, origin

__all__ = [
    "Answer",
    "BadStatus",
    "Client",
    "ClientConfig",
    "Downloaded",
    "HttpError",
    "Interrupted",
    "NotConnected",
    "TargetRefused",
    "UnusableBody",
    "client",
    "configure",
    "origin",
]

CHUNK_BYTES = 1 << 16
DOWNLOAD_SECONDS = 120.0
RESUMPTIONS = 3
# A vendor that asks for more is asked again after this.
LONGEST_RETRY_AFTER = timedelta(hours=1)


class HttpError(Exception):
    """The call to {host} failed."""

    def __init__(self, host: str, **details: object) -> None:
        self.host = host
        super().__init__((self.__doc__ or "").format(host=host, **details))


class TargetRefused(HttpError):
    """{host} is not an address we connect to."""


class NotConnected(HttpError):
    """No connection to {host}; nothing was sent."""


class Interrupted(HttpError):
    """The call to {host} was cut before its answer was complete."""


class UnusableBody(HttpError):
    """The body of the answer from {host} can't be used."""


class BadStatus(HttpError):
    """{host} answered {status}."""

    def __init__(self, host: str, answer: "Answer") -> None:
        self.answer = answer
        super().__init__(host, status=answer.status)

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def retry_after(self) -> timedelta | None:
        return self.answer.retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, its body within the client's limit."""

    host: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names compare without regard to case."""
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> timedelta | None:
        """The wait the server asks for, in either spelling, between 0 and an hour; None if it names none."""
        text = self.headers.get("Retry-After", "").strip()
        try:
            wait = timedelta(seconds=int(text)) if text.isdecimal() else _until(parsedate_to_datetime(text))
        except (ValueError, OverflowError):
            return None
        return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)

    def json(self) -> Any:
        """The body as JSON; raises UnusableBody."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise UnusableBody(self.host) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What was written: its length, the SHA-256 of it in hex, and the type the server claims ("" if none)."""

    bytes: int
    sha256: str
    media_type: str


class Client:
    """Safe to share by threads; one a process is enough."""

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self._session = Session(config)
        self._places = threading.BoundedSemaphore(config.connections)
        self._watchdog = Watchdog()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        total_seconds: float | None = None,
    ) -> Answer:
        """One call, whatever status it ends with; `json` or `body` is sent. Raises HttpError, not BadStatus.

        An answer outside 2xx counts even if its body is too large or cut off: the body is then empty.
        """
        seconds = total_seconds or self.config.total_seconds
        with self._open(method, url, headers=headers, json=json, body=body, seconds=seconds) as response:
            answer = Answer(host=_host(url), status=response.status_code, headers=response.headers, body=b"")
            try:
                content = _bounded(response, self.config.body_bytes)
            except (UnusableBody, requests.RequestException, HTTPError):
                if answer.ok:
                    raise
                return answer
        return Answer(host=answer.host, status=answer.status, headers=answer.headers, body=content)

    def get_json(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of a 2xx; raises HttpError."""
        return self._json(self.request("GET", url, headers=headers))

    def post_json(self, url: str, json: object = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Posts JSON, once, and answers the JSON of a 2xx; raises HttpError."""
        return self._json(self.request("POST", url, headers=headers, json=json))

    def json_without_media(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        max_bytes: int,
        total_seconds: float | None = None,
    ) -> Any:
        """The JSON of a 2xx of at most `max_bytes`, with `embedded_media.CUT` where a long string was.

        For answers that may have a whole video inside. Raises HttpError.
        """
        return self._without_media(
            method, url, headers=headers, json=json, max_bytes=max_bytes, seconds=total_seconds
        )

    def _without_media(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        json: object,
        max_bytes: int,
        field: str | None = None,
        to: Sink | None = None,
        seconds: float | None = None,
    ) -> Any:
        skeleton = bytearray()
        total = seconds or self.config.total_seconds
        with self._open(method, url, headers=headers, json=json, seconds=total) as response:
            answer = Answer(host=_host(url), status=response.status_code, headers=response.headers, body=b"")
            if not answer.ok:
                with suppress(UnusableBody, requests.RequestException, HTTPError):
                    answer = replace(answer, body=_bounded(response, self.config.body_bytes))
                raise BadStatus(answer.host, answer)
            try:
                for piece in cut(_at_most(response, max_bytes), field=field, to=to):
                    skeleton += piece
                    if len(skeleton) > self.config.body_bytes:
                        raise UnusableBody(answer.host)
            except NotBase64:
                raise UnusableBody(answer.host) from None
        return replace(answer, body=bytes(skeleton)).json()

    def post_to_file(
        self,
        url: str,
        json: object,
        to: BinaryIO,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int,
        total_seconds: float | None = None,
    ) -> Answer:
        """Posts JSON, once, and streams the body of a 2xx into `to`: the answer's own is empty.

        Raises HttpError, UnusableBody past `max_bytes` among them. After an error what `to` holds is of no use.
        """
        seconds = total_seconds or self.config.total_seconds
        with self._open("POST", url, headers=headers, json=json, seconds=seconds) as response:
            answer = Answer(host=_host(url), status=response.status_code, headers=response.headers, body=b"")
            if not answer.ok:
                with suppress(UnusableBody, requests.RequestException, HTTPError):
                    answer = replace(answer, body=_bounded(response, self.config.body_bytes))
                raise BadStatus(answer.host, answer)
            rest = max_bytes
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
                rest -= len(chunk)
                if rest < 0:
                    raise UnusableBody(answer.host)
                to.write(chunk)
        return answer

    def download(
        self,
        source: OutputSource,
        to: BinaryIO,
        *,
        max_bytes: int,
        total_seconds: float = DOWNLOAD_SECONDS,
    ) -> Downloaded:
        """Streams a file into `to` and hashes it on the way; raises HttpError: UnusableBody past `max_bytes`.

        Follows a few redirects, each checked like a first URL; the source's headers go to its own origin
        only. A connection that breaks is taken up again where it stopped, if the server names a strong ETag.
        After an error what `to` holds is of no use.
        """
        if source.base64_field is not None:
            return self._decode(source, to, max_bytes=max_bytes, total_seconds=total_seconds)
        url, digest, count, redirects, resumptions, etag = source.url, hashlib.sha256(), 0, 0, 0, ""
        watch = Call(total_seconds)
        while True:
            headers = {"Accept-Encoding": "identity"}
            if _same_origin(url, source.url):
                headers.update(source.headers)
            if count:
                headers.update({"Range": f"bytes={count}-", "If-Range": etag})
            try:
                with self._open("GET", url, headers=headers, seconds=watch.remaining) as response:
                    if response.is_redirect:
                        redirects += 1
                        if redirects > self.config.redirects:
                            raise TargetRefused(_host(url))
                        url = _target(url, response.headers["Location"])
                        continue
                    if response.status_code != (206 if count else 200):
                        answer = Answer(
                            host=_host(url), status=response.status_code, headers=response.headers, body=b""
                        )
                        raise BadStatus(_host(url), answer)
                    if count and not response.headers.get("Content-Range", "").startswith(f"bytes {count}-"):
                        raise UnusableBody(_host(url))
                    etag = "" if "Content-Encoding" in response.headers else response.headers.get("ETag", "")
                    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
                        count += len(chunk)
                        if count > max_bytes:
                            raise UnusableBody(_host(url))
                        digest.update(chunk)
                        to.write(chunk)
                    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                    return Downloaded(bytes=count, sha256=digest.hexdigest(), media_type=media_type)
            except Interrupted:
                resumptions += 1
                if not etag.startswith('"') or resumptions > RESUMPTIONS or watch.remaining <= 0:
                    raise

    def _decode(
        self, source: OutputSource, to: BinaryIO, *, max_bytes: int, total_seconds: float
    ) -> Downloaded:
        """A video out of the JSON that it is inside of."""
        written = _Written(to)
        self._without_media(
            "GET" if source.post is None else "POST",
            source.url,
            headers=source.headers,
            json=source.post,
            # Base64 is a third longer; the rest of the answer is small.
            max_bytes=max_bytes // 3 * 4 + self.config.body_bytes,
            field=source.base64_field,
            to=written,
            seconds=total_seconds,
        )
        if not 0 < written.bytes <= max_bytes:
            raise UnusableBody(_host(source.url))
        return Downloaded(bytes=written.bytes, sha256=written.digest.hexdigest(), media_type="")

    def _json(self, answer: Answer) -> Any:
        if not answer.ok:
            raise BadStatus(answer.host, answer)
        return answer.json()

    @contextmanager
    def _open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        json: object = None,
        body: bytes | None = None,
        seconds: float,
    ) -> Iterator[requests.Response]:
        """The answer, its body unread; what breaks inside the block is an HttpError too."""
        host = _host(url)
        try:
            request = self._session.prepare_request(
                requests.Request(method, url, headers=dict(headers or {}), json=json, data=body)
            )
            self._session.get_adapter(request.url or "")
        except (ValueError, InvalidIPAddress):
            raise TargetRefused(host) from None
        if not self._places.acquire(timeout=self.config.connect_seconds):
            raise NotConnected(host)
        try:
            with self._watchdog.watch(seconds) as call:
                try:
                    response = self._session.send(request, stream=True)
                except (requests.RequestException, HTTPError, ValueError) as error:
                    raise _before_the_answer(error)(host) from None
                with response:
                    try:
                        yield response
                    except (requests.RequestException, HTTPError):
                        raise Interrupted(host) from None
                # Where a connection ends, http.client takes headers, or a body without a length, as complete.
                if call.expired:
                    raise Interrupted(host)
        finally:
            self._places.release()


class _Written:
    """A file that is counted and hashed as it is written."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self.bytes = 0
        self.digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self._to.write(piece)
        self.digest.update(piece)
        self.bytes += len(piece)


def configure(config: ClientConfig) -> None:
    """Sets what `client()` is built with; called once, as the process starts."""
    global _config
    _config = config
    client.cache_clear()


@cache
def client() -> Client:
    """The process's client, built on first use."""
    return Client(_config)


_config = ClientConfig()
# Two processes must not share connections.
os.register_at_fork(after_in_child=client.cache_clear)


def _before_the_answer(error: Exception) -> type[HttpError]:
    """Whether anything can have been sent.

    A server that reads the request and closes raises the same class as one that refuses the connection: only
    the reason that urllib3 wraps tells them apart. Whatever is not known to come before the request is
    Interrupted.
    """
    if isinstance(error, InvalidIPAddress | requests.exceptions.InvalidURL):
        return TargetRefused
    if isinstance(error.__cause__, socket.gaierror):
        return NotConnected
    wrapped = error.args[0] if error.args else None
    reason = wrapped.reason if isinstance(wrapped, MaxRetryError) else wrapped
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return NotConnected
    if (
        isinstance(reason, SSLError)
        and reason.args
        and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    ):
        return NotConnected
    return Interrupted


def _bounded(response: requests.Response, limit: int) -> bytes:
    return b"".join(_at_most(response, limit))


def _at_most(response: requests.Response, limit: int) -> Iterator[bytes]:
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
        limit -= len(chunk)
        if limit < 0:
            raise UnusableBody(_host(response.url))
        yield chunk


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise TargetRefused(_host(location)) from None


def _until(at: datetime) -> timedelta:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"


def _same_origin(first: str, second: str) -> bool:
    try:
        return origin(first) == origin(second)
    except ValueError:
        return False
