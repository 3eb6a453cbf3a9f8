"""Delivering: the clip is completed when its video is ours, and paid for in that same transaction."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from django.conf import settings

from generations import assets, attempts, delivery, encryption, polling, transitions
from generations.delivery import Delivered, DeliveryFailed, Expected, Parcel, Rejected
from generations.kinds import DELIVER, DELIVER_EXAMINED
from generations.models import Asset, AssetKind, AssetState, Attempt, AttemptState, Generation
from generations.models.assets import AssetOrigin
from generations.provenance import Claim
from generations.stages.endings import again_or_next, end_failed, ended
from providers.errors import FailureCode, ProviderError, RenderFailed
from workers.jobs import Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState

logger = logging.getLogger(__name__)

# Tries at a delivery that fails for the vendor's reasons, the first included: a link is made anew with each look,
# what is in the file rarely changes.
TRIES = 4
TRIES_AT_BAD_MEDIA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverWork:
    attempt: Attempt
    parcel: Parcel


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverAnswer:
    attempt: Attempt
    delivered: Delivered | None = None
    error: DeliveryFailed | ProviderError | None = None


def asset_id_of(generation_id: UUID) -> UUID:
    """A generation has one output, whoever delivers it."""
    return uuid5(generation_id, "output")


def name_of(generation: Generation) -> str:
    """The name of its video, for downloads and in its credentials."""
    return f"{generation.model.split('/')[-1]}-{str(generation.id)[:8]}.mp4"


class Deliver(Stage[DeliverWork, DeliverAnswer]):
    name = DELIVER
    label = "delivering"
    deadline = 300.0
    # Files of hundreds of megabytes and a decoder each: a few at a time per process.
    at_once = 4

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, DeliverWork | Next]:
        latest = attempts.latest([lease.subject_id for lease in leases])
        begun: dict[UUID, DeliverWork | Next] = {}
        for lease in leases:
            attempt = latest[lease.subject_id]
            if not self.wanted(attempt.generation):
                begun[lease.job_id] = ended(lease, attempt.generation)
                continue
            begun[lease.job_id] = DeliverWork(attempt=attempt, parcel=_parcel(lease, attempt))
        return begun

    def call(self, work: DeliverWork) -> DeliverAnswer:
        try:
            return DeliverAnswer(attempt=work.attempt, delivered=delivery.deliver(work.parcel))
        except (DeliveryFailed, ProviderError) as error:
            logger.warning("attempt %s was not delivered: %s", work.attempt.id, error)
            return DeliverAnswer(attempt=work.attempt, error=error)

    def finish(self, outcomes: Sequence[Outcome[DeliverAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in sorted(outcomes, key=lambda outcome: str(outcome.lease.owner_id)):
            if not outcome.held:
                # The claim that replaced this one delivers under its own fence; these objects are swept.
                continue
            answer = outcome.answer
            if answer.delivered is not None:
                nexts[outcome.lease.job_id] = self.complete(answer.attempt, outcome.lease, answer.delivered)
            else:
                nexts[outcome.lease.job_id] = self._after_error(outcome.lease, answer)
        return nexts

    def abandon(self, lease: Lease) -> Next:
        generation = Generation.objects.get(id=lease.subject_id)
        return self.give_up(
            generation, code="undeliverable", message="The video could not be delivered: our fault."
        )

    def wanted(self, generation: Generation) -> bool:
        """Whether the generation still waits for its video."""
        return generation.ended_at is None

    def complete(self, attempt: Attempt, lease: Lease, delivered: Delivered) -> Next:
        """Store the asset's row, capture the hold, end the job."""
        generation = attempt.generation
        attempts.move(attempt, AttemptState.SUCCEEDED)
        output = save_output(generation, lease, delivered)
        change = transitions.complete(generation, output)
        assets.unpin(generation.input_ids)
        return End(state=JobState.COMPLETED, changes=[change] if change else [])

    def give_up(self, generation: Generation, *, code: str, message: str) -> Next:
        return end_failed(generation, code=code, message=message, retryable=True)

    def refused(self, lease: Lease, attempt: Attempt, reason: str) -> Next:
        """What follows on a video that did not pass: the provider failed, and the clip is not over yet."""
        error = RenderFailed(attempt.provider, code=FailureCode.QUALITY, retryable=True)
        return again_or_next(lease, attempt, error, reason)

    def go_on(self, attempt: Attempt) -> Next:
        """Back to asking the vendor, after an operator's address led to no video."""
        if attempt.state == AttemptState.SUCCEEDED:
            return Continue(stage=self.name)
        return Continue(stage="poll" if attempt.external_id else "reconcile")

    def _after_error(self, lease: Lease, answer: DeliverAnswer) -> Next:
        attempt, error = answer.attempt, answer.error
        assert error is not None
        if isinstance(error, Rejected):
            return self._reject(lease, attempt, error)
        failures = attempt.failed_calls + 1
        Attempt.objects.filter(id=attempt.id).update(failed_calls=failures)
        patient = isinstance(error, DeliveryFailed) and error.patient
        tries = (
            TRIES_AT_BAD_MEDIA if isinstance(error, DeliveryFailed) and error.code == "bad_media" else TRIES
        )
        if patient or failures < tries:
            return Continue(
                stage=self.name, due_in=min(polling.after_failure(failures), timedelta(seconds=20))
            )
        if attempt.given_url is not None:
            return self._drop_address(attempt)
        if attempt.generation.examined and isinstance(error, DeliveryFailed) and error.code == "bad_media":
            return self._reject(lease, attempt, Rejected(str(error), figures={"problem": error.code}))
        code = error.code if isinstance(error, DeliveryFailed) else "output_unavailable"
        return self.give_up(attempt.generation, code=code, message=str(error))

    def _reject(self, lease: Lease, attempt: Attempt, rejected: Rejected) -> Next:
        if attempt.given_url is not None:
            return self._drop_address(attempt)
        if attempt.state == AttemptState.SUCCEEDED:
            picture = _save_picture(lease, attempt, rejected) if rejected.picture_key else None
            attempts.reject(attempt, reason=str(rejected), figures=rejected.figures, picture=picture)
        return self.refused(lease, attempt, str(rejected))

    def _drop_address(self, attempt: Attempt) -> Next:
        # The operator's address was wrong: that says nothing of what the vendor has.
        Attempt.objects.filter(id=attempt.id).update(given_url=None, failed_calls=0)
        return self.go_on(attempt)


