"""Answers with a video inside: read without it, and downloaded out of it, within the one client's bounds."""

import base64
import gzip
import hashlib
import io
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from providers.contract import OutputSource
from providers.embedded_media import CUT
from providers.http import (
    BadStatus,
    Client,
    ClientConfig,
    Interrupted,
    NotConnected,
    TargetRefused,
    UnusableBody,
)

from . import servers
from .servers import Behaviour, RawServer, Received, answers, serving

VIDEO = bytes(range(256)) * 1_000
TEXT = base64.b64encode(VIDEO).decode()
BODY = json.dumps({"id": "1", "output": {"video": TEXT, "url": None}, "cost": "0.10"}).encode()
KEY = {"Authorization": "Bearer CANARY"}
Call = Callable[[Client, str], object]


def a_client(server: RawServer | str, **options: float) -> Client:
    url = server if isinstance(server, str) else server.url
    return Client(ClientConfig(allowed_origins=frozenset({url}), **options))  # type: ignore[arg-type]


def read(client: Client, url: str, *, max_bytes: int = 1_000_000) -> object:
    return client.json_without_media("GET", url, headers=KEY, max_bytes=max_bytes)


def download(client: Client, url: str, *, max_bytes: int = 1_000_000, seconds: float = 5.0) -> bytes:
    to = io.BytesIO()
    source = OutputSource(url=url, headers=KEY, base64_field="video")
    done = client.download(source, to, max_bytes=max_bytes, total_seconds=seconds)
    assert done.bytes == len(to.getvalue())
    assert done.sha256 == hashlib.sha256(to.getvalue()).hexdigest()
    assert done.media_type == ""
    return to.getvalue()


BOTH = pytest.mark.parametrize("call", [read, download], ids=["read", "download"])


def pours(head: bytes, piece: bytes, sent: list[int]) -> Behaviour:
    def behave(connection: socket.socket, _: Received) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)
        for _number in range(4_000):
            connection.sendall(piece)
            sent.append(len(piece))

    return behave


def test_an_answer_is_read_without_its_video() -> None:
    with serving(answers(200, BODY)) as server:
        answer = read(a_client(server), f"{server.url}/jobs/1")
    assert answer == {"id": "1", "output": {"video": CUT, "url": None}, "cost": "0.10"}
    assert server.received[0].line == "GET /jobs/1 HTTP/1.1"
    assert server.received[0].header("Authorization") == KEY["Authorization"]


def test_a_question_can_be_posted_for_it() -> None:
    with serving(answers(200, BODY)) as server:
        client = a_client(server)
        client.json_without_media("POST", server.url, json={"name": "op"}, max_bytes=1_000_000)
        source = OutputSource(url=server.url, headers=KEY, base64_field="video", post={"name": "op"})
        to = io.BytesIO()
        client.download(source, to, max_bytes=1_000_000)
    assert to.getvalue() == VIDEO
    for call in server.received:
        assert call.line.startswith("POST / ")
        assert json.loads(call.body) == {"name": "op"}
        assert call.header("Content-Type") == "application/json"
    assert server.received[1].header("Authorization") == KEY["Authorization"]


def test_the_video_is_downloaded_out_of_its_json() -> None:
    with serving(answers(200, BODY)) as server:
        assert download(a_client(server), server.url) == VIDEO
        assert len(server.received) == 1
        assert server.received[0].header("Authorization") == KEY["Authorization"]


def test_a_compressed_answer_is_the_same() -> None:
    with serving(answers(200, gzip.compress(BODY), Content_Encoding="gzip")) as server:
        assert download(a_client(server), server.url) == VIDEO
        assert read(a_client(server), server.url) == json.loads(BODY.replace(TEXT.encode(), CUT.encode()))


@BOTH
@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_an_answer_outside_2xx_is_a_bad_status_with_its_body(call: Call, status: int) -> None:
    body = b'{"error": "Insufficient credits"}'
    with serving(answers(status, body, Retry_After="7", Location="/elsewhere")) as server:
        with pytest.raises(BadStatus) as failure:
            call(a_client(server), server.url)
        assert failure.value.status == status
        assert failure.value.answer.body == body
        assert failure.value.retry_after is not None
        assert len(server.received) == 1, "no redirect is followed: our key would go with it"
    assert "CANARY" not in str(failure.value)


