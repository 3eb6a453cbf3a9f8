"""Measuring a sample: fetched, measured in confined children, its scenes' pictures stored."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings

from generations import storage
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import AssetOrigin
from generations.scratch import scratch_folder
from generations.storage import StorageUnavailable
from generations.uploads import LIMITS
from pipeline import analyses, works
from pipeline.media import measurement
from pipeline.media.measurement import Cancelled, Measurement, Unmeasurable
from pipeline.models import Analysis
from pipeline.transitions import start
from workers import crash, progress
from workers.jobs import Continue, Lease, Next, Outcome, Stage

logger = logging.getLogger(__name__)

# What of the whole analysis measuring is.
SHARE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureWork:
    analysis_id: UUID
    owner_id: UUID
    sample_key: str
    pictures_id: UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures, and the stored objects by the names that the figures have for them."""

    measurement: Measurement
    keys: Mapping[str, str]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureAnswer:
    measured: Measured | None = None
    error: Unmeasurable | None = None
    cancelled: bool = False
    # The store was away: nothing is known of the sample.
    away: bool = False


def pictures_id_of(analysis_id: UUID) -> UUID:
    """An analysis has one set of pictures, whoever makes it."""
    return uuid5(analysis_id, "pictures")


class Measure(Stage[MeasureWork, MeasureAnswer]):
    name = "measure"
    label = "measuring"
    queue = "media"
    deadline = 1800.0
    reports = True

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, MeasureWork | Next]:
        begun: dict[UUID, MeasureWork | Next] = {}
        for lease in leases:
            analysis = Analysis.objects.select_related("sample").get(id=lease.subject_id)
            end = works.stopped(lease, analysis)
            if end is not None:
                begun[lease.job_id] = end
                continue
            start(analysis)
            begun[lease.job_id] = MeasureWork(
                analysis_id=analysis.id,
                owner_id=analysis.owner_id,
                sample_key=analysis.sample.key,
                pictures_id=pictures_id_of(analysis.id),
                fence=lease.fence,
            )
        return begun

    def call(self, work: MeasureWork) -> MeasureAnswer:
        try:
            return MeasureAnswer(measured=_measured(work))
        except Unmeasurable as error:
            return MeasureAnswer(error=error)
        except Cancelled:
            return MeasureAnswer(cancelled=True)
        except StorageUnavailable as error:
            logger.warning("analysis %s waits for the store: %s", work.analysis_id, error)
            return MeasureAnswer(away=True)

    def finish(self, outcomes: Sequence[Outcome[MeasureAnswer]]) -> Mapping[UUID, Next]:
        return {
            outcome.lease.job_id: self._decide(outcome.lease, outcome.answer)
            for outcome in outcomes
            if outcome.held
        }

    def abandon(self, lease: Lease) -> Next:
        analysis = Analysis.objects.get(id=lease.subject_id)
        return works.stopped(lease, analysis) or analyses.failed(
            analysis, code="unmeasurable", message="The sample could not be measured: our fault."
        )

    def _decide(self, lease: Lease, answer: MeasureAnswer) -> Next:
        analysis = Analysis.objects.select_related("sample").get(id=lease.subject_id)
        if answer.cancelled:
            return works.cancelled(analysis)
        if answer.away:
            return Continue(stage=self.name, due_in=analyses.PATIENCE)
        if answer.error is not None:
            return analyses.failed(analysis, code=answer.error.code, message=str(answer.error))
        assert answer.measured is not None
        pictures = _save_pictures(analysis, lease, answer.measured)
        Analysis.objects.filter(id=analysis.id).update(
            measurement=measurement.to_json(answer.measured.measurement), pictures=pictures
        )
        return Continue(stage="transcribe", progress=SHARE)


def _measured(work: MeasureWork) -> Measured:
    with scratch_folder("analysis") as folder:
        sample = folder / "sample"
        if not storage.download_to(work.sample_key, sample, max_bytes=LIMITS[AssetKind.VIDEO]):
            raise Unmeasurable("not_there", "The sample's file is not there any more. Upload it again.")
        progress.report(2)
        crash.point("measure.downloaded")
        pictures = folder / "pictures"
        pictures.mkdir()
        measured = measurement.measure(
            sample,
            pictures,
            progress=lambda share: progress.report(2 + share * (SHARE - 8)),
            cancelled=progress.cancelled,
        )
        crash.point("measure.measured")
        names = [shot.key_frame for shot in measured.shots]
        if measured.speech_file is not None:
            names.append(measured.speech_file)
        keys, size = {}, 0
        for name in dict.fromkeys(names):
            path = pictures / name
            key = storage.key(work.owner_id, work.pictures_id, str(work.fence), name)
            storage.put(key, path, media_type=_media_type(name))
            keys[name] = key
            size += path.stat().st_size
        crash.point("measure.stored")
        return Measured(measurement=measured, keys=keys, bytes=size)


def _media_type(name: str) -> str:
    return "audio/flac" if name.endswith(".flac") else "image/jpeg"


def _save_pictures(analysis: Analysis, lease: Lease, measured: Measured) -> Asset:
    """The pictures as one asset that is ready and expires as videos do; the first scene's is its face."""
    first = measured.keys[measured.measurement.shots[0].key_frame]
    values: dict[str, Any] = {
        "owner_id": analysis.owner_id,
        "kind": AssetKind.IMAGE,
        "origin": AssetOrigin.ANALYSIS,
        "state": AssetState.READY,
        "name": f"scenes-{str(analysis.id)[:8]}.jpg",
        "media_type": "image/jpeg",
        "bytes": measured.bytes,
        "key": first,
        "thumbnail_key": "",
        "further_keys": [key for key in measured.keys.values() if key != first],
        "created_at": lease.now,
        "expires_at": lease.now + settings.VIDEOS_KEPT,
    }
    asset, _ = Asset.objects.update_or_create(id=pictures_id_of(analysis.id), defaults=values)
    return asset