class DeliverExamined(Deliver):
    """As any other, by workers that may use the processor: the video is examined before it counts."""

    name = DELIVER_EXAMINED
    queue = "media"
    deadline = 600.0
    at_once = 1


def _parcel(lease: Lease, attempt: Attempt) -> Parcel:
    generation = attempt.generation
    return Parcel(
        provider=attempt.provider,
        account=attempt.account,
        external_id=attempt.external_id or "",
        asset_id=asset_id_of(generation.id),
        picture_id=uuid5(attempt.id, "picture"),
        owner_id=generation.owner_id,
        fence=lease.fence,
        claim=Claim(
            title=name_of(generation),
            kind="clip",
            models=(attempt.model,),
            created_at=lease.now,
            generation_id=generation.id,
            project_id=generation.project_id,
        ),
        expected=(
            Expected(
                duration_seconds=generation.duration_seconds,
                resolution=generation.resolution,
                ratio=generation.ratio,
                audio=generation.audio,
            )
            if generation.examined
            else None
        ),
        given_url=encryption.decrypt(bytes(attempt.given_url)) if attempt.given_url else None,
    )


def _save_picture(lease: Lease, attempt: Attempt, rejected: Rejected) -> Asset:
    """The picture of what is wrong, as a file of the owner's that is kept as long as videos are."""
    return Asset.objects.create(
        id=uuid5(attempt.id, "picture"),
        owner_id=attempt.generation.owner_id,
        kind=AssetKind.IMAGE,
        origin=AssetOrigin.EXAMINATION,
        state=AssetState.READY,
        name=f"problem-{str(attempt.generation_id)[:8]}-{attempt.number}.jpg",
        media_type="image/jpeg",
        bytes=rejected.picture_bytes,
        key=rejected.picture_key,
        created_at=lease.now,
        expires_at=lease.now + settings.VIDEOS_KEPT,
    )


def save_output(generation: Generation, lease: Lease, delivered: Delivered) -> Asset:
    """The delivered video as an asset that is ready and expires; seven days, or with the vendor's link."""
    expires_at = lease.now + settings.VIDEOS_KEPT
    if delivered.link_expires_at is not None:
        expires_at = min(expires_at, delivered.link_expires_at)
    facts = delivered.facts
    return Asset.objects.create(
        id=asset_id_of(generation.id),
        owner_id=generation.owner_id,
        kind=AssetKind.VIDEO,
        origin=AssetOrigin.GENERATION,
        state=AssetState.READY,
        name=name_of(generation),
        media_type=facts.media_type,
        bytes=delivered.bytes if delivered.key else 0,
        sha256=delivered.sha256,
        key=delivered.key,
        thumbnail_key=delivered.thumbnail_key,
        poster_key=delivered.poster_key,
        linked_url=encryption.encrypt(delivered.linked_url) if delivered.linked_url else None,
        width=facts.width,
        height=facts.height,
        duration_seconds=facts.duration_seconds,
        frames_per_second=facts.frames_per_second,
        video_codec=facts.video_codec,
        audio_codec=facts.audio_codec or "",
        created_at=lease.now,
        expires_at=expires_at,
    )
