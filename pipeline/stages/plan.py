"""Planning a film: by a language model whose draft code turns into a plan, or by the rules."""

from dataclasses import asdict, dataclass
from uuid import UUID

from pipeline import analyses, plannings, versions
from pipeline.asking import Ask, Unusable, quoted, read_json
from pipeline.models import Author, Planning, Purpose
from pipeline.plans import planner
from pipeline.plans.assembly import Draft, assemble
from pipeline.plans.film import Film
from pipeline.plans.offers import Offers
from pipeline.plans.planner import Brief
from pipeline.plans.validation import Inputs, Unrenderable
from pipeline.understanding.instructions import PLANNER
from providers.language.contract import Question, Turn
from workers.jobs import Next


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    brief: Brief
    offers: Offers
    inputs: Inputs


class Plan(Ask[Planning, Material]):
    name = "plan"
    label = "planning"
    purpose = Purpose.PLAN

    def find(self, work_id: UUID) -> Planning:
        return Planning.objects.select_related("analysis", "project", "owner").get(id=work_id)

    def material(self, work: Planning) -> Material:
        return Material(
            brief=plannings.brief_of(work),
            offers=versions.offers_of(work.owner),
            inputs=plannings.inputs_of(work.project),
        )

    def question(self, work: Planning, material: Material) -> Question:
        data = {
            "brief": asdict(material.brief),
            "character_image": material.inputs.character,
            "own_audio": material.inputs.audio,
            "clip_seconds": _lengths(material),
            "sample": analyses.report_of(work.analysis).model_dump(mode="json") if work.analysis else None,
        }
        return Question(
            system=PLANNER,
            turns=[Turn(role="user", text=quoted(data))],
            schema_name="draft",
            schema=Draft.model_json_schema(),
            max_output_tokens=16_384,
        )

    def accept(self, work: Planning, material: Material, text: str, by: str) -> Next:
        draft = Draft.model_validate(read_json(text))
        try:
            film = _assembled(draft, material)
        except Unrenderable as error:
            raise Unusable(str(error)) from None
        return plannings.completed(work, film, author=Author.MODEL, by=by)

    def without(self, work: Planning, material: Material) -> Next:
        try:
            film = _assembled(by_rules(work, material), material)
        except Unrenderable as error:
            return plannings.failed(work, code="plan_invalid", message=str(error))
        except ValueError as error:
            return plannings.failed(work, code="no_model", message=str(error))
        return plannings.completed(work, film, author=Author.RULE)


def by_rules(work: Planning, material: Material) -> Draft:
    """Raises ValueError where no model can be bought for the film."""
    if work.analysis is None:
        return planner.from_words(material.brief, material.offers, material.inputs)
    return planner.from_sample(
        material.brief,
        analyses.measurement_of(work.analysis),
        analyses.report_of(work.analysis),
        material.offers,
        material.inputs,
    )


def _assembled(draft: Draft, material: Material) -> Film:
    return assemble(
        draft,
        ratio=material.brief.ratio,
        resolution=material.brief.resolution,
        preference=material.brief.preference,
        offers=material.offers,
        inputs=material.inputs,
    )


def _lengths(material: Material) -> list[int]:
    try:
        return list(planner.clip_lengths(material.offers, material.brief))
    except ValueError:
        return []
