"""One process of the bank proof: threads that move credits at random until they are killed.

Run as `python -m tests.proofs._bank_client SEED THREADS`. What is captured from one account is given to another in
the same transaction, so that the sum over all accounts of balance and held never changes.
"""

import logging
import os
import random
import sys
import threading
import traceback
import uuid
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402

from credits import ledger  # noqa: E402  after the set-up
from credits.errors import HoldClosed, InsufficientCredits, KeyReused, RefundExceedsCaptured  # noqa: E402
from credits.models import Account, Hold  # noqa: E402

REFUSALS = (HoldClosed, InsufficientCredits, KeyReused, RefundExceedsCaptured)


class Client:
    """One thread's choices."""

    def __init__(self, seed: int, owners: list[UUID]) -> None:
        self.random = random.Random(seed)
        self.owners = owners
        self.keys: list[tuple[UUID, str, UUID, int]] = []

    def work(self) -> None:
        while True:
            move = self.random.choices(
                [self.hold, self.hold_again, self.group, self.end, self.transfer, self.refund],
                [30, 5, 5, 40, 15, 5],
            )[0]
            try:
                with transaction.atomic():
                    move()
            except REFUSALS:
                continue
            except BaseException:
                # A client that stops for anything but a kill is for the proof to see.
                traceback.print_exc()
                os._exit(1)

    def hold(self) -> None:
        owner, subject = self.random.choice(self.owners), uuid.UUID(int=self.random.getrandbits(128))
        amount = self.random.randint(0, 3_000)
        self.take(owner, f"job:{subject}", subject, amount)
        self.keys = [*self.keys[-100:], (owner, f"job:{subject}", subject, amount)]

    def hold_again(self) -> None:
        if self.keys:
            self.take(*self.random.choice(self.keys))

    def take(self, owner: UUID, key: str, subject: UUID, amount: int) -> None:
        ledger.hold(
            owner_id=owner, amount=amount, key=key, subject_id=subject, rate_card_ids=[], breakdown=[]
        )

    def group(self) -> None:
        parts = [
            ledger.HoldPart(amount=self.random.randint(0, 500), subject_id=uuid.uuid4())
            for _ in range(self.random.randint(1, 5))
        ]
        ledger.hold_group(owner_id=self.random.choice(self.owners), key=f"film:{uuid.uuid4()}", parts=parts)

    def end(self) -> None:
        hold = self.some_hold(Hold.State.OPEN)
        if hold is None:
            return
        if self.random.random() < 0.4:
            ledger.release(hold_id=hold.pk, reason="failed")
            return
        captured = self.random.randint(0, hold.amount)
        # Named by the hold, because a client that captures what another just did answers as if it had.
        key, receiver = f"captured:{hold.pk}", self.owners[hold.pk.int % len(self.owners)]
        # Accounts are locked in the order of their ids.
        if receiver < hold.owner_id:
            self.add(receiver, captured, key)
        ledger.capture(hold_id=hold.pk, amount=captured)
        if receiver >= hold.owner_id:
            self.add(receiver, captured, key)
        if self.random.random() < 0.2:
            # What a second worker would do.
            ledger.capture(hold_id=hold.pk, amount=captured)

    def transfer(self) -> None:
        amount = self.random.randint(1, 2_000)
        giver, receiver = self.random.sample(self.owners, 2)
        for owner, change in sorted([(giver, -amount), (receiver, amount)]):
            self.add(owner, change, f"transfer:{uuid.uuid4()}")

    def refund(self) -> None:
        hold = self.some_hold(Hold.State.CAPTURED)
        if hold is None or hold.captured == 0:
            return
        amount = self.random.randint(1, hold.captured)
        payer = self.random.choice(self.owners)
        if payer < hold.owner_id:
            self.add(payer, -amount, f"paid:{uuid.uuid4()}")
        ledger.refund(hold_id=hold.pk, amount=amount, key=f"refund:{uuid.uuid4()}", note="", operator_id=None)
        if payer >= hold.owner_id:
            self.add(payer, -amount, f"paid:{uuid.uuid4()}")

    def add(self, owner: UUID, amount: int, key: str) -> None:
        if amount:
            ledger.adjust(owner_id=owner, amount=amount, key=key, note="", operator_id=None)

    def some_hold(self, state: Hold.State) -> Hold | None:
        found = list(Hold.objects.filter(owner_id=self.random.choice(self.owners), state=state)[:10])
        return self.random.choice(found) if found else None


def main() -> None:
    seed, threads = int(sys.argv[1]), int(sys.argv[2])
    owners = list(Account.objects.order_by("pk").values_list("pk", flat=True))
    connection.close()
    # Keys that come back with other figures are what this does, not news.
    logging.getLogger("credits.ledger").setLevel(logging.ERROR)
    clients = [
        threading.Thread(target=Client(seed * 1_000 + n, owners).work, daemon=True) for n in range(threads)
    ]
    for client in clients:
        client.start()
    # Until the proof kills this process, or is gone.
    sys.stdin.read()


if __name__ == "__main__":
    main()
