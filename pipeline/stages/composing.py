"""What composing a film and composing an edit have in common: one call, its parts kept, tried again once."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from django.db.models import F

from pipeline import composing
from pipeline.composing import Answer, Order, Stored
from pipeline.models import Render, VideoEdit
from pipeline.renders import parts
from pipeline.stages.made import asset_id_of
from workers.jobs import Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState

Whole = TypeVar("Whole", Render, VideoEdit)

PATIENCE = timedelta(seconds=10)
# Tries at a composition that fails, the first included: it is our fault.
TRIES = 2


class Composing(Stage[Order, Answer], Generic[Whole]):
    """From the stored parts and sounds to the stored video."""

    name = "compose"
    label = "composing"
    queue = "media"
    deadline = 1800.0
    reports = True
    # The stage that looks at the whole, and what its parts are called.
    follows: ClassVar[str]
    noun: ClassVar[str]

    @abstractmethod
    def row_of(self, lease: Lease) -> Whole: ...

    @abstractmethod
    def look(self, lease: Lease) -> Next:
        """What becomes of one that has ended, or is to be stopped."""

    @abstractmethod
    def order_of(self, whole: Whole, lease: Lease) -> Order: ...

    @abstractmethod
    def completed(self, whole: Whole, lease: Lease, stored: Stored) -> Next: ...

    @abstractmethod
    def not_composed(self, whole: Whole) -> Next: ...

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, Order | Next]:
        begun: dict[UUID, Order | Next] = {}
        for lease in leases:
            whole = self.row_of(lease)
            if whole.ended_at is not None or lease.cancel_requested:
                begun[lease.job_id] = self.look(lease)
            else:
                begun[lease.job_id] = self.order_of(whole, lease)
        return begun

    def call(self, work: Order) -> Answer:
        return composing.carried_out(work)

    def finish(self, outcomes: Sequence[Outcome[Answer]]) -> Mapping[UUID, Next]:
        return {one.lease.job_id: self._decide(one.lease, one.answer) for one in outcomes if one.held}

    def abandon(self, lease: Lease) -> Next:
        return self.not_composed(self.row_of(lease))

    def _decide(self, lease: Lease, answer: Answer) -> Next:
        whole = self.row_of(lease)
        name = f"{self.noun}-parts-{str(whole.id)[:8]}.mp4"
        parts.record(whole.owner_id, asset_id_of(lease), answer.made, lease.now, name=name)
        if whole.ended_at is not None:
            return End(state=JobState(whole.status))
        if answer.stored is not None:
            return self.completed(whole, lease, answer.stored)
        if answer.cancelled or lease.cancel_requested:
            return Continue(stage=self.follows)
        if answer.away:
            return Continue(stage=self.name, due_in=PATIENCE)
        type(whole)._default_manager.filter(id=whole.id).update(failures=F("failures") + 1)
        if whole.failures + 1 < TRIES:
            return Continue(stage=self.name, due_in=PATIENCE)
        return self.not_composed(whole)
