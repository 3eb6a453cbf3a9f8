"""Making a sound: a spoken line, an effect, music. The intent is on disk before the call, which costs money.

No vendor of sounds can be asked what became of a call. One whose answer was lost is made once more: both are on
record, and the owner pays once.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce

from generations import assets, inspection, storage
from generations.models import Asset, AssetKind, AssetState, Generation
from generations.models.assets import AssetOrigin
from generations.scratch import scratch_folder
from generations.storage import StorageUnavailable
from pipeline.models import FilmSound, RenderSegment, SoundState
from pipeline.renders import coordination, inputs
from pipeline.stages.made import asset_id_of
from pipeline.video_edits import following
from providers.catalogue.sound import SOUND_MODELS, SoundKind
from providers.contract import InputMedia
from providers.errors import FailureCode, NotSent, OutcomeUnknown, ProviderError, RateLimited, RequestRefused
from providers.sound import registry
from providers.sound.contract import EffectRequest, MadeSound, MusicRequest, SoundProvider, SpeechRequest
from workers import crash
from workers.clock import AppNow
from workers.jobs import Change, Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=10)
# A vendor that says "slow down" without saying how long.
BUSY_PAUSE = timedelta(seconds=15)
# Tries at a vendor that can't be reached or is busy, and calls in all, of which answers were lost.
TRIES = 8
MOST_LOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundWork:
    row: FilmSound
    owner_id: UUID
    request: SpeechRequest | EffectRequest | MusicRequest
    asset_id: UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSound:
    made: MadeSound
    key: str
    sha256: str
    facts: inspection.MediaFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundAnswer:
    """The stored sound, or why there is none."""

    row: FilmSound
    stored: StoredSound | None = None
    error: ProviderError | None = None
    unusable: str = ""
    # Nothing was asked for, or what was made could not be kept: our store was away.
    away: bool = False
    unkept: bool = False


class MakeSound(Stage[SoundWork, SoundAnswer]):
    name = "sound"
    label = "sounding"
    queue = "slow"
    deadline = 200.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, SoundWork | Next]:
        begun: dict[UUID, SoundWork | Next] = {}
        for lease in leases:
            row = row_of(lease)
            begun[lease.job_id] = self._unwanted(lease, row) or self._work(lease, row)
        return begun

    def call(self, work: SoundWork) -> SoundAnswer:
        try:
            # What could not be kept is not asked for.
            storage.head(storage.incoming_key(work.asset_id))
        except StorageUnavailable:
            return SoundAnswer(row=work.row, away=True)
        try:
            provider = registry.sound_provider(work.row.provider)
            with scratch_folder("sound") as folder:
                made = _made(provider, work, folder / "sound")
                crash.point("sound.made")
                inspected = inspection.inspect(made.path, folder)
                key = storage.key(work.owner_id, work.asset_id, str(work.fence), made.path.name)
                sha256 = _digest(made)
                storage.put(key, made.path, media_type=made.media_type, sha256=sha256)
                crash.point("sound.stored")
        except ProviderError as error:
            return SoundAnswer(row=work.row, error=error)
        except inspection.NotMedia as error:
            return SoundAnswer(row=work.row, unusable=str(error))
        except StorageUnavailable:
            return SoundAnswer(row=work.row, unkept=True)
        return SoundAnswer(
            row=work.row,
            stored=StoredSound(made=made, key=key, sha256=sha256, facts=inspected.facts),
        )

    def finish(self, outcomes: Sequence[Outcome[SoundAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in outcomes:
            _record_facts(outcome.answer)
            if outcome.held:
                nexts[outcome.lease.job_id] = self._decide(outcome.lease, outcome.answer)
        return nexts

    def abandon(self, lease: Lease) -> Next:
        row = row_of(lease)
        return self._unwanted(lease, row) or failed(
            row, code="internal_error", message="It could not be made: our fault."
        )

    def _unwanted(self, lease: Lease, row: FilmSound) -> End | None:
        if row.whole.ended_at is not None or lease.cancel_requested:
            FilmSound.objects.filter(id=row.id).exclude(
                state__in=[SoundState.COMPLETED, SoundState.FAILED]
            ).update(state=SoundState.CANCELLED, ended_at=AppNow())
            _ring(row)
            return End(state=JobState.CANCELLED)
        if row.state == SoundState.COMPLETED:
            return End(state=JobState.COMPLETED)
        return None

    def _work(self, lease: Lease, row: FilmSound) -> SoundWork | Next:
        if row.state == SoundState.PROCESSING and lease.claims > 1:
            # A claim before this one called and was lost: it may have been made, and paid for.
            row.lost += 1
            if row.lost >= MOST_LOST:
                return failed(row, code="outcome_unknown", message="The provider's answers were lost.")
        FilmSound.objects.filter(id=row.id).update(
            state=SoundState.PROCESSING, calls=F("calls") + 1, lost=row.lost
        )
        return SoundWork(
            row=row,
            owner_id=row.whole.owner_id,
            request=_request(row),
            asset_id=asset_id_of(lease),
            fence=lease.fence,
        )

    def _decide(self, lease: Lease, answer: SoundAnswer) -> Next:
        row = row_of(lease)
        if answer.stored is not None:
            return _completed(row, lease, answer.stored)
        if (end := self._unwanted(lease, row)) is not None:
            return end
        if answer.away:
            FilmSound.objects.filter(id=row.id).update(calls=F("calls") - 1)
            return Continue(stage=self.name, due_in=PATIENCE, place="line up")
        if answer.unusable or answer.unkept:
            # It was paid for, and there is nothing to show for it: made once more, and counted.
            if row.lost + 1 < MOST_LOST:
                FilmSound.objects.filter(id=row.id).update(lost=row.lost + 1)
                return Continue(stage=self.name, due_in=PATIENCE, place="line up")
            if answer.unkept:
                return failed(row, code="storage_unavailable", message="It could not be kept: our fault.")
            return failed(row, code="bad_media", message=answer.unusable)
        assert answer.error is not None
        return _after_error(row, answer.error)


def row_of(lease: Lease) -> FilmSound:
    return FilmSound.objects.select_related("render", "edit").get(id=lease.subject_id)


def failed(row: FilmSound, *, code: str, message: str) -> End:
    """The sound as failed, for its owner to decide; its job's end."""
    FilmSound.objects.filter(id=row.id).update(
        state=SoundState.FAILED,
        error_code=code,
        error_message=message[:500],
        ended_at=AppNow(),
        lost=row.lost,
    )
    _ring(row)
    return End(state=JobState.FAILED, error_code=code, changes=[_change(row, "failed", code)])


