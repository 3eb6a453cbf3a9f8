"""Plannings: begun for a project, ended with a version of its plan."""

from contextlib import suppress
from dataclasses import asdict
from typing import Any

from accounts.models import Preferences, User
from accounts.tiers import tier_of
from generations import guards
from generations.models import Project
from generations.requests import DEFAULT_RESOLUTION, check_resolution_of_tier
from pipeline import states, transitions, versions, works
from pipeline.kinds import PLANNING
from pipeline.models import Analysis, Author, Planning, WorkStatus
from pipeline.plans.film import Film, Preference
from pipeline.plans.planner import Brief
from pipeline.plans.validation import Inputs
from workers.errors import DomainError
from workers.jobs import End
from workers.models import JobState

DEFAULT_RATIO = "9:16"
# Until there is a history.
EXPECTED_SECONDS = 6.0


def begin(owner: User, project: Project, wish: dict[str, Any]) -> Planning:
    """Plan the project's film, in the caller's transaction; from its sample if that was analysed, else from words.

    `wish`: fields of `Brief`, those that are missing from the project and the owner's preferences. Raises
    Moderated, TierRequired, and as `works.begin`.
    """
    brief = _brief(owner, project, wish)
    guards.moderate(text=f"{brief.title}\n{brief.text}\n{brief.style}")
    check_resolution_of_tier(brief.resolution, tier_of(owner))
    analysis = (
        Analysis.objects.filter(project=project, status=WorkStatus.COMPLETED, sample_id=project.sample_id)
        .order_by("-created_at")
        .first()
        if project.sample_id is not None
        else None
    )
    return works.begin(
        owner,
        project,
        Planning,
        kind=PLANNING,
        expected_seconds=works.typical_seconds(PLANNING, EXPECTED_SECONDS),
        analysis=analysis,
        brief=asdict(brief),
    )


def begin_first(analysis: Analysis) -> None:
    """Plan from a fresh analysis, where the project has no plan yet.

    What stands in the way shows when its owner asks for the plan.
    """
    project = Project.objects.get(id=analysis.project_id)
    if versions.current(project) is None and project.deleted_at is None:
        with suppress(DomainError):
            begin(User.objects.get(id=analysis.owner_id), project, {})
    states.settle(project.id)


def latest(project: Project) -> Planning | None:
    """The newest one, whatever became of it."""
    return Planning.objects.filter(project=project).select_related("version").order_by("-created_at").first()


def brief_of(planning: Planning) -> Brief:
    fields = dict(planning.brief)
    return Brief(**{**fields, "preference": Preference(fields["preference"])})


def inputs_of(project: Project) -> Inputs:
    return Inputs(character=project.character_id is not None, audio=project.audio_id is not None)


def completed(planning: Planning, film: Film, *, author: Author, by: str = "") -> End:
    """The planning with its version."""
    note = "From the sample" if planning.analysis_id else "From words"
    project = Project.objects.get(id=planning.project_id)
    version = versions.save(project, film, author=author, by=by, note=note)
    change = transitions.complete(planning, version=version)
    states.settle(planning.project_id)
    return End(state=JobState.COMPLETED, changes=works.changes(versions.change_of(version), change))


def failed(planning: Planning, *, code: str, message: str) -> End:
    """The planning as failed, and its project where it has no plan."""
    states.settle(planning.project_id, failed=True)
    return works.failed(planning, code=code, message=message)


def _brief(owner: User, project: Project, wish: dict[str, Any]) -> Brief:
    preferences = Preferences.objects.filter(owner=owner).first()
    return Brief(
        title=project.title,
        text=wish.get("text") or project.description,
        style=wish.get("style") or "",
        seconds=wish.get("seconds"),
        ratio=wish.get("ratio") or (preferences and preferences.ratio) or DEFAULT_RATIO,
        resolution=wish.get("resolution") or (preferences and preferences.resolution) or DEFAULT_RESOLUTION,
        preference=Preference(wish.get("preference") or Preference.BALANCED),
    )
