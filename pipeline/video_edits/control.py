"""What an owner does with an edit that runs: look at it, stop it."""

from uuid import UUID

from generations.errors import AlreadyEnded, NotFound
from pipeline.kinds import VIDEO_EDIT
from pipeline.models import VideoEdit, WorkStatus
from pipeline.video_edits import transitions
from workers import jobs
from workers.jobs import announce


def find(owner_id: UUID, edit_id: UUID) -> VideoEdit:
    """The owner's edit. Raises NotFound."""
    edit = VideoEdit.objects.filter(id=edit_id, owner_id=owner_id).select_related("output", "hold").first()
    if edit is None:
        raise NotFound(what="edit")
    return edit


def cancel(owner_id: UUID, edit_id: UUID) -> None:
    """Stop it, in the caller's transaction: nothing more begins, what runs is asked to stop. Again is no error.

    Raises NotFound, AlreadyEnded.
    """
    if find(owner_id, edit_id).status == WorkStatus.CANCELLED:
        return
    standing = jobs.lock(kind=VIDEO_EDIT, subject_id=edit_id)
    edit = find(owner_id, edit_id)
    if standing is None or edit.ended_at is not None:
        raise AlreadyEnded(status=edit.status)
    jobs.request_cancel(standing)
    announce([transitions.change_of(edit, "cancel_requested")])
