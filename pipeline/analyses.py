"""Analyses: begun for a project's sample, read, ended."""

from datetime import timedelta

from accounts.models import User
from generations import assets
from generations.models import AssetKind, AssetState, Project, ProjectState
from pipeline import plannings, states, transitions, works
from pipeline.errors import NoSample
from pipeline.kinds import ANALYSIS
from pipeline.media.measurement import Measurement
from pipeline.media.measurement import from_json as measurement_from_json
from pipeline.models import Analysis, WorkStatus
from pipeline.understanding.report import Report, Transcript
from pipeline.understanding.report import from_json as report_from_json
from pipeline.understanding.report import to_json as report_to_json
from workers import clock
from workers.jobs import End
from workers.models import JobState

# Longer than any analysis waits and runs; lifted when it ends.
PINNED_FOR = timedelta(hours=12)
# How soon it is tried again while the store is away.
PATIENCE = timedelta(seconds=10)
# Of the sample's length, until there is a history, and what the language models take.
PACE = 0.3
JUDGING_SECONDS = 10.0


def begin(owner: User, project: Project) -> Analysis:
    """Analyse the project's sample, in the caller's transaction.

    Raises NoSample, what `generations.assets` does about the file, and as `works.begin`.
    """
    if project.sample_id is None:
        raise NoSample(field="sample")
    now = clock.now()
    sample = assets.find_ready(owner.pk, project.sample_id, [AssetKind.VIDEO], field="sample", now=now)
    assets.touch([sample.id])
    assets.pin([sample.id], now + PINNED_FOR)
    analysis = works.begin(
        owner,
        project,
        Analysis,
        kind=ANALYSIS,
        expected_seconds=_expected_seconds(float(sample.duration_seconds or 0)),
        sample=sample,
    )
    Project.objects.filter(id=project.id).update(state=ProjectState.ANALYSING)
    return analysis


def _expected_seconds(length: float) -> float:
    """How long a sample of that length takes: by the pace of the last ones, if there are a few. One statement."""
    ended = Analysis.objects.filter(status=WorkStatus.COMPLETED).order_by("-ended_at")[: works.RECENT]
    paces = sorted(
        (ended_at - created_at).total_seconds() / float(seconds)
        for created_at, ended_at, seconds in ended.values_list(
            "created_at", "ended_at", "sample__duration_seconds"
        )
        if seconds and ended_at is not None
    )
    if len(paces) < works.FEWEST:
        return length * PACE + JUDGING_SECONDS
    return length * paces[len(paces) // 2]


def latest(project: Project) -> Analysis | None:
    """The newest one, whatever became of it."""
    return Analysis.objects.filter(project=project).select_related("pictures").order_by("-created_at").first()


def measurement_of(analysis: Analysis) -> Measurement:
    assert analysis.measurement is not None, "it was measured"
    return measurement_from_json(analysis.measurement)


def report_of(analysis: Analysis) -> Report:
    assert analysis.report is not None, "it has a report"
    return report_from_json(analysis.report)


def transcript_of(analysis: Analysis) -> Transcript | None:
    """What was heard in it; None where nobody speaks or nobody listened."""
    return None if analysis.transcript is None else Transcript.model_validate(analysis.transcript)


def picture_keys(analysis: Analysis) -> dict[str, str]:
    """The keys of its stored objects by the names that its measurement has for them; empty once they expired."""
    pictures = analysis.pictures
    if pictures is None or pictures.state != AssetState.READY:
        return {}
    return {key.rsplit("/", 1)[-1]: key for key in (pictures.key, *pictures.further_keys)}


def completed(analysis: Analysis, report: Report) -> End:
    """The analysis with its report; where the project has no plan yet, one is begun from it."""
    change = transitions.complete(analysis, report=report_to_json(report))
    assets.unpin([analysis.sample_id])
    if change is not None:
        plannings.begin_first(analysis)
    return End(state=JobState.COMPLETED, changes=works.changes(change))


def failed(analysis: Analysis, *, code: str, message: str) -> End:
    """The analysis as failed, and its project where it has no plan."""
    assets.unpin([analysis.sample_id])
    states.settle(analysis.project_id, failed=True)
    return works.failed(analysis, code=code, message=message)
