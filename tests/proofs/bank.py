"""The bank: many clients move credits between accounts and are killed; no read ever sees another total.

Full: 100 accounts, 64 clients in 8 processes, at least 100,000 movements and 10,000 full reads, a SIGKILL of a
process every two seconds.
"""

import random
import subprocess
import threading
import time
from dataclasses import dataclass

from django.db import connection, transaction

from accounts.models import User
from credits import ledger
from credits.models import Account, Entry
from credits.verification import verify_all
from tests.proofs import ProofResult
from tests.proofs._processes import end, spawn

START = 10_000

# One statement, so one moment of the whole bank.
READ = """
SELECT count(*), sum(balance - receivable + held)::bigint, min(balance), min(held) FROM credits_account
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    accounts: int
    processes: int
    threads: int
    movements: int
    reads: int
    kills: int
    kill_every: float
    deadline: float


SMALL = Size(
    accounts=10, processes=2, threads=4, movements=400, reads=200, kills=2, kill_every=0.5, deadline=90
)
FULL = Size(
    accounts=100,
    processes=8,
    threads=8,
    movements=100_000,
    reads=10_000,
    kills=50,
    kill_every=2,
    deadline=1800,
)


def run(seed: int, full: bool) -> ProofResult:
    """Run the bank until it has moved, been read and been killed enough, then recompute every account."""
    size = FULL if full else SMALL
    _open(size.accounts)
    draw = random.Random(seed)
    broken: list[str] = []
    reader = Reader(size, broken)
    before = Entry.objects.count()
    processes = [_client(seed, n, size) for n in range(size.processes)]
    reader.start()
    kills = moved = 0
    started = time.monotonic()
    try:
        while moved < size.movements or reader.reads < size.reads or kills < size.kills:
            if time.monotonic() - started > size.deadline:
                broken.append(f"not done in {size.deadline} s")
                break
            time.sleep(size.kill_every)
            moved = Entry.objects.count() - before
            broken += [
                f"a client ended by itself: {n}" for n, client in enumerate(processes) if client.poll()
            ]
            if broken:
                break
            victim = draw.randrange(size.processes)
            end([processes[victim]])
            kills += 1
            processes[victim] = _client(seed, size.processes + kills, size)
    finally:
        end(processes)
        reader.stop()
    moved = Entry.objects.count() - before
    checked = list(verify_all())
    drifts = [drift for found in checked for drift in found.drifts]
    broken += [f"{drift.owner_id}: {drift.what}: {drift.kept}, not {drift.recomputed}" for drift in drifts]
    return ProofResult(
        name="bank",
        counts={
            "accounts": size.accounts,
            "clients": size.processes * size.threads,
            "movements": moved,
            "processes killed": kills,
            "full reads": reader.reads,
            "wrong totals": reader.wrong,
            "negative figures": reader.negative,
            "accounts recomputed": sum(found.accounts for found in checked),
            "drifts": len(drifts),
        },
        broken=broken,
    )


class Reader(threading.Thread):
    """Reads the whole bank again and again."""

    def __init__(self, size: Size, broken: list[str]) -> None:
        super().__init__(daemon=True)
        self.size, self.broken = size, broken
        self.reads = self.wrong = self.negative = 0
        self._stopped = threading.Event()

    def run(self) -> None:
        total = self.size.accounts * START
        try:
            while not self._stopped.is_set():
                with connection.cursor() as cursor:
                    cursor.execute(READ)
                    count, found, least_balance, least_held = cursor.fetchone()
                self.reads += 1
                if (count, found) != (self.size.accounts, total):
                    self.wrong += 1
                    self._say(f"{count} accounts held {found} credits, not {total}")
                if least_balance < 0 or least_held < 0:
                    self.negative += 1
                    self._say(f"a balance of {least_balance}, a held amount of {least_held}")
                # Leaves the cores to the clients.
                self._stopped.wait(0.01)
        finally:
            connection.close()

    def _say(self, what: str) -> None:
        if what not in self.broken:
            self.broken.append(what)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _open(accounts: int) -> None:
    assert not Account.objects.exists(), "the bank counts every account"
    for n in range(accounts):
        with transaction.atomic():
            owner = User.objects.create_user(f"bank{n}@example.com")
            ledger.grant(owner_id=owner.pk, amount=START, key=f"start:{n}")


def _client(seed: int, number: int, size: Size) -> subprocess.Popen[str]:
    return spawn("tests.proofs._bank_client", seed * 10_000 + number, size.threads, connections=size.threads)
