"""What the one HTTP client bounds: time, size, redirects, and where our keys go."""

import gzip
import hashlib
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from providers import transport
from providers.contract import OutputSource
from providers.http import (
    BadStatus,
    Client,
    ClientConfig,
    HttpError,
    Interrupted,
    NotConnected,
    TargetRefused,
    UnusableBody,
)

from . import servers
from .servers import RawServer, Received, answers, serving

FILE = bytes(range(256)) * 4_000


def a_client(*allowed: RawServer, **options: float) -> Client:
    origins = frozenset(server.url for server in allowed)
    return Client(ClientConfig(allowed_origins=origins, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("behaviour", [servers.drips_headers, servers.drips_body])
def test_a_server_that_drips_is_cut_at_the_total_deadline(behaviour: servers.Behaviour) -> None:
    """Each byte comes well within the read time-out."""
    with serving(behaviour) as server:
        started = time.monotonic()
        with pytest.raises(Interrupted):
            a_client(server, total_seconds=0.7).get_json(server.url)
        assert 0.6 < time.monotonic() - started < 1.5


def test_a_body_over_the_limit_is_not_read_to_its_end() -> None:
    sent: list[int] = []

    def pours(connection: socket.socket, _: Received) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _number in range(1_000):
            connection.sendall(b"x" * 65_536)
            sent.append(65_536)

    with serving(pours) as server, pytest.raises(UnusableBody):
        a_client(server).get_json(server.url)
    time.sleep(0.1)
    assert sum(sent) < 16 << 20


def test_a_decompression_bomb_is_stopped_in_little_memory() -> None:
    bomb = gzip.compress(b"0" * (200 << 20), compresslevel=9)
    assert len(bomb) < 1 << 20
    with serving(answers(200, bomb, Content_Encoding="gzip")) as server:
        client = a_client(server)
        tracemalloc.start()
        with pytest.raises(UnusableBody):
            client.get_json(server.url)
        with pytest.raises(UnusableBody):
            client.download(OutputSource(url=server.url), BytesIO(), max_bytes=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 16 << 20


def test_a_call_follows_no_redirect() -> None:
    with serving(answers(200)) as other, serving(answers(302, Location=other.url)) as server:
        with pytest.raises(BadStatus) as failure:
            a_client(server, other).get_json(server.url)
        assert failure.value.status == 302
        assert other.connections == 0


def test_an_endless_redirect_body_is_not_read() -> None:
    def pours(connection: socket.socket, _: Received) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with serving(pours) as server:
        started = time.monotonic()
        answer = a_client(server).request("GET", server.url)
        assert (answer.status, answer.body) == (302, b"")
        assert time.monotonic() - started < 5


def test_cookies_are_not_kept() -> None:
    with serving(answers(200, Set_Cookie="session=1; Path=/")) as server:
        client = a_client(server)
        client.get_json(server.url)
        client.get_json(server.url)
        assert server.received[1].header("cookie") is None


def test_two_hundred_threads_share_a_client_and_its_connections() -> None:
    def waits(connection: socket.socket, request: Received) -> None:
        time.sleep(0.2)
        answers(200, request.line.encode().join([b'"', b'"']))(connection, request)

    with serving(waits) as server, ThreadPoolExecutor(200) as threads:
        client = a_client(server)
        started = time.monotonic()
        urls = [f"{server.url}/{number}" for number in range(600)]
        found = list(threads.map(client.get_json, urls))
        assert found == [f"GET /{number} HTTP/1.1" for number in range(600)]
        assert time.monotonic() - started < 10
        assert server.connections <= 260, "connections are reused"


def test_a_call_that_is_late_never_cuts_the_next_call_on_its_connection() -> None:
    with serving(answers(200)) as server:
        client = a_client(server, total_seconds=0.3)
        client.get_json(server.url)
        time.sleep(0.6)
        client.get_json(server.url)
        assert server.connections == 1


@pytest.mark.parametrize("kept", [False, True])
def test_a_call_whose_time_is_up_before_it_is_sent_is_never_sent(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is for a process that was frozen between deciding to call and calling, on a new connection or a kept one."""
    with serving(answers(200)) as server:
        client = a_client(server, total_seconds=5.0)
        if kept:
            client.get_json(server.url)
        monkeypatch.setattr(transport.Call, "remaining", property(lambda call: -1.0))
        with pytest.raises(NotConnected):
            client.post_json(server.url, {})
        monkeypatch.undo()
        assert len(server.received) == int(kept)
        client.get_json(server.url)
        assert len(server.received) == int(kept) + 1


def download(client: Client, url: str, **headers: str) -> tuple[bytes, str, str]:
    to = BytesIO()
    got = client.download(OutputSource(url=url, headers=headers), to, max_bytes=2 << 20, total_seconds=10)
    assert got.bytes == len(to.getvalue())
    return to.getvalue(), got.sha256, got.media_type


def test_a_download_is_hashed_on_the_way() -> None:
    with serving(answers(200, FILE, Content_Type="Video/MP4; codecs=avc1")) as server:
        content, sha256, media_type = download(a_client(server), f"{server.url}/a.mp4")
    assert content == FILE
    assert sha256 == hashlib.sha256(FILE).hexdigest()
    assert media_type == "video/mp4"


def test_a_download_over_its_cap_is_refused() -> None:
    with serving(answers(200, FILE)) as server, pytest.raises(UnusableBody):
        a_client(server).download(OutputSource(url=server.url), BytesIO(), max_bytes=len(FILE) - 1)


def test_our_keys_go_to_their_own_origin_only() -> None:
    with serving(answers(200, FILE)) as other:
        with serving(answers(302, Location=f"{other.url}/b.mp4")) as server:
            download(
                a_client(server, other), f"{server.url}/a.mp4", **{"X-Key": "ours", "Authorization": "ours"}
            )
        assert server.received[0].header("x-key") == "ours"
        assert other.received[0].header("x-key") is None
        assert other.received[0].header("authorization") is None


def test_our_keys_stay_on_a_redirect_within_their_origin() -> None:
    def moves(connection: socket.socket, request: Received) -> None:
        moved = request.line.startswith("GET /new")
        (answers(200, FILE) if moved else answers(301, Location="/new"))(connection, request)

    with serving(moves) as server:
        download(a_client(server), f"{server.url}/old", **{"X-Key": "ours"})
        assert server.received[1].header("x-key") == "ours"


def test_a_download_gives_up_on_a_redirect_loop() -> None:
    with serving(answers(302, Location="/again")) as server:
        with pytest.raises(TargetRefused):
            download(a_client(server), f"{server.url}/a")
        assert len(server.received) == 4


def cuts_after(amount: int, etag: str) -> Callable[[socket.socket, Received], None]:
    """Serves FILE by ranges, breaking off after `amount` bytes of each answer."""

    def behave(connection: socket.socket, request: Received) -> None:
        start = int((request.header("range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        head = [
            "HTTP/1.1 206 Partial" if start else "HTTP/1.1 200 OK",
            f"Content-Length: {len(FILE) - start}",
            f"Content-Range: bytes {start}-{len(FILE) - 1}/{len(FILE)}",
            f"ETag: {etag}",
        ]
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + FILE[start : start + amount])
        connection.close()

    return behave


def test_a_broken_download_goes_on_where_it_stopped() -> None:
    with serving(cuts_after(len(FILE) // 2 + 70_000, '"v1"')) as server:
        content, sha256, _ = download(a_client(server), server.url)
        assert content == FILE
        assert sha256 == hashlib.sha256(FILE).hexdigest()
        assert [request.header("if-range") for request in server.received] == [None, '"v1"']


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_broken_download_without_a_strong_etag_is_an_error(etag: str) -> None:
    with serving(cuts_after(1_000, etag)) as server, pytest.raises(Interrupted):
        download(a_client(server), server.url)


def test_a_download_that_keeps_breaking_is_an_error() -> None:
    with serving(cuts_after(1_000, '"v1"')) as server:
        with pytest.raises(Interrupted):
            download(a_client(server), server.url)
        assert len(server.received) == 4


def test_a_full_disk_is_not_mistaken_for_the_network() -> None:
    class Full(BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with serving(answers(200, FILE)) as server, pytest.raises(OSError, match="No space"):
        a_client(server).download(OutputSource(url=server.url), Full(), max_bytes=2 << 20)


@pytest.mark.parametrize(
    "behaviour",
    [answers(500, b"VENDOR-BODY"), servers.closes, answers(200, b"VENDOR-BODY"), servers.breaks_off],
)
def test_no_error_shows_a_key_a_path_or_a_body(behaviour: servers.Behaviour) -> None:
    with serving(behaviour) as server:
        with pytest.raises(HttpError) as failure:
            a_client(server).get_json(f"{server.url}/secret-path?key=KEY", headers={"Authorization": "KEY"})
        shown = "".join(traceback.format_exception_only(failure.value)) + repr(failure.value)
        assert failure.value.__cause__ is None
        assert failure.value.__suppress_context__ or failure.value.__context__ is None
    for secret in ("KEY", "secret-path", "VENDOR-BODY"):
        assert secret not in shown


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_request(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        heard.append(secured.recv(1_000))
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(NotConnected):
            Client(ClientConfig(allowed_origins=frozenset({url}))).post_json(url, {})
        thread.join()
    assert b"".join(heard) == b""


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "certificate", folder / "key"
