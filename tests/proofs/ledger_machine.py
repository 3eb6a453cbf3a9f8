"""The ledger beside a plain model: random movements, each possibly repeated, and pairs of them at once.

A pair runs on two connections, the second while the first's transaction is open; what both answer, and the account
after them, must be what the model gives for one order or the other.
"""

import uuid
from collections import Counter
from uuid import UUID

import hypothesis
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from credits import ledger
from credits.models import Account, Entry, Hold
from credits.verification import verify
from tests.proofs import ProofResult
from tests.proofs._model import Model, Movement, Outcome
from tests.proofs._pairs import at_once
from workers.errors import DomainError

keys = st.sampled_from([f"key {n}" for n in range(12)])
amounts = st.integers(0, 40) | st.sampled_from([0, 1, 100])
positive = st.integers(1, 60)
movements = st.one_of(
    st.builds(Movement, kind=st.just("grant"), key=keys, amount=positive),
    st.builds(Movement, kind=st.just("adjust"), key=keys, amount=positive | st.integers(-60, -1)),
    st.builds(Movement, kind=st.just("charge_back"), key=keys, amount=positive),
    st.builds(Movement, kind=st.just("hold"), key=keys, amount=amounts),
    st.builds(Movement, kind=st.just("hold"), key=keys, amount=amounts),
    st.builds(Movement, kind=st.just("capture"), hold=keys, amount=amounts),
    st.builds(Movement, kind=st.just("release"), hold=keys),
    st.builds(Movement, kind=st.just("refund"), key=keys, hold=keys, amount=positive),
)


class LedgerMachine(RuleBasedStateMachine):
    """One account and its model."""

    counted: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.owner = User.objects.create_user(f"{uuid.uuid4()}@example.com").pk
        with transaction.atomic():
            ledger.open_account(self.owner)
        self.model = Model()
        self.hold_ids: dict[str, UUID] = {}
        self.counted["accounts"] += 1

    @rule(movement=movements)
    def move(self, movement: Movement) -> None:
        self.model, expected = self.model.apply(movement)
        with transaction.atomic():
            assert self._ask(movement) == expected
        self.counted["movements"] += 1
        self.counted["refusals"] += isinstance(expected, str)
        self.hold_ids |= self._opened()

    @precondition(lambda self: self.model.done)
    @rule(data=st.data())
    def move_again(self, data: st.DataObject) -> None:
        movement, answer = data.draw(st.sampled_from(list(self.model.done.values())))
        with transaction.atomic():
            assert self._ask(movement) == answer
        self.counted["repeats"] += 1

    @rule(first=movements, second=movements)
    def move_at_once(self, first: Movement, second: Movement) -> None:
        self._at_once(first, second)

    @rule(movement=movements)
    def move_twice_at_once(self, movement: Movement) -> None:
        self._at_once(movement, movement)

    def _at_once(self, first: Movement, second: Movement) -> None:
        answers = at_once(lambda: self._ask(first), lambda: self._ask(second))
        self.counted["pairs at once"] += 1
        one, first_of_one = self.model.apply(first)
        one, second_of_one = one.apply(second)
        other, second_of_other = self.model.apply(second)
        other, first_of_other = other.apply(first)
        account = self._account()
        orders = [
            ((first_of_one, second_of_one), figures(one), one),
            ((first_of_other, second_of_other), figures(other), other),
        ]
        fits = [model for expected, left, model in orders if (expected, left) == (answers, account)]
        assert fits, (
            f"{first} and {second} answered {answers} and left {account}; neither order does: {orders}"
        )
        self.model = fits[0]
        self.hold_ids |= self._opened()

    @invariant()
    def the_account_is_the_models(self) -> None:
        assert self._account() == figures(self.model)

    @invariant()
    def the_entries_agree(self) -> None:
        found = verify(self.owner)
        assert found.drifts == ()
        assert found.entries == self.model.entries

    @invariant()
    def holds_are_the_models(self) -> None:
        kept = {
            key: (hold.state, hold.amount, hold.captured, hold.refunded)
            for hold in Hold.objects.filter(owner=self.owner)
            for key, hold_id in self.hold_ids.items()
            if hold_id == hold.pk
        }
        assert kept == {
            key: (hold.state, hold.amount, hold.captured, hold.refunded)
            for key, hold in self.model.holds.items()
        }

    def _account(self) -> tuple[int, int, int, int]:
        found = Account.objects.filter(pk=self.owner).values_list("balance", "receivable", "held", "spent")
        return found[0] if found else (0, 0, 0, 0)

    def _opened(self) -> dict[str, UUID]:
        opened = Entry.objects.filter(owner=self.owner, kind="hold").values_list("subject_id", "hold_id")
        return {
            key: hold_id
            for subject, hold_id in opened
            for key in self.model.holds
            if subject == _subject(key) and hold_id is not None
        }

    def _ask(self, movement: Movement) -> Outcome:
        key = f"{self.owner}: {movement.key}"
        hold_id = self.hold_ids.get(movement.hold, uuid.UUID(int=0))
        try:
            match movement.kind:
                case "hold":
                    result = ledger.hold(
                        owner_id=self.owner,
                        amount=movement.amount,
                        key=key,
                        subject_id=_subject(movement.key),
                        rate_card_ids=[],
                        breakdown=[],
                    )
                    return result.balance, result.held
                case "capture":
                    closing = ledger.capture(hold_id=hold_id, amount=movement.amount)
                    return closing.balance, closing.held
                case "release":
                    closing = ledger.release(hold_id=hold_id, reason="")
                    return closing.balance, closing.held
            entry = self._post(movement, key, hold_id)
        except DomainError as refusal:
            return type(refusal).__name__
        return entry.amount, entry.balance_after

    def _post(self, movement: Movement, key: str, hold_id: UUID) -> Entry:
        owner, amount = self.owner, movement.amount
        match movement.kind:
            case "grant":
                return ledger.grant(owner_id=owner, amount=amount, key=key)
            case "adjust":
                return ledger.adjust(owner_id=owner, amount=amount, key=key, note="", operator_id=None)
            case "charge_back":
                return ledger.charge_back(owner_id=owner, amount=amount, key=key, note="")
        return ledger.refund(hold_id=hold_id, amount=amount, key=key, note="", operator_id=None)


def figures(model: Model) -> tuple[int, int, int, int]:
    return model.balance, model.receivable, model.held, model.spent


def _subject(key: str) -> UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, key)


def run(seed: int, full: bool) -> ProofResult:
    """Run the machine from `seed`: 300 accounts of up to 40 steps, or 15 of 20."""
    LedgerMachine.counted = Counter()
    broken: list[str] = []
    try:
        run_state_machine_as_test(
            hypothesis.seed(seed)(LedgerMachine),
            settings=settings(
                max_examples=300 if full else 15,
                stateful_step_count=40 if full else 20,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                # Explaining traces every line and takes minutes; the failing steps are printed without it.
                phases=[Phase.generate, Phase.shrink] if full else [Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    except AssertionError as failure:
        broken.append("\n".join([str(failure), *getattr(failure, "__notes__", [])]))
    return ProofResult(name="ledger_machine", counts=dict(LedgerMachine.counted), broken=broken)
