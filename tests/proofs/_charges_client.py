"""One process of the charges proof.

Run as `python -m tests.proofs._charges_client OWNER THREADS CHARGES AMOUNT`. Says "ready", waits for a line,
charges from every thread at once, and prints how many were accepted and refused.
"""

import os
import sys
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from credits import ledger  # noqa: E402  after the set-up
from credits.errors import InsufficientCredits  # noqa: E402


def charge(owner: uuid.UUID, amount: int) -> str:
    """Hold `amount` for a new job: "accepted" or "refused"."""
    job = uuid.uuid4()
    try:
        with transaction.atomic():
            ledger.hold(
                owner_id=owner,
                amount=amount,
                key=f"job:{job}",
                subject_id=job,
                rate_card_ids=[],
                breakdown=[],
            )
    except InsufficientCredits:
        return "refused"
    return "accepted"


def charges(owner: uuid.UUID, threads: int, count: int, amount: int) -> Counter[str]:
    """`count` charges from `threads` threads."""

    def some(share: int) -> list[str]:
        try:
            return [charge(owner, amount) for _ in range(share)]
        finally:
            connection.close()

    shares = [count // threads + (n < count % threads) for n in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        return Counter(outcome for outcomes in pool.map(some, shares) for outcome in outcomes)


def main() -> None:
    owner, (threads, count, amount) = uuid.UUID(sys.argv[1]), map(int, sys.argv[2:5])
    # As in production: Django's log of every query is a developer's.
    settings.DEBUG = False
    print("ready", flush=True)
    sys.stdin.readline()
    outcomes = charges(owner, threads, count, amount)
    print(outcomes["accepted"], outcomes["refused"], flush=True)


if __name__ == "__main__":
    main()
