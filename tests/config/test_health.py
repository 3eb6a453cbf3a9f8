"""The probes: each part by itself, none able to hold up the answer."""

import threading
import time

import pytest
from django.test import Client

from config import health
from tests.processes import Processes
from workers import heartbeats


def test_a_process_that_answers_is_alive(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_a_part_that_hangs_is_reported_within_the_bound() -> None:
    release = threading.Event()
    started = time.monotonic()

    def hang() -> None:
        release.wait(10)

    parts = health.probe({"stuck": hang, "well": lambda: None})
    took = time.monotonic() - started
    release.set()

    assert took < health.PROBE_SECONDS + 0.5
    assert (parts["stuck"].ok, parts["stuck"].detail) == (False, "no answer in time")
    assert parts["well"].ok


def test_a_part_that_fails_shows_the_class_of_the_error_and_no_detail_of_it() -> None:
    def refuse() -> None:
        raise ConnectionError("user admin at 10.0.0.7, password sesame")

    assert health.probe({"broken": refuse})["broken"].detail == "ConnectionError"


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_without_workers_and_says_which_are_missing(client: Client) -> None:
    heartbeats.write("here:1", "io")
    heartbeats.write("here:2", "media")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    parts = response.json()["parts"]
    assert parts["workers"]["detail"] == "no live worker for: slow"
    assert parts["beat"]["detail"] == "no heartbeat"
    assert all(parts[name]["ok"] for name in ("database", "redis", "storage"))


@pytest.mark.django_db(transaction=True)
def test_the_system_is_ready_while_every_process_lives_and_not_without_beat(
    client: Client, processes: Processes
) -> None:
    for name in ("worker-io", "worker-slow", "worker-media", "beat"):
        processes.start(name)

    processes.wait_until(lambda: client.get("/readyz").status_code == 200, within=40, what="ready")
    processes.kill("beat")
    processes.wait_until(lambda: client.get("/readyz").status_code == 503, within=30, what="beat missed")

    parts = client.get("/readyz").json()["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == ["beat"]
