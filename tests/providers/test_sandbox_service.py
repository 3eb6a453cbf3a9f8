"""The sandbox as a service: strict, durable, signed, and quick enough to stand for a vendor in load tests."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.contract import RenderState
from providers.video.sandbox import SandboxProvider

from .sandbox import A_REQUEST, SINCE, WEBHOOK_SECRET, OwnSandbox, RunningSandbox, a_token, ended, until
from .servers import answers, serving

GOOD: dict[str, Any] = {"model": "motion-1", "prompt": "A paper boat", "duration": 2, "resolution": "480p"}


def adapter(service: RunningSandbox) -> SandboxProvider:
    return SandboxProvider(
        url=service.url, api_key=service.key, webhook_secrets=[WEBHOOK_SECRET], http=service.http
    )


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"bogus": 1}, 422, "invalid_request", "bogus"),
        ({"model": "nothing"}, 422, "invalid_request", "model"),
        ({"model": "classic"}, 410, "model_retired", "model"),
        ({"model": None}, 422, "invalid_request", "model"),
        ({"prompt": ""}, 422, "invalid_request", "prompt"),
        ({"prompt": "   "}, 422, "invalid_request", "prompt"),
        ({"prompt": "x" * 5_001}, 422, "invalid_request", "prompt"),
        ({"prompt": ["x"]}, 422, "invalid_request", "prompt"),
        ({"duration": 0}, 422, "invalid_request", "duration"),
        ({"duration": 61}, 422, "invalid_request", "duration"),
        ({"duration": 2.5}, 422, "invalid_request", "duration"),
        ({"duration": True}, 422, "invalid_request", "duration"),
        ({"resolution": "8K"}, 422, "invalid_request", "resolution"),
        ({"ratio": "21:9"}, 422, "invalid_request", "ratio"),
        ({"seed": -1}, 422, "invalid_request", "seed"),
        ({"audio": "yes"}, 422, "invalid_request", "audio"),
        ({"motion_strength": 2}, 422, "invalid_request", "motion_strength"),
        ({"first_frame": "file:///etc/passwd"}, 422, "invalid_request", "first_frame"),
        ({"last_frame": "https://a.example/b.png"}, 422, "invalid_request", "last_frame"),
        ({"callback_url": "ftp://a.example"}, 422, "invalid_request", "callback_url"),
        ({"sandbox": {"fault": "explode"}}, 422, "invalid_request", "sandbox.fault"),
        ({"sandbox": {"more": 1}}, 422, "invalid_request", "sandbox.more"),
        ({"sandbox": []}, 422, "invalid_request", "sandbox"),
        ({"prompt": "x" * (2 << 20)}, 413, "invalid_request", "body"),
    ],
)
def test_a_bad_order_names_its_field_and_is_not_accepted(
    service: RunningSandbox, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    token = a_token()
    answer = service.call("POST", "/v1/videos", GOOD | {"client_reference": token} | change)
    assert answer.status == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["field"] == field
    assert service.audit(token) == []


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[1]", b"null", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(service: RunningSandbox, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {service.key}"}
    assert service.http.request("POST", f"{service.url}/v1/videos", body=body, headers=headers).status in (
        400,
        422,
    )


@pytest.mark.parametrize("key", ["", "wrong", "Bearer wrong", "bearer", "Bearer \xe9"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/videos"),
        ("GET", "/v1/videos"),
        ("GET", "/v1/videos/vid_1"),
        ("POST", "/v1/videos/vid_1/cancel"),
        ("GET", "/v1/_audit"),
    ],
)
def test_without_the_key_nothing_is_answered(
    service: RunningSandbox, method: str, path: str, key: str
) -> None:
    answer = service.http.request(method, f"{service.url}{path}", json=GOOD, headers={"Authorization": key})
    assert answer.status == 401


def test_the_same_idempotency_key_is_the_same_video(service: RunningSandbox) -> None:
    token, key = a_token(), a_token()
    order = GOOD | {"client_reference": token}
    with ThreadPoolExecutor(16) as threads:
        replies = threads.map(
            lambda _: service.call("POST", "/v1/videos", order, **{"Idempotency-Key": key}).json()["id"],
            range(16),
        )
        assert len(set(replies)) == 1
    [row] = service.audit(token)
    assert row["replays"] == 15


def test_without_a_key_every_order_is_a_video_of_its_own(service: RunningSandbox) -> None:
    token = a_token()
    for _ in range(3):
        service.call("POST", "/v1/videos", GOOD | {"client_reference": token})
    assert len(service.audit(token)) == 3


def test_the_list_is_paged_oldest_first(service: RunningSandbox) -> None:
    token = a_token()
    order = GOOD | {"client_reference": token, "sandbox": {"fault": "stuck"}}
    made = [service.call("POST", "/v1/videos", order).json()["id"] for _ in range(103)]
    first = service.call("GET", f"/v1/videos?client_reference={token}").json()
    second = service.call("GET", f"/v1/videos?client_reference={token}&cursor={first['next_cursor']}").json()
    assert [video["id"] for video in first["results"] + second["results"]] == made
    assert len(first["results"]) == 100
    assert second["next_cursor"] is None
    assert service.call("GET", "/v1/videos?cursor=x").status == 422


def test_a_link_opens_its_own_file_until_it_lapses(service: RunningSandbox) -> None:
    video = service.call("POST", "/v1/videos", GOOD | {"sandbox": {"seconds": 0}}).json()
    other = service.call("POST", "/v1/videos", GOOD | {"sandbox": {"seconds": 0}}).json()
    ended(adapter(service), other["id"])
    update = ended(adapter(service), video["id"])
    assert update.output is not None
    url = update.output.url
    ranged = service.http.request("GET", url, headers={"Range": "bytes=4-7"})
    assert (ranged.status, ranged.body) == (206, b"ftyp")
    expires = url.partition("expires=")[2].partition("&")[0]
    for wrong in (
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.replace(video["id"], other["id"]),
        url.replace(expires, str(int(expires) + 1)),
        url.partition("&signature")[0],
        url.partition("?")[0],
        url.partition("&signature")[0] + "&signature=é",
    ):
        assert service.http.request("GET", wrong).status == 403


def test_a_killed_service_goes_on_where_it_was(tmp_path: Path) -> None:
    """Accepted means remembered: videos render, and webhooks are sent, after the restart."""
    with serving(answers(204, b"")) as receiver, OwnSandbox(tmp_path) as own:
        provider = adapter(own.running)
        tokens = [a_token() for _ in range(20)]
        receipts = {
            token: provider.submit(A_REQUEST, client_token=token, callback_url=receiver.url)
            for token in tokens
        }
        own.stop(signal.SIGKILL)
        own.start()
        provider = adapter(own.running)
        for token, receipt in receipts.items():
            assert ended(provider, receipt.external_id).state is RenderState.SUCCEEDED
            found = provider.find(token, request=A_REQUEST, since=SINCE)
            assert found is not None
            assert found.external_id == receipt.external_id
            assert len(own.running.audit(token)) == 1
        until(lambda: len(receiver.received) >= 20)


def test_a_terminated_service_ends_in_time(tmp_path: Path) -> None:
    with OwnSandbox(tmp_path) as own:
        provider = adapter(own.running)
        for fault in ("stuck", "slow"):
            provider.submit(
                replace(A_REQUEST, controls={"fault": fault}), client_token=a_token(), callback_url=None
            )
        started = time.monotonic()
        own.stop(signal.SIGTERM)
        assert time.monotonic() - started < 5
        own.start()


def test_a_webhook_is_tried_again_until_it_is_taken(service: RunningSandbox) -> None:
    statuses = iter([500, 503, 204, 204])

    def refuses_twice(connection: Any, request: Any) -> None:
        answers(next(statuses), b"")(connection, request)

    with serving(refuses_twice) as receiver:
        order = GOOD | {"callback_url": receiver.url, "sandbox": {"seconds": 0}}
        service.call("POST", "/v1/videos", order)
        until(lambda: len(receiver.received) >= 3)
        assert len({call.header("webhook-id") for call in receiver.received}) == 1


def test_latency_and_stalls_are_as_asked(tmp_path: Path) -> None:
    flags = ("--latency-ms", "200", "--stall-rate", "0.25", "--stall-seconds", "1")
    with OwnSandbox(tmp_path, flags) as own, ThreadPoolExecutor(50) as threads:
        service = own.running

        def timed(_: int) -> float:
            started = time.monotonic()
            assert service.call("GET", "/v1/videos/none").status == 404
            return time.monotonic() - started

        waits = list(threads.map(timed, range(200)))
    assert min(waits) >= 0.2
    assert 20 <= sum(wait >= 1 for wait in waits) <= 90


def test_many_orders_at_once_are_all_kept(service: RunningSandbox) -> None:
    token = a_token()
    order = GOOD | {"client_reference": token, "sandbox": {"fault": "stuck"}}
    with ThreadPoolExecutor(50) as threads:
        ids = set(threads.map(lambda _: service.call("POST", "/v1/videos", order).json()["id"], range(500)))
    assert len(ids) == 500
    rows: list[Any] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = service.call("GET", f"/v1/_audit?client_reference={token}&cursor={cursor}").json()
        rows += page["results"]
        cursor = page["next_cursor"]
    assert {row["id"] for row in rows} == ids
