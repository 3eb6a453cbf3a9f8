"""Charges at once on one account that can pay for half of them: exactly half are accepted.

Full: 10,000 charges from 64 connections in 8 processes, within 15 s.
"""

import time

from django.db import transaction

from accounts.models import User
from credits import ledger
from credits.verification import verify
from tests.proofs import ProofResult
from tests.proofs._processes import end, spawn

AMOUNT = 10
AMOUNT = 10
SECONDS = 15


def run(seed: int, full: bool) -> ProofResult:
    """Charge; `seed` names the account only, the race is the machine's."""
    processes, threads, count = (8, 8, 10_000) if full else (2, 4, 400)
    with transaction.atomic():
        owner = User.objects.create_user(f"charged{seed}@example.com")
        ledger.grant(owner_id=owner.pk, amount=AMOUNT * count // 2, key=f"start:{owner.pk}")
    clients = [
        spawn(
            "tests.proofs._charges_client", owner.pk, threads, count // processes, AMOUNT, connections=threads
        )
        for _ in range(processes)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
        started = time.monotonic()
        for client in clients:
            assert client.stdin is not None
            client.stdin.write("go\n")
            client.stdin.flush()
        outcomes = [tuple(map(int, client.stdout.readline().split())) for client in clients if client.stdout]
        seconds = time.monotonic() - started
    finally:
        end(clients)
    accepted, refused = (sum(outcome[n] for outcome in outcomes) for n in (0, 1))
    found = verify(owner.pk)
    figures = ledger.balance_of(owner.pk)
    broken = [f"{drift.what}: {drift.kept}, not {drift.recomputed}" for drift in found.drifts]
    if (accepted, refused) != (count // 2, count // 2):
        broken.append(f"{accepted} accepted and {refused} refused of {count}")
    if (figures.balance, figures.held, found.holds) != (0, AMOUNT * count // 2, count // 2):
        broken.append(f"balance {figures.balance}, held {figures.held} in {found.holds} holds")
    if full and seconds > SECONDS:
        broken.append(f"{seconds:.1f} s, not {SECONDS}")
    return ProofResult(
        name="charges",
        counts={
            "charges at once": count,
            "clients": processes * threads,
            "accepted": accepted,
            "refused": refused,
            "milliseconds": round(seconds * 1000),
        },
        broken=broken,
    )
