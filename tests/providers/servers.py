"""Servers on real sockets, for what no mock can show: refusals, resets, silence, garbage."""

import io
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Received:
    """One request as it came."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode()

    def header(self, name: str) -> str | None:
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.decode().partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None


Behaviour = Callable[[socket.socket, Received], None]


@dataclass
class RawServer:
    """Reads whole requests, hands each to `behaviour`, and remembers them."""

    behaviour: Behaviour
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    _closing: bool = False
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """And end what its threads wait for: the next connection, and the next request on each that a client keeps."""
        self._closing = True
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while (request := _read(connection)) is not None:
                self.received.append(request)
                self.behaviour(connection, request)


def _read(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    request = Received(head, body)
    length = int(request.header("content-length") or 0)
    while len(request.body) < length:
        piece = connection.recv(65_536)
        if not piece:
            return None
        request.body += piece
    return request


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[RawServer]:
    server = RawServer(behaviour)
    try:
        yield server
    finally:
        server.close()


def answers(status: int, body: bytes = b"{}", **headers: str) -> Behaviour:
    """A whole, proper answer; `_` in a header's name is a hyphen."""

    def behave(connection: socket.socket, _: Received) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return behave


def resets(connection: socket.socket, _: Received) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def closes(connection: socket.socket, _: Received) -> None:
    connection.close()


def stays_silent(connection: socket.socket, _: Received) -> None:
    connection.recv(1)


def talks_garbage(connection: socket.socket, _: Received) -> None:
    connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    connection.close()


def breaks_off(connection: socket.socket, _: Received) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id": "v')
    connection.close()


def drips_headers(connection: socket.socket, _: Received) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(600):
        connection.sendall(f"X-{number}: y\r\n".encode())
        time.sleep(0.1)


def drips_body(connection: socket.socket, _: Received) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
    for _number in range(600):
        connection.sendall(b" ")
        time.sleep(0.1)


def refused_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port


@contextmanager
def full_backlog() -> Iterator[str]:
    """A URL whose connections are never completed: the listener's queue is full and nobody accepts."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        try:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for filler in fillers:
                filler.close()


class Sink(io.BytesIO):
    """Takes bytes, counts them and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def write(self, piece: Any) -> int:
        self.bytes += len(piece)
        return len(piece)


@contextmanager
def streaming(done: Callable[[str, int], Iterable[bytes]], size: int) -> Iterator[str]:
    """A server whose every answer is `done` of its own file, and whose file has `size` bytes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                for piece in zeros(size) if self.path == "/file" else done(f"{url}/file", size):
                    self.wfile.write(piece)

        do_POST = do_GET  # noqa: N815 - the base class's name

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


def zeros(size: int) -> Iterator[bytes]:
    """So many bytes, piece by piece."""
    piece = bytes(1 << 18)
    for _ in range(size // len(piece)):
        yield piece
    yield piece[: size % len(piece)]


def reset_peak_memory() -> int:
    """Count the peak of this process's memory from now on; what it has now, in bytes. Linux: proc(5)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def peak_memory() -> int:
    """The most memory that this process had since `reset_peak_memory`, in bytes."""
    return _memory("VmHWM")


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
