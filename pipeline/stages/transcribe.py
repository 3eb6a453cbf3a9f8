"""What is said in a sample: heard by a transcription model, where somebody speaks and there is a key."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from generations import storage
from generations.scratch import scratch_folder
from generations.storage import StorageUnavailable
from pipeline import analyses, works
from pipeline.asking import Heard, record
from pipeline.models import Analysis, CallState, LanguageCall, Purpose
from pipeline.understanding.report import Phrase, Transcript
from providers.catalogue.language import TRANSCRIPTION_MODELS, TranscriptionModel
from providers.errors import ProviderError
from providers.language import contract, registry
from providers.language.errors import LanguageError, Unavailable
from workers.clock import AppNow
from workers.jobs import Continue, Lease, Next, Outcome, Stage

logger = logging.getLogger(__name__)

MOST_SOUND_BYTES = 25_000_000
MOST_PHRASES = 2000
DONE = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribeWork:
    call_id: UUID
    model: TranscriptionModel
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribeAnswer:
    call_id: UUID
    model: TranscriptionModel
    seconds: float
    transcript: contract.Transcript | None = None
    error: LanguageError | ProviderError | None = None


class Transcribe(Stage[TranscribeWork, TranscribeAnswer]):
    name = "transcribe"
    label = "listening"
    queue = "slow"
    deadline = 150.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, TranscribeWork | Next]:
        begun: dict[UUID, TranscribeWork | Next] = {}
        for lease in leases:
            analysis = Analysis.objects.select_related("pictures").get(id=lease.subject_id)
            begun[lease.job_id] = works.stopped(lease, analysis) or self._begin(analysis)
        return begun

    def call(self, work: TranscribeWork) -> TranscribeAnswer:
        began = time.monotonic()
        transcript: contract.Transcript | None = None
        problem: LanguageError | ProviderError | None = None
        try:
            with scratch_folder("speech") as folder:
                path = folder / "speech.flac"
                if not storage.download_to(work.key, path, max_bytes=MOST_SOUND_BYTES):
                    raise Unavailable("not_there", "The sound is not in our store any more.")
                transcript = registry.language_provider(work.model.provider).transcribe(work.model, path)
        except StorageUnavailable:
            problem = Unavailable("storage_unavailable", "Our store does not answer.")
        except (LanguageError, ProviderError) as error:
            logger.warning("%s did not transcribe: %s", work.model.id, error)
            problem = error
        return TranscribeAnswer(
            call_id=work.call_id,
            model=work.model,
            seconds=time.monotonic() - began,
            transcript=transcript,
            error=problem,
        )

    def finish(self, outcomes: Sequence[Outcome[TranscribeAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in outcomes:
            heard = outcome.answer
            _record(heard)
            if not outcome.held:
                continue
            if heard.transcript is not None:
                Analysis.objects.filter(id=outcome.lease.subject_id).update(
                    transcript=_kept(heard.transcript, heard.model.id).model_dump(mode="json")
                )
            nexts[outcome.lease.job_id] = Continue(stage="understand", progress=DONE)
        return nexts

    def abandon(self, lease: Lease) -> Next:
        return Continue(stage="understand", progress=DONE)

    def _begin(self, analysis: Analysis) -> TranscribeWork | Next:
        """A call where there is something to hear, somebody to ask, and nobody was asked before."""
        name = analyses.measurement_of(analysis).speech_file
        model = TRANSCRIPTION_MODELS.get(settings.TRANSCRIPTION_MODEL)
        calls = LanguageCall.objects.filter(subject_id=analysis.id, purpose=Purpose.TRANSCRIPT)
        key = analyses.picture_keys(analysis).get(name or "")
        if key is None or model is None or not registry.configured(model.provider) or calls.exists():
            calls.filter(state=CallState.INTENDED).update(state=CallState.LOST, ended_at=AppNow())
            return Continue(stage="understand", progress=DONE)
        call = LanguageCall.objects.create(
            owner_id=analysis.owner_id,
            purpose=Purpose.TRANSCRIPT,
            subject_id=analysis.id,
            provider=model.provider,
            model=model.id,
        )
        return TranscribeWork(call_id=call.id, model=model, key=key)


def _record(heard: TranscribeAnswer) -> None:
    answer = None
    if heard.transcript is not None:
        answer = contract.Answer(
            text=heard.transcript.text,
            model=heard.model.vendor_model,
            usage=contract.NO_USAGE,
            cost=heard.transcript.cost,
            request_id=heard.transcript.request_id,
        )
    record(Heard(call_id=heard.call_id, seconds=heard.seconds, answer=answer, error=heard.error))


def _kept(transcript: contract.Transcript, by: str) -> Transcript:
    return Transcript(
        language=transcript.language[:40],
        phrases=tuple(
            Phrase(
                start_seconds=max(0.0, one.start_seconds),
                end_seconds=max(0.0, one.end_seconds),
                text=one.text.replace("\x00", "")[:2000],
            )
            for one in transcript.phrases[:MOST_PHRASES]
        ),
        by=by,
    )
