"""The line at a provider: fair between owners, within its limits, stopped by an operator."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.test import Client

from accounts.models import User
from generations.models import Generation
from workers import clock, gates
from workers.models import Gate, Job

from .conftest import api_of, get, post

GATE = "submit:sandbox"
GOOD = {"model": "sandbox/motion-1", "prompt": "A boat"}


def create(api: Client) -> str:
    return str(post(api, "generations/", GOOD).json()["id"])


def limit(**fields: Any) -> None:
    Gate.objects.update_or_create(
        key=GATE, defaults={"concurrent": 10, "per_minute": 1000, "turn": 0, **fields}
    )


def admitted() -> list[str]:
    """Who holds a place, in the order of their turns."""
    jobs = Job.objects.filter(holds=True).order_by("turn", "created_at")
    return [str(job.subject_id) for job in jobs]


def leave(generation_id: str) -> None:
    Job.objects.filter(subject_id=UUID(generation_id)).update(holds=False)


def test_a_a_a_b_runs_as_a_b_a_a(api: Client, stranger: User) -> None:
    limit(concurrent=1)
    first, second, third = create(api), create(api), create(api)
    other = create(api_of(stranger))
    assert get(api, f"generations/{second}/").json()["position"] in (2, 3)
    assert get(api_of(stranger), f"generations/{other}/").json()["position"] == 2
    order = []
    for _ in range(4):
        assert gates.admit() == 1
        [holder] = admitted()
        order.append(holder)
        leave(holder)
    assert order == [first, other, second, third]


def test_no_more_pass_than_there_are_places_or_minutes_allow(api: Client) -> None:
    limit(concurrent=2)
    for _ in range(4):
        create(api)
    assert gates.admit() == 2
    assert gates.admit() == 0
    limit(concurrent=10, per_minute=3)
    assert gates.admit() == 1
    assert gates.admit() == 0


def test_an_owner_holds_no_more_places_than_his_tier_says(api: Client, stranger: User) -> None:
    limit()
    for _ in range(5):
        create(api)
    create(api_of(stranger))
    assert gates.admit() == 4  # three of a free account, and the other's
    assert Job.objects.filter(waits=True).count() == 2


def test_a_stop_holds_back_what_waits_and_nothing_else(api: Client) -> None:
    limit()
    create(api)
    for key in (GATE, Gate.EVERY):
        gates.stop(key, "the vendor is down")
        assert gates.admit() == 0
        gates.reopen(key)
    assert gates.admit() == 1


def test_a_pause_that_a_vendor_asked_for_ends_by_itself(api: Client) -> None:
    limit()
    create(api)
    gates.pause(GATE, 60)
    assert gates.admit() == 0
    try:
        clock.advance(timedelta(seconds=61))
        assert gates.admit() == 1
    finally:
        clock.reset()
    assert Generation.objects.count() == 1
