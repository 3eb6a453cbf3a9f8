"""Where a project stands, by what it has: a render under way, a film, a plan, an analysis under way, or nothing."""

from uuid import UUID

from generations.models import Project, ProjectState
from pipeline.models import Analysis, PlanVersion, Render, RenderStatus
from pipeline.models.works import OPEN_STATUSES


def settle(project_id: UUID, *, failed: bool = False) -> None:
    """Write the project's state, in the caller's transaction; `failed`: what was under way came to nothing."""
    render = Render.objects.filter(project_id=project_id).order_by("-created_at", "-id").first()
    if render is not None and render.ended_at is None:
        state = ProjectState.RENDERING
    elif render is not None and render.status == RenderStatus.COMPLETED:
        state = ProjectState.COMPLETED
    elif render is not None and render.status == RenderStatus.FAILED:
        state = ProjectState.FAILED
    elif PlanVersion.objects.filter(project_id=project_id).exists():
        state = ProjectState.PLANNED
    elif failed:
        state = ProjectState.FAILED
    elif Analysis.objects.filter(project_id=project_id, status__in=OPEN_STATUSES).exists():
        state = ProjectState.ANALYSING
    else:
        state = ProjectState.DRAFT
    Project.objects.filter(id=project_id).update(state=state)
