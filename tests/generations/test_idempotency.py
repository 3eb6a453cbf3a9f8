"""A POST sent many times happens once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection
from django.test import Client

from accounts.models import User
from credits.models import Hold
from generations.models import Generation, Project

from .conftest import api_of, post, with_credits

GOOD = {"model": "sandbox/motion-1", "prompt": "A boat"}


def together(count: int, act: Any) -> list[Any]:
    """`act(n)` on `count` threads that start at once."""
    barrier = Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_64_equal_posts_are_one_clip_one_hold_and_64_equal_answers(api: Client) -> None:
    answers = together(64, lambda _: post(api, "generations/", GOOD, **{"Idempotency-Key": "the-one"}))
    # Each waits for the first; a pool of ten connections serves them in turn.
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.content for answer in answers}) == 1
    assert Generation.objects.count() == Hold.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(api: Client) -> None:
    assert post(api, "projects/", {"title": "One"}, **{"Idempotency-Key": "k"}).status_code == 201
    other = post(api, "projects/", {"title": "Two"}, **{"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert Project.objects.count() == 1


def test_a_refusal_leaves_the_key_free(api: Client) -> None:
    key = {"Idempotency-Key": "again"}
    assert post(api, "generations/", {**GOOD, "ratio": "9:1"}, **key).status_code == 422
    assert post(api, "generations/", GOOD, **key).status_code == 201


def test_a_key_is_its_owners_alone(api: Client, stranger: User) -> None:
    mine = post(api, "projects/", {"title": "One"}, **{"Idempotency-Key": "k"}).json()
    theirs = post(api_of(stranger), "projects/", {"title": "One"}, **{"Idempotency-Key": "k"}).json()
    assert mine["id"] != theirs["id"]


def test_an_account_that_can_pay_for_half_of_its_creates_gets_exactly_half(
    owner: User, settings: Any
) -> None:
    from accounts.tiers import tiers

    settings.TIERS = {"free": {"creates_per_minute": 1000, "queued_jobs": 1000}}
    tiers.cache_clear()
    try:
        api = api_of(with_credits(20 * 100))
        answers = together(40, lambda _: post(api, "generations/", GOOD))
    finally:
        settings.TIERS = {}
        tiers.cache_clear()
    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [402] * 20
    assert Generation.objects.count() == 20
