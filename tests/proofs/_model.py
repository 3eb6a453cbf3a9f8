"""The ledger as a plain model: what each movement must do to one account, in memory."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHold:
    amount: int
    state: str = "open"
    captured: int = 0
    refunded: int = 0
    # What its closing answered.
    answer: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One request. `hold` names the hold it closes or refunds, by the key that opened it."""

    kind: str
    key: str = ""
    amount: int = 0
    hold: str = ""


# A refusal's class, or (balance, held) as the movement answered; a posting answers (amount, balance).
Outcome = str | tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One account. `net` is the balance, negative by what is receivable."""

    net: int = 0
    held: int = 0
    spent: int = 0
    entries: int = 0
    holds: dict[str, ModelHold] = field(default_factory=dict)
    # Movements by key, with what they answered.
    done: dict[str, tuple[Movement, Outcome]] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        return max(self.net, 0)

    @property
    def receivable(self) -> int:
        return max(-self.net, 0)

    def apply(self, movement: Movement) -> tuple["Model", Outcome]:
        """The account after the movement, and its answer."""
        if movement.kind in ("capture", "release"):
            return self._close(movement)
        if movement.kind == "refund" and movement.hold not in self.holds:
            return self, "HoldNotFound"
        if movement.key in self.done:
            first, answer = self.done[movement.key]
            return self, answer if _written(first) == _written(movement) else "KeyReused"
        if movement.kind == "hold":
            return self._hold(movement)
        if movement.kind == "refund":
            return self._refund(movement)
        change = movement.amount if movement.kind != "charge_back" else -movement.amount
        if movement.kind == "adjust" and change < 0 and self.balance < -change:
            return self, "InsufficientCredits"
        after = replace(self, net=self.net + change, entries=self.entries + 1)
        return after._keep(movement, (change, after.net))

    def _hold(self, movement: Movement) -> tuple["Model", Outcome]:
        if self.receivable:
            return self, "SpendingSuspended"
        if self.balance < movement.amount:
            return self, "InsufficientCredits"
        after = replace(
            self,
            net=self.net - movement.amount,
            held=self.held + movement.amount,
            spent=self.spent + movement.amount,
            entries=self.entries + 1,
            holds={**self.holds, movement.key: ModelHold(amount=movement.amount)},
        )
        return after._keep(movement, (after.balance, after.held))

    def _close(self, movement: Movement) -> tuple["Model", Outcome]:
        hold = self.holds.get(movement.hold)
        if hold is None:
            return self, "HoldNotFound"
        state = "captured" if movement.kind == "capture" else "released"
        if hold.state != "open":
            return self, hold.answer if (hold.state, hold.captured) == (
                state,
                movement.amount,
            ) else "HoldClosed"
        if movement.amount > hold.amount:
            return self, "CaptureExceedsHold"
        back = hold.amount - movement.amount
        after = replace(
            self,
            net=self.net + back,
            held=self.held - hold.amount,
            spent=self.spent - back,
            entries=self.entries + 1,
        )
        answer = (after.balance, after.held)
        closed = replace(hold, state=state, captured=movement.amount, answer=answer)
        return replace(after, holds={**self.holds, movement.hold: closed}), answer

    def _refund(self, movement: Movement) -> tuple["Model", Outcome]:
        hold = self.holds[movement.hold]
        if hold.refunded + movement.amount > hold.captured:
            return self, "RefundExceedsCaptured"
        refunded = replace(hold, refunded=hold.refunded + movement.amount)
        after = replace(
            self,
            net=self.net + movement.amount,
            spent=self.spent - movement.amount,
            entries=self.entries + 1,
            holds={**self.holds, movement.hold: refunded},
        )
        return after._keep(movement, (movement.amount, after.net))

    def _keep(self, movement: Movement, answer: Outcome) -> tuple["Model", Outcome]:
        return replace(self, done={**self.done, movement.key: (movement, answer)}), answer


def _written(movement: Movement) -> Movement:
    """What the ledger keeps of a movement: a chargeback is an adjustment that may leave a debt."""
    if movement.kind != "charge_back":
        return movement
    return replace(movement, kind="adjust", amount=-movement.amount)
