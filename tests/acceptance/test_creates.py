"""Creates at once, over two web processes, on an account that can pay for half of them."""

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import local

import pytest
import requests
from pytest_django import Settings

from credits import ledger, verification
from credits.models import Hold
from generations.models import Generation
from tests.factories import api_key
from tests.generations.conftest import with_credits
from tests.processes import Processes
from workers.models import Job

FULL = os.environ.get("PROOF") == "full"
CREATES = 10_000 if FULL else 200
CLIENTS = 64
PRICE = 100


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_exactly_those_that_can_be_paid_are_accepted(
    processes: Processes, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = with_credits(PRICE * CREATES // 2)
    key = api_key(owner).secret
    limits = {"creates_per_minute": 10**6, "queued_jobs": 10**6, "credits_per_day": 10**9}
    for label in ("web", "second web"):
        processes.start(
            "web",
            label,
            TIERS=json.dumps({"free": limits}),
            QUEUE_LIMIT="100000",
            RATE_PER_ADDRESS="1000000",
            LOG_LEVEL="WARNING",
        )
    addresses = [processes.address("web"), processes.address("second web")]
    processes.wait_until(lambda: all(answers(address) for address in addresses), 60, "both answer")
    threads = local()
    repeated: list[int] = []

    def create(number: int) -> tuple[int, str]:
        if not hasattr(threads, "session"):
            threads.session = requests.Session()
        while True:
            try:
                answer = threads.session.post(
                    f"{addresses[number % 2]}/api/v1/generations/",
                    json={"model": "sandbox/motion-1", "prompt": "A boat"},
                    headers={"Authorization": f"Api-Key {key}", "Idempotency-Key": f"create-{number}"},
                    timeout=60,
                )
            except requests.ConnectionError:
                # A process that is replaced closes kept connections: the key makes asking again safe.
                repeated.append(number)
                continue
            return answer.status_code, "" if answer.ok else answer.json()["error"]["code"]

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = Counter(pool.map(create, range(CREATES)))

    with capsys.disabled():
        print(f"\ncreates: {CREATES} from {CLIENTS} clients on funds for {CREATES // 2}: {dict(answered)}")
        print(f"asked again after a lost connection: {len(repeated)}")
    assert answered == {(201, ""): CREATES // 2, (402, "insufficient_credits"): CREATES // 2}
    assert Generation.objects.count() == Job.objects.count() == CREATES // 2
    assert Hold.objects.filter(state="open", amount=PRICE).count() == Hold.objects.count() == CREATES // 2
    figures = ledger.balance_of(owner.pk)
    assert (figures.balance, figures.held) == (0, PRICE * CREATES // 2)
    assert verification.verify(owner.pk).agrees


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=2).ok
    except requests.RequestException:
        return False