def _ring(row: FilmSound) -> None:
    """There is news for what it is made for."""
    if row.render_id is not None:
        coordination.ring([row.render_id])
    else:
        following.ring(row.whole.id)


def _change(row: FilmSound, word: str, code: str = "") -> Change:
    return Change(
        owner_id=row.whole.owner_id,
        kind=f"{'render' if row.render_id is not None else 'edit'}.sound_{word}",
        subject_id=row.whole.id,
        data={"kind": row.kind, "segment": row.segment, **({"error": {"code": code}} if code else {})},
    )


def _request(row: FilmSound) -> SpeechRequest | EffectRequest | MusicRequest:
    model = SOUND_MODELS[row.model]
    if row.kind == SoundKind.VOICE:
        voice = "" if row.voice_unknown else row.voice
        return SpeechRequest(model=model.vendor_model, text=row.text, voice=voice)
    seconds = min(model.seconds_made(row.seconds), model.max_seconds)
    # Of a long description the beginning says most.
    text = row.text[: model.max_characters]
    if row.kind == SoundKind.MUSIC:
        return MusicRequest(model=model.vendor_model, text=text, seconds=seconds)
    return EffectRequest(
        model=model.vendor_model,
        text=text,
        seconds=seconds,
        video=_video(row) if model.sees_video else None,
    )


