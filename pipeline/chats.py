"""The talk about a plan: turns begun, answered, and what they did."""

from collections.abc import Sequence
from typing import Any

from accounts.models import User
from generations import guards
from generations.models import Project
from pipeline import transitions, versions, works
from pipeline.kinds import CHAT
from pipeline.models import Author, ChatTurn, PlanVersion, WorkStatus
from pipeline.plans.edits import Edit, Edits
from pipeline.plans.film import Film
from workers.jobs import End
from workers.models import JobState

EXPECTED_SECONDS = 4.0
# Earlier turns that a model is told of.
REMEMBERED = 10
RULES = "rules"


def begin(owner: User, project: Project, message: str) -> ChatTurn:
    """Say something about the project's plan, in the caller's transaction.

    Raises NoPlan, Moderated, and as `works.begin`.
    """
    base = versions.must_have(project)
    guards.moderate(message=message)
    return works.begin(
        owner,
        project,
        ChatTurn,
        kind=CHAT,
        expected_seconds=works.typical_seconds(CHAT, EXPECTED_SECONDS),
        message=message,
        base=base,
    )


def history(turn: ChatTurn) -> list[ChatTurn]:
    """The turns before this one, the oldest first, as far as a model is told of them."""
    before = ChatTurn.objects.filter(
        project_id=turn.project_id, created_at__lt=turn.created_at, status=WorkStatus.COMPLETED
    )
    return list(reversed(before.order_by("-created_at")[:REMEMBERED]))


def answered(
    turn: ChatTurn, *, reply: str, by: str, edits: Sequence[Edit] = (), film: Film | None = None
) -> End:
    """The turn with its reply, and with a new version where the plan is another now."""
    version: PlanVersion | None = None
    if film is not None:
        version = versions.save(
            Project.objects.get(id=turn.project_id),
            film,
            author=Author.RULE if by == RULES else Author.MODEL,
            by="" if by == RULES else by,
            note=turn.message,
        )
    change = transitions.complete(
        turn, reply=reply[:8000], by=by, version=version, edits=edits_json(edits) if version else []
    )
    news = versions.change_of(version) if version is not None else None
    return End(state=JobState.COMPLETED, changes=works.changes(news, change))


def edits_json(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    return [edit.model_dump(mode="json") for edit in edits]


def read_edits(data: object) -> tuple[Edit, ...]:
    """Raises pydantic.ValidationError."""
    return Edits.model_validate(data).root
