"""A result that came after its clip had failed: fetched, and delivered once for nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from generations import attempts, transitions
from generations.delivery import Delivered
from generations.models import Attempt, AttemptState, Generation, GenerationStatus
from generations.rendering import render_request
from generations.stages.deliver import Deliver, DeliverExamined, save_output
from generations.stages.reconcile import LookUpWork
from providers import registry
from providers.contract import RenderState, RenderUpdate
from providers.errors import FailureCode, ProviderError
from workers.jobs import Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState


def is_wanted(generation: Generation) -> bool:
    """Whether a late result still fits: not for a clip that was cancelled, deleted, delivered or tried again."""
    return (
        generation.status == GenerationStatus.FAILED
        and generation.deleted_at is None
        and not Generation.objects.filter(retry_of=generation).exists()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAnswer:
    attempt: Attempt
    update: RenderUpdate | None


class FindLate(Stage[LookUpWork, LateAnswer]):
    """Ask once what became of an attempt whose outcome was unknown when its clip failed."""

    name = "find_late"
    deadline = 40.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, LookUpWork | Next]:
        latest = attempts.latest([lease.subject_id for lease in leases])
        begun: dict[UUID, LookUpWork | Next] = {}
        for lease in leases:
            attempt = latest[lease.subject_id]
            if not is_wanted(attempt.generation):
                begun[lease.job_id] = End(state=JobState.COMPLETED)
            elif attempt.given_url is not None:
                begun[lease.job_id] = Continue(stage=delivering_late(attempt.generation))
            else:
                begun[lease.job_id] = LookUpWork(
                    attempt=attempt, request=render_request(attempt.generation, attempt.account)
                )
        return begun

    def call(self, work: LookUpWork) -> LateAnswer:
        attempt = work.attempt
        try:
            provider = registry.provider(attempt.provider, attempt.account)
            update = (
                provider.fetch(attempt.external_id)
                if attempt.external_id
                else provider.find(attempt.id.hex, request=work.request, since=attempt.created_at)
            )
        except ProviderError:
            update = None
        return LateAnswer(attempt=attempt, update=update)

    def finish(self, outcomes: Sequence[Outcome[LateAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in outcomes:
            attempt, update = outcome.answer.attempt, outcome.answer.update
            if update is not None and not attempts.record_external_id(attempt.id, update.external_id):
                update = None
            if update is not None:
                attempts.record_cost(attempt, update.cost)
            if not outcome.held:
                continue
            nexts[outcome.lease.job_id] = End(state=JobState.COMPLETED)
            if update is None:
                continue
            if update.state == RenderState.SUCCEEDED:
                attempts.move(attempt, AttemptState.SUCCEEDED, vendor_state=update.vendor_state[:100])
                nexts[outcome.lease.job_id] = Continue(stage=delivering_late(attempt.generation))
            elif update.state == RenderState.FAILED and update.failure is not None:
                attempts.record_failure(attempt, update.failure)
            elif update.state == RenderState.CANCELLED:
                attempts.move(attempt, AttemptState.CANCELLED, vendor_state=update.vendor_state[:100])
        return nexts

    def abandon(self, lease: Lease) -> Next:
        return End(state=JobState.FAILED, error_code="internal_error")


class DeliverLate(Deliver):
    name = "deliver_late"

    def refused(self, lease: Lease, attempt: Attempt, reason: str) -> Next:
        return End(state=JobState.FAILED, error_code=FailureCode.QUALITY)

    def wanted(self, generation: Generation) -> bool:
        return is_wanted(generation)

    def complete(self, attempt: Attempt, lease: Lease, delivered: Delivered) -> Next:
        # Taken before the asset is written: a retry that commits meanwhile makes it unwanted.
        generation = Generation.objects.select_for_update(of=("self",)).get(id=attempt.generation_id)
        if not is_wanted(generation):
            return End(state=JobState.COMPLETED)
        attempts.move(attempt, AttemptState.SUCCEEDED)
        change = transitions.complete_late(generation, save_output(generation, lease, delivered))
        return End(state=JobState.COMPLETED, changes=[change] if change else [])

    def go_on(self, attempt: Attempt) -> Next:
        return Continue(stage=FindLate.name)

    def give_up(self, generation: Generation, *, code: str, message: str) -> Next:
        return End(state=JobState.FAILED, error_code=code)


class DeliverLateExamined(DeliverLate):
    """Late, and examined as it would have been in time."""

    name = "deliver_late_examined"
    queue = DeliverExamined.queue
    deadline = DeliverExamined.deadline
    at_once = DeliverExamined.at_once


def delivering_late(generation: Generation) -> str:
    """The stage that brings the clip's late video home."""
    return DeliverLateExamined.name if generation.examined else DeliverLate.name
