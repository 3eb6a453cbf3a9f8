"""Sockets of the one HTTP client: which addresses may be reached, and how long a call may hold a connection.

requests-hardened resolves a host once, refuses private addresses and connects to the address it checked. It
does not refuse every address that is not public (`::7f00:1` is loopback by another name), bounds no call in
total, and keeps ten connections a host: those are added here.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_hardened.client import HTTPSession
from requests_hardened.config import Config
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

DEFAULT_PORTS = {"http": 80, "https": 443}
# Hosts whose connections are kept open, each by its address.
KEPT_HOSTS = 64
# How late the end of a call may be noticed.
TICK_SECONDS = 0.25
# How long the watchdog stays when there is nothing to watch.
IDLE_TICKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """How a client behaves. The defaults are production's."""

    allowed_origins: frozenset[str] = frozenset()
    """Exact `scheme://host:port` that may be plain and private: the embedded stack's own servers."""
    allow_loopback: bool = False
    """Lets plain HTTP reach any port of this machine: for the sandbox provider, whose clients live here."""
    https_ports: frozenset[int] = frozenset({443, 8443})
    connect_seconds: float = 3.0
    """To open a connection, and to get a free place among `connections`."""
    read_seconds: float = 15.0
    """Between two pieces of an answer."""
    total_seconds: float = 20.0
    """For a whole call."""
    connections: int = 200
    """Calls at once."""
    body_bytes: int = 1 << 20
    """The largest answer kept in memory, after decompression."""
    redirects: int = 3
    """Followed by downloads; every other call follows none."""
    user_agent: str = "video-studio/1"


def origin(url: str) -> str:
    """`scheme://host:port` of a URL, in lower case, the port spelled out. Raises ValueError for no URL."""
    parts = urlsplit(url)
    port = DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    if not parts.hostname or port is None:
        raise ValueError("not an absolute http or https URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


class Call:
    """One call on a connection, which the watchdog cuts when its time is up."""

    def __init__(self, seconds: float) -> None:
        # A clock that goes on while the machine sleeps.
        self.ends_at = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
        self.expired = False
        self.socket: socket.socket | None = None

    @property
    def remaining(self) -> float:
        return self.ends_at - time.clock_gettime(time.CLOCK_BOOTTIME)

    def cut(self) -> None:
        self.expired = True
        if self.socket is not None:
            with suppress(OSError):  # already closed
                # The base class's: on a TLS socket it ends the connection under whoever is reading it.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Watchdog:
    """Cuts calls whose time is up: a server that sends a byte now and then never trips a read time-out."""

    def __init__(self) -> None:
        self._calls: set[Call] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, seconds: float) -> Iterator[Call]:
        call = Call(seconds)
        with self._lock:
            self._calls.add(call)
            # Also after a fork, which leaves the thread behind.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="http-watchdog", daemon=True)
                self._thread.start()
        _current.call = call
        try:
            yield call
        finally:
            _current.call = None
            with self._lock:
                self._calls.discard(call)

    def _run(self) -> None:
        idle = 0
        while True:
            time.sleep(TICK_SECONDS)
            with self._lock:
                idle = 0 if self._calls else idle + 1
                if idle >= IDLE_TICKS:
                    # The next call starts another: a client that is no longer used keeps no thread.
                    self._thread = None
                    return
                late = [call for call in self._calls if call.remaining < 0]
            for call in late:
                call.cut()


class _Current(threading.local):
    call: Call | None = None


_current = _Current()


class _Watched:
    """A connection that tells the call which uses it its socket, and the call before that it is gone.

    It sends nothing for a call whose time is up: one that was frozen here must not speak when it wakes.
    """

    sock: socket.socket | None
    _call: Call | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._hand_over()

    def request(self, *arguments: Any, **options: Any) -> None:
        self._hand_over()
        super().request(*arguments, **options)  # type: ignore[misc]

    def _hand_over(self) -> None:
        if self._call is not None:
            self._call.socket = None
        self._call = _current.call
        if self._call is not None:
            self._call.socket = self.sock
            if self._call.remaining < 0:
                raise ConnectTimeoutError(self, "the time of the call is up, and nothing was sent")


class _WatchedConnection(_Watched, HTTPConnection):
    pass


class _WatchedTlsConnection(_Watched, HTTPSConnection):
    pass


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection


class _Pooled(HTTPAdapter):
    """An adapter with room for every thread, and watched connections."""

    def __init__(self, connections: int, **options: Any) -> None:
        self._connections = connections
        super().__init__(**options)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(KEPT_HOSTS, self._connections, block=False, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _WatchedPool, "https": _WatchedTlsPool}


class _PublicAdapter(_Pooled, IPFilterAdapter):
    """Reaches public addresses only; or, when `loopback_only`, this machine only."""

    def __init__(self, connections: int, *, is_https_proto: bool, loopback_only: bool = False) -> None:
        self._loopback_only = loopback_only
        super().__init__(connections, is_https_proto=is_https_proto, allow_loopback=loopback_only)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: bool | str, cert: str | tuple[str, str] | None = None
    ) -> tuple[Any, Any]:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        address = ipaddress.ip_address(host["host"].strip("[]"))
        if not (address.is_loopback if self._loopback_only else _is_public(address)):
            raise InvalidIPAddress(address)
        return host, pool


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # `::/96` is among the reserved.
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return address.version == 4 or not address.is_site_local


class Session(HTTPSession):
    """One session for all threads: no cookies, no proxies, no credentials from the environment."""

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(
            Config(
                ip_filter_enable=True,
                ip_filter_allow_loopback_ips=False,
                never_redirect=True,
                default_timeout=(config.connect_seconds, config.read_seconds),
                user_agent_override=config.user_agent,
            )
        )
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._client = config
        self._allowed = frozenset(origin(url) for url in config.allowed_origins)
        self._public = _PublicAdapter(config.connections, is_https_proto=True)
        self._embedded = _Pooled(config.connections)
        self._loopback = _PublicAdapter(config.connections, is_https_proto=False, loopback_only=True)

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """The way to this URL; raises InvalidIPAddress where there is none."""
        text = url.decode() if isinstance(url, bytes) else url
        parts = urlsplit(text)
        if parts.username is not None or parts.password is not None:
            raise InvalidIPAddress("a URL with credentials in it")
        if origin(text) in self._allowed:
            return self._embedded
        if parts.scheme == "http" and self._client.allow_loopback:
            return self._loopback
        port = DEFAULT_PORTS["https"] if parts.port is None else parts.port
        if parts.scheme != "https" or port not in self._client.https_ports:
            raise InvalidIPAddress("not HTTPS on an allowed port")
        return self._public

    def get_redirect_target(self, resp: Response) -> str | None:
        """None: else requests reads the whole body of a redirect, even when it follows none."""
        return None