def _video(row: FilmSound) -> InputMedia | None:
    """The clip that the effect is made for; an edit's effects are made from words."""
    if row.render_id is None:
        return None
    segment = RenderSegment.objects.get(render_id=row.render_id, name=row.segment)
    clip = Generation.objects.select_related("output").get(id=segment.generation_id)
    if clip.output is None:
        return None
    return InputMedia(
        url=assets.signed_input_url(clip.output, settings.INPUT_URL_VALID), media_type=clip.output.media_type
    )


def _made(provider: SoundProvider, work: SoundWork, target: Path) -> MadeSound:
    match work.request:
        case SpeechRequest() as speech:
            return provider.speak(speech, target)
        case MusicRequest() as music:
            return provider.make_music(music, target)
        case EffectRequest() as effect:
            return provider.make_effect(effect, target)


def _digest(made: MadeSound) -> str:
    with made.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_facts(answer: SoundAnswer) -> None:
    """What the call cost, whoever made it; several calls add up."""
    made = answer.stored.made if answer.stored is not None else None
    if made is None or made.cost is None:
        return
    FilmSound.objects.filter(id=answer.row.id).update(
        cost_amount=Coalesce(F("cost_amount"), Decimal(0)) + made.cost.amount,
        cost_currency=made.cost.currency,
        request_id=Case(When(request_id="", then=Value(made.request_id[:200])), default=F("request_id")),
    )


def _completed(row: FilmSound, lease: Lease, stored: StoredSound) -> Next:
    facts = stored.facts
    seconds = float(facts.duration_seconds or row.seconds)
    asset = Asset.objects.create(
        id=asset_id_of(lease),
        owner_id=row.whole.owner_id,
        kind=AssetKind.AUDIO,
        origin=AssetOrigin.SOUND,
        state=AssetState.READY,
        name=f"{row.kind}-{row.segment or 'film'}{stored.made.path.suffix}",
        media_type=stored.made.media_type,
        bytes=facts.bytes,
        sha256=stored.sha256,
        key=stored.key,
        duration_seconds=facts.duration_seconds,
        audio_codec=facts.audio_codec or "",
        created_at=lease.now,
        expires_at=lease.now + settings.VIDEOS_KEPT,
    )
    if row.whole.ended_at is None:
        inputs.keep(row.whole, [asset.id], lease.now)
    FilmSound.objects.filter(id=row.id).update(
        state=SoundState.COMPLETED,
        asset=asset,
        words=[
            {"text": word.text, "start_seconds": word.start_seconds, "end_seconds": word.end_seconds}
            for word in stored.made.words
        ],
        made_seconds=seconds,
        error_code="",
        error_message="",
        ended_at=lease.now,
    )
    _ring(row)
    return End(state=JobState.COMPLETED, changes=[_change(row, "completed")])


def _after_error(row: FilmSound, error: ProviderError) -> Next:
    if isinstance(error, OutcomeUnknown):
        row.lost += 1
        logger.warning("the outcome of sound %s is unknown", row.id, extra={"alarm": "sound_lost"})
        if row.lost >= MOST_LOST:
            return failed(row, code="outcome_unknown", message=str(error))
        FilmSound.objects.filter(id=row.id).update(lost=row.lost)
        return Continue(stage="sound", due_in=PATIENCE, place="line up")
    if isinstance(error, RateLimited) and row.calls < TRIES:
        return Continue(stage="sound", due_in=error.retry_after or BUSY_PAUSE, place="line up")
    if isinstance(error, NotSent) and row.calls < TRIES:
        return Continue(stage="sound", due_in=PATIENCE * row.calls, place="line up")
    if (
        isinstance(error, RequestRefused)
        and error.code == FailureCode.VOICE_UNKNOWN
        and not row.voice_unknown
    ):
        # Refused before anything was spoken. A plan's voice is words that a planner may have made up.
        FilmSound.objects.filter(id=row.id).update(voice_unknown=True)
        return Continue(stage="sound")
    code = error.code.value if isinstance(error, RequestRefused) else "provider_unavailable"
    return failed(row, code=code, message=str(error))