@BOTH
def test_an_error_with_an_endless_body_is_not_read_to_its_end(call: Call) -> None:
    def behave(connection: socket.socket, _: Received) -> None:
        connection.sendall(b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with serving(behave) as server, pytest.raises(BadStatus) as failure:
        call(a_client(server), server.url)
    assert failure.value.answer.body == b""


def test_an_answer_over_the_limit_is_not_read_to_its_end() -> None:
    sent: list[int] = []
    with serving(pours(b'{"video": "', b"QUJD" * 16_384, sent)) as server:
        with pytest.raises(UnusableBody):
            read(a_client(server), server.url, max_bytes=2_000_000)
        with pytest.raises(UnusableBody):
            download(a_client(server), server.url, max_bytes=2_000_000)
    assert sum(sent) < 32 << 20


def test_what_is_no_video_in_an_answer_is_small() -> None:
    """Many short strings are no media: they are held, so they are bounded as any other answer."""
    sent: list[int] = []
    with serving(pours(b"[", b'"short",' * 8_192, sent)) as server:
        with pytest.raises(UnusableBody):
            read(a_client(server), server.url, max_bytes=1 << 30)
        with pytest.raises(UnusableBody):
            download(a_client(server), server.url, max_bytes=1 << 30)
    assert sum(sent) < 32 << 20


@pytest.mark.parametrize(("over", "fits"), [(0, True), (-1, False)])
def test_a_video_is_counted_by_its_own_bytes(over: int, fits: bool) -> None:
    with serving(answers(200, BODY)) as server:
        if fits:
            assert download(a_client(server), server.url, max_bytes=len(VIDEO) + over) == VIDEO
        else:
            with pytest.raises(UnusableBody):
                download(a_client(server), server.url, max_bytes=len(VIDEO) + over)


def test_a_limit_is_of_the_whole_answer() -> None:
    with serving(answers(200, BODY)) as server:
        assert read(a_client(server), server.url, max_bytes=len(BODY))
        with pytest.raises(UnusableBody):
            read(a_client(server), server.url, max_bytes=len(BODY) - 1)


@BOTH
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy", b"{", b'{"video": "QUJD"', BODY[:100], BODY[:-1], b"\xff\xfe", b"[" * 100_000],
)
def test_an_answer_that_is_no_whole_json_is_unusable(call: Call, body: bytes) -> None:
    with serving(answers(200, body)) as server, pytest.raises(UnusableBody):
        call(a_client(server), server.url)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"video": ""}',
        b'{"video": null}',
        b'{"video": "https://files.example/a.mp4"}',
        b'{"video": "QUJ"}',
        b'{"video": ["QUJD"]}',
        b'{"url": "QUJD"}',
    ],
)
def test_an_answer_without_a_video_is_no_download(body: bytes) -> None:
    with serving(answers(200, body)) as server, pytest.raises(UnusableBody):
        download(a_client(server), server.url)


@BOTH
@pytest.mark.parametrize("behaviour", [servers.closes, servers.resets, servers.talks_garbage])
def test_a_connection_that_breaks_before_the_answer_is_interrupted(call: Call, behaviour: Behaviour) -> None:
    with serving(behaviour) as server:
        with pytest.raises(Interrupted):
            call(a_client(server), server.url)
        assert len(server.received) == 1, "nothing is retried"


@BOTH
def test_a_connection_that_breaks_in_the_video_is_interrupted(call: Call) -> None:
    def behave(connection: socket.socket, _: Received) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:200_000])
        connection.close()

    with serving(behave) as server, pytest.raises(Interrupted):
        call(a_client(server), server.url)


@BOTH
def test_silence_ends_at_the_read_time_out(call: Call) -> None:
    with serving(servers.stays_silent) as server:
        started = time.monotonic()
        with pytest.raises(Interrupted):
            call(a_client(server, read_seconds=0.3), server.url)
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("behaviour", [servers.drips_headers, servers.drips_body])
def test_a_video_that_drips_is_cut_at_the_total_deadline(behaviour: Behaviour) -> None:
    """Each byte comes well within the read time-out. A reading has the client's time, a download its own."""
    with serving(behaviour) as server:
        started = time.monotonic()
        with pytest.raises(Interrupted):
            read(a_client(server, total_seconds=0.5), server.url)
        with pytest.raises(Interrupted):
            download(a_client(server), server.url, seconds=0.5)
        assert 0.9 < time.monotonic() - started < 3


@BOTH
def test_only_addresses_that_we_may_reach_are_asked(call: Call) -> None:
    with serving(answers(200, BODY)) as server:
        with pytest.raises(TargetRefused):
            call(a_client("http://127.0.0.1:1"), server.url)
        with pytest.raises(TargetRefused):
            call(a_client(server), "no address")
        assert server.connections == 0


@BOTH
def test_a_refused_connection_was_not_connected(call: Call) -> None:
    url = f"http://127.0.0.1:{servers.refused_port()}"
    with pytest.raises(NotConnected):
        call(a_client(url), url)


@BOTH
def test_a_connection_is_given_back_after_every_end(call: Call) -> None:
    """One place is enough for any number of calls, however they end."""
    behaviours = [answers(200, BODY), answers(500), answers(200, b"{"), answers(200, b'{"video": "%"}')]
    turn: list[Behaviour] = behaviours * 3

    def next_one(connection: socket.socket, request: Received) -> None:
        turn.pop(0)(connection, request)

    with serving(next_one) as server:
        client = a_client(server, connections=1, connect_seconds=0.5)
        for _ in range(12):
            with suppress(BadStatus, UnusableBody):
                call(client, server.url)
    assert not turn
