"""The line between "not accepted" and "perhaps accepted", on real sockets."""

import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from providers.errors import (
    Accepted,
    CredentialsRefused,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RequestRefused,
)
from providers.http import Client, ClientConfig, HttpError
from providers.submission import read_error, submission_error

from . import servers
from .servers import Behaviour, answers, serving


def a_client(url: str, **options: float) -> Client:
    config: dict[str, float] = {"connect_seconds": 0.4, "read_seconds": 0.6, "total_seconds": 1.5} | options
    return Client(ClientConfig(allowed_origins=frozenset({url}), **config))  # type: ignore[arg-type]


def read_in_vain(client: Client, url: str) -> None:
    with suppress(HttpError):
        client.get_json(url)


def submitted(url: str, **options: float) -> ProviderError:
    with pytest.raises(HttpError) as failure:
        a_client(url, **options).post_json(f"{url}/submit", {"prompt": "a boat"})
    return submission_error("vendor", failure.value)


def test_a_refused_connection_sent_nothing() -> None:
    error = submitted(f"http://127.0.0.1:{servers.refused_port()}")
    assert isinstance(error, NotSent)
    assert error.accepted is Accepted.NO
    assert error.retryable


def test_a_connect_time_out_sent_nothing() -> None:
    with servers.full_backlog() as url:
        started = time.monotonic()
        assert isinstance(submitted(url), NotSent)
        assert time.monotonic() - started < 2


def test_a_name_that_does_not_resolve_sent_nothing() -> None:
    assert isinstance(submitted("http://nobody.invalid:80"), NotSent)


def test_an_exhausted_pool_sent_nothing() -> None:
    with serving(servers.stays_silent) as server:
        client = a_client(server.url, connections=1, read_seconds=2, total_seconds=3)
        occupant = threading.Thread(target=read_in_vain, args=(client, server.url))
        occupant.start()
        while not server.received:
            time.sleep(0.01)
        with pytest.raises(HttpError) as failure:
            client.post_json(f"{server.url}/submit", {})
        assert isinstance(submission_error("vendor", failure.value), NotSent)
        assert [request.line for request in server.received] == ["GET / HTTP/1.1"]
        occupant.join()


@pytest.mark.parametrize(
    "behaviour",
    [
        servers.closes,
        servers.resets,
        servers.stays_silent,
        servers.talks_garbage,
        servers.breaks_off,
        servers.drips_headers,
        servers.drips_body,
        answers(200, b"<html>welcome</html>"),
        answers(200, b'{"id": "v'),
        answers(200, b"[" * 100_000),
        answers(200, b" " * (2 << 20)),
        answers(302, Location="https://elsewhere.example/"),
        answers(303, Location="https://elsewhere.example/"),
        answers(408),
        answers(409),
        answers(500),
        answers(502),
        answers(503, Retry_After="5"),
        answers(504),
        answers(599),
    ],
)
def test_what_was_read_may_have_been_accepted(behaviour: Behaviour) -> None:
    with serving(behaviour) as server:
        started = time.monotonic()
        error = submitted(server.url)
        assert isinstance(error, OutcomeUnknown)
        assert error.accepted is Accepted.MAYBE
        assert not error.retryable
        assert len(server.received) == 1, "a submission is never repeated by the transport"
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (answers(400), RequestRefused),
        (answers(404), RequestRefused),
        (answers(413), RequestRefused),
        (answers(422), RequestRefused),
        (answers(422, b"x" * (2 << 20)), RequestRefused),
        (answers(401), CredentialsRefused),
        (answers(402), CredentialsRefused),
        (answers(403), CredentialsRefused),
        (answers(429), RateLimited),
    ],
)
def test_a_clear_refusal_was_not_accepted(behaviour: Behaviour, kind: type[ProviderError]) -> None:
    with serving(behaviour) as server:
        error = submitted(server.url)
        assert type(error) is kind
        assert error.accepted is Accepted.NO


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta()),
        ("999999", timedelta(hours=1)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta()),
        ("-3", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_either_spelling(header: str, wait: timedelta | None) -> None:
    with serving(answers(429, Retry_After=header)) as server:
        assert submitted(server.url).retry_after == wait


def test_a_vendors_sheet_may_say_that_a_status_accepts_nothing() -> None:
    with serving(answers(503, Retry_After="5")) as server:
        with pytest.raises(HttpError) as failure:
            a_client(server.url).post_json(server.url, {})
        error = submission_error("vendor", failure.value, not_accepted=frozenset({503}))
        assert isinstance(error, NotSent)
        assert error.retry_after == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (answers(404), JobNotFound),
        (answers(410), JobNotFound),
        (answers(401), CredentialsRefused),
        (answers(429), RateLimited),
        (answers(500), ReadFailed),
        (answers(200, b"oops"), ReadFailed),
        (servers.closes, ReadFailed),
        (servers.stays_silent, ReadFailed),
    ],
)
def test_a_read_that_fails_says_nothing_about_acceptance(
    behaviour: Behaviour, kind: type[ProviderError]
) -> None:
    with serving(behaviour) as server:
        with pytest.raises(HttpError) as failure:
            a_client(server.url).get_json(server.url)
        assert type(read_error("vendor", failure.value)) is kind


def test_an_idle_connection_that_the_vendor_closed_is_not_used_for_a_submission() -> None:
    """Else every quiet minute would end in an unknown outcome."""

    def answers_and_closes(connection: socket.socket, request: servers.Received) -> None:
        answers(200)(connection, request)
        connection.close()

    with serving(answers_and_closes) as server:
        client = a_client(server.url)
        for _ in range(5):
            assert client.post_json(server.url, {}) == {}
            time.sleep(0.05)
        assert len(server.received) == 5
