"""What every simulator is: a local HTTP server, a script of what the model says, and a record of requests."""

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(slots=True, kw_only=True)
class Request:
    """One request as it came, and the status and error code it was answered with."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    status: int = 0
    code: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the model writes, and how the vendor reports it. Token counts not given are estimated."""

    text: str
    finish: str = "stop"
    """As OpenAI's API says it; Gemini's own words are taken as they are."""
    model: str | None = None
    """Who answers, if not who was asked."""
    refusal: bool = False
    thought: str = ""
    input_tokens: int | None = None
    cached_tokens: int = 0
    output_tokens: int | None = None
    """Without thinking."""
    thinking_tokens: int = 0
    ticks: int | None = None
    """The cost that xAI states."""
    piece_length: int = 7
    """Letters in a streamed piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What is heard in a sound: phrases with their start and end in seconds."""

    phrases: Sequence[tuple[float, float, str]]
    seconds: float
    language: str = "english"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """A sound that a vendor makes: so many bytes, else as many as what is asked for takes."""

    size: int | None = None
    times: bool = True
    """Whether it says when each letter is spoken."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the vendor's own form."""

    status: int
    code: str = ""
    message: str = "The simulator was told to fail."
    retry_after: int | None = None
    per_day: bool = False
    """A quota of the day is used up (Gemini)."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A body that is sent as it is."""

    body: bytes | Iterator[bytes]
    status: int = 200
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class CutOff:
    """The first half of an answer, then the connection ends."""

    text: str = '{"title": "Harbour at dawn"}'


@dataclass(frozen=True, slots=True)
class Silence:
    """The request is read, and nothing ever comes."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The request is read, and the connection ends."""


@dataclass(frozen=True, slots=True)
class Drip:
    """A proper answer, one byte now and then."""

    seconds_a_byte: float = 0.1
    text: str = '{"title": "Harbour at dawn"}'


@dataclass(frozen=True, slots=True)
class StreamError:
    """A stream that begins well and ends with the vendor's error; without streaming a 500."""

    code: str = "over_capacity"
    text: str = '{"title": '


def huge(size: int = 20_000_000) -> Raw:
    """A body of so many bytes that would be JSON if it were read to the end."""
    return Raw(itertools.chain([b'{"choices": "'], (b"x" * 65_536 for _ in range(size // 65_536)), [b'"}']))


Said = str | Words | Speech | Audio | Failure | Raw | CutOff | Silence | HangUp | Drip | StreamError
Script = Callable[[Request], Said]


@dataclass(slots=True, kw_only=True)
class Response:
    """What is sent. A body of pieces goes out chunked, each as it comes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] = b""
    fault: CutOff | Silence | HangUp | Drip | None = None


class Refused(Exception):
    """The vendor refuses the request."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.more = more
        super().__init__(message)


class Simulator:
    """A vendor on a port of this machine, as a context manager."""

    def __init__(self, *, key: str = "simulated-key-0123456789") -> None:
        self.key = key
        self.requests: list[Request] = []
        self._script: Script | list[Said] = ["{}"]
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"simulator": self}))
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def root(self) -> str:
        """`http://host:port`."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """What goes into the adapter's setting."""
        return self.root

    def answers(self, *script: Said | Script) -> None:
        """What the model says to each good request from now on, in order; the last is said again and again.

        Or one function of the request.
        """
        with self._lock:
            first = script[0]
            self._script = first if callable(first) else [said for said in script if not callable(said)]

    def respond(self, request: Request) -> Response:
        """The vendor's answer. Raises Refused."""
        raise NotImplementedError

    def refuse(self, request: Request, refused: Refused) -> Response:
        """The refusal in the vendor's own form."""
        raise NotImplementedError

    def said(self, request: Request) -> Said:
        """What comes next in the script."""
        with self._lock:
            if callable(self._script):
                return self._script(request)
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def number(self) -> int:
        """The next of 1, 2, 3 …: for ids."""
        return next(self._numbers)

    def serve(self, request: Request) -> Response:
        """Records the request and its outcome."""
        self.requests.append(request)
        try:
            response = self.respond(request)
        except Refused as refused:
            request.code = refused.code
            response = self.refuse(request, refused)
        request.status = response.status
        return response

    def wait_closing(self, seconds: float | None = None) -> bool:
        """Whether the simulator closes within that time."""
        return self._closing.wait(seconds)


def wire(said: Said) -> Response | None:
    """The response to what is not the vendor's own form; None for what is. Raises Refused."""
    match said:
        case Failure():
            raise Refused(
                said.status, said.code, said.message, retry_after=said.retry_after, per_day=said.per_day
            )
        case Raw():
            return Response(status=said.status, headers={"Content-Type": said.media_type}, body=said.body)
        case Silence() | HangUp():
            return Response(fault=said)
        case _:
            return None


def parsed(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises Refused."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused(415, "unsupported_media_type", "Content-Type must be application/json")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "invalid_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "invalid_json", "the body is not an object")
    return body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """And end the connections that clients keep: each has a thread."""
        super().server_close()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of a connection that broke there is nothing to say; handlers answer for themselves."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    simulator: Simulator

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        target = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(target.path),
            query=parse_qs(target.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        try:
            response = self.simulator.serve(request)
        except Exception as error:
            response = Response(status=599, body=repr(error).encode())
        with suppress(OSError):
            self._send(response)

    do_GET = do_DELETE = do_PUT = do_PATCH = do_POST  # noqa: N815 - the base class's names

    def _send(self, response: Response) -> None:
        match response.fault:
            case Silence():
                self.close_connection = True
                self.simulator.wait_closing()
                return
            case HangUp():
                self.close_connection = True
                return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if isinstance(response.body, bytes):
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self._send_body(response.body, response.fault)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._send_pieces(response.body, response.fault)

    def _send_body(self, body: bytes, fault: object) -> None:
        match fault:
            case CutOff():
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            case Drip(seconds_a_byte=seconds):
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    if self.simulator.wait_closing(seconds):
                        break
            case _:
                self.wfile.write(body)

    def _send_pieces(self, pieces: Iterator[bytes], fault: object) -> None:
        for count, piece in enumerate(pieces, 1):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if isinstance(fault, CutOff) and count == 2:
                self.close_connection = True
                return
            if isinstance(fault, Drip) and self.simulator.wait_closing(fault.seconds_a_byte * 5):
                break
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: tests read `requests`."""
