"""Projects: made, changed and deleted, with the files that they are made from."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from accounts.events.log import EventEntry, append
from accounts.models import User
from generations import assets
from generations.asset_errors import AssetInUse, AssetNotFound
from generations.errors import NotFound, StillRunning
from generations.models import AssetKind, Project
from workers import clock
from workers.clock import AppNow
from workers.models import open_jobs

# The files that a project may have, and what each is.
INPUTS = {"sample": AssetKind.VIDEO, "character": AssetKind.IMAGE, "audio": AssetKind.AUDIO}

SampleListener = Callable[[User, Project], object]
_sample_listeners: list[SampleListener] = []


def on_sample(listener: SampleListener) -> None:
    """Have `listener` told, in the same transaction, of each project that gets a sample. From `AppConfig.ready`."""
    _sample_listeners.append(listener)


def find(owner: User, project_id: UUID) -> Project:
    """The owner's project, deleted ones not. Raises NotFound."""
    project = Project.objects.filter(id=project_id, owner_id=owner.pk, deleted_at__isnull=True).first()
    if project is None:
        raise NotFound(what="project")
    return project


def create(owner: User, data: dict[str, Any]) -> Project:
    """A new project, in the caller's transaction. Raises what `generations.assets` does about a file."""
    project = Project.objects.create(owner=owner, **_fields(owner, data))
    if project.sample_id is not None:
        _tell(owner, project)
    append([EventEntry(owner_id=owner.pk, kind="project.created", subject_id=project.id, data={})])
    project.refresh_from_db()
    return project


def update(owner: User, project_id: UUID, data: dict[str, Any]) -> Project:
    """The project with these fields changed, in the caller's transaction. Raises as `create`, and NotFound."""
    before = find(owner, project_id)
    Project.objects.filter(id=project_id).update(**_fields(owner, data), updated_at=AppNow())
    project = Project.objects.get(id=project_id)
    if project.sample_id is not None and project.sample_id != before.sample_id:
        _tell(owner, project)
        project.refresh_from_db()
    return project


def delete(owner: User, project_id: UUID) -> None:
    """Mark it deleted, with the files that only it was made from, in the caller's transaction.

    Raises NotFound, or StillRunning while work on it runs.
    """
    project = find(owner, project_id)
    if open_jobs(owner_id=owner.pk, project_id=project.id).exists():
        raise StillRunning()
    Project.objects.filter(id=project.id).update(deleted_at=AppNow())
    for asset_id in _inputs_of_none(owner, project):
        with suppress(AssetInUse, AssetNotFound):
            assets.delete(owner.pk, asset_id)


def _tell(owner: User, project: Project) -> None:
    for listener in _sample_listeners:
        listener(owner, project)


def _fields(owner: User, data: dict[str, Any]) -> dict[str, Any]:
    """The columns to write; every file is the owner's own and of the right kind."""
    fields: dict[str, Any] = {
        name: data[name] for name in ("title", "description", "favourite") if name in data
    }
    for name, kind in INPUTS.items():
        if name in data:
            if data[name] is not None:
                assets.find_ready(owner.pk, data[name], [kind], field=name, now=clock.now())
                assets.touch([data[name]])
            fields[f"{name}_id"] = data[name]
    return fields


def _inputs_of_none(owner: User, project: Project) -> list[UUID]:
    """The deleted project's files that no other project of the owner names, in the order of their ids."""
    named = {one for name in INPUTS if (one := getattr(project, f"{name}_id")) is not None}
    others = Project.objects.filter(owner_id=owner.pk, deleted_at__isnull=True)
    for name in INPUTS:
        named -= set(others.filter(**{f"{name}_id__in": named}).values_list(f"{name}_id", flat=True))
    return sorted(named)
