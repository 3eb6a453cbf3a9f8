"""Following a render: what its parts have come to, and what can begin now. No call is made."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NoReturn
from uuid import UUID

from generations import cancellation
from pipeline.models import Render, RenderStatus, SegmentState
from pipeline.renders import transitions
from pipeline.renders.coordination import look
from workers.jobs import Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState


class Produce(Stage[None, None]):
    """While clips and sounds are made."""

    name: ClassVar[str] = "produce"
    label: ClassVar[str] = "generating"

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, Next]:
        return {lease.job_id: look(lease) for lease in sorted(leases, key=lambda one: str(one.owner_id))}

    def call(self, work: None) -> NoReturn:
        raise RuntimeError("a render is followed within its claim")

    def finish(self, outcomes: Sequence[Outcome[None]]) -> Mapping[UUID, Next]:
        return {}

    def abandon(self, lease: Lease) -> Next:
        render = Render.objects.get(id=lease.subject_id)
        if render.ended_at is not None:
            return End(state=JobState(render.status))
        if render.status == RenderStatus.COMPOSING:
            return Continue(stage="compose")
        running = render.segments.filter(state=SegmentState.PROCESSING)
        stopped = cancellation.stop_all(list(running.values_list("generation_id", flat=True)))
        change = transitions.fail(
            render, code="internal_error", message="The render could not be followed: our fault."
        )
        return End(
            state=JobState.FAILED,
            error_code="internal_error",
            changes=[*stopped, *([change] if change else [])],
        )


class Paused(Produce):
    """While its owner has it paused: what runs lands, nothing begins."""

    name = "paused"
    label = "paused"


class Attend(Produce):
    """While segments that failed wait for its owner."""

    name = "attend"
    label = "needs_attention"
