"""Answering what an owner says of a plan: typed edits by a language model or by rules, applied by code."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from pipeline import chats, plannings, versions
from pipeline.asking import Ask, Unusable, quoted, read_json
from pipeline.models import ChatTurn, PlanVersion, Purpose
from pipeline.plans import edits, phrases
from pipeline.plans.differences import differences
from pipeline.plans.edits import EditRefused
from pipeline.plans.film import Film, to_json
from pipeline.plans.offers import Offers
from pipeline.plans.validation import Inputs, Unrenderable
from pipeline.renders import findings
from pipeline.streaming import Writer
from pipeline.understanding.instructions import EDITOR, ChatAnswer
from providers.language.contract import Question, Turn
from workers.jobs import Next


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    # The newest version, whichever was newest when the owner spoke: edits name segments by their ids.
    version: PlanVersion
    film: Film
    offers: Offers
    inputs: Inputs


class Reply(Ask[ChatTurn, Material]):
    name = "reply"
    label = "answering"
    purpose = Purpose.CHAT

    def find(self, work_id: UUID) -> ChatTurn:
        return ChatTurn.objects.select_related("project", "owner").get(id=work_id)

    def material(self, work: ChatTurn) -> Material:
        version = versions.locked(work.project)
        assert version is not None, "it is talked about"
        return Material(
            version=version,
            film=versions.film_of(version),
            offers=versions.offers_of(work.owner),
            inputs=plannings.inputs_of(work.project),
        )

    def question(self, work: ChatTurn, material: Material) -> Question:
        turns: list[Turn] = []
        for one in chats.history(work):
            turns.append(Turn(role="user", text=quoted({"owner_says": one.message})))
            turns.append(Turn(role="assistant", text=one.reply or "…"))
        data = {
            "plan": to_json(material.film),
            "models": {
                name: sorted(offer.model.strengths)
                for name, offer in material.offers.items()
                if offer.healthy
            },
            "character_image": material.inputs.character,
            "own_audio": material.inputs.audio,
            "findings": [one.reason for one in findings.of_plan(work.project_id, material.film)],
            "owner_says": work.message,
        }
        turns.append(Turn(role="user", text=quoted(data)))
        return Question(
            system=EDITOR,
            turns=turns,
            schema_name="chat_answer",
            schema=ChatAnswer.model_json_schema(),
        )

    def listener(self, work: ChatTurn, call_id: UUID) -> Callable[[str], None] | None:
        return Writer(work.id, call_id)

    def accept(self, work: ChatTurn, material: Material, text: str, by: str) -> Next:
        answer = ChatAnswer.model_validate(read_json(text))
        if not answer.edits:
            return chats.answered(work, reply=answer.reply, by=by)
        try:
            film = edits.apply(material.film, answer.edits, material.offers, material.inputs)
        except (EditRefused, Unrenderable) as error:
            raise Unusable(str(error)) from None
        if not differences(material.film, film):
            return chats.answered(work, reply=answer.reply, by=by)
        return chats.answered(work, reply=answer.reply, by=by, edits=answer.edits, film=film)

    def without(self, work: ChatTurn, material: Material) -> Next:
        understood = phrases.understand(work.message, material.film)
        if not understood.edits:
            return chats.answered(work, reply=understood.reply, by=chats.RULES)
        try:
            film = edits.apply(material.film, understood.edits, material.offers, material.inputs)
        except EditRefused as error:
            return chats.answered(work, reply=f"That can't be done: {error.reason}", by=chats.RULES)
        except Unrenderable as error:
            reasons = " ".join(problem.reason for problem in error.problems[:3])
            return chats.answered(work, reply=f"That can't be done: {reasons}", by=chats.RULES)
        if not differences(material.film, film):
            return chats.answered(work, reply="The plan is like that already.", by=chats.RULES)
        return chats.answered(work, reply=understood.reply, by=chats.RULES, edits=understood.edits, film=film)
