"""The report about a sample: statements, each with who says so and whether it was measured or judged."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from pipeline.plans.film import Part, Text
from providers.catalogue import ContentType

MOST_SCENES = 60


class Basis(StrEnum):
    MEASURED = "measured"
    JUDGED = "judged"


class Statement(Part):
    """A sentence about the sample. `by`: "measurement", "rules", or the id of the language model."""

    text: Text
    basis: Basis
    by: Annotated[str, Field(max_length=100)]


class KeyScene(Part):
    """A scene worth knowing, from and to seconds of the sample. `shot`: its number, from 1."""

    shot: Annotated[int, Field(ge=1)]
    start_seconds: Annotated[float, Field(ge=0)]
    end_seconds: Annotated[float, Field(ge=0)]
    content_type: ContentType
    description: Statement
    camera: Statement


class Phrase(Part):
    """Words that are spoken in the sample."""

    start_seconds: Annotated[float, Field(ge=0)]
    end_seconds: Annotated[float, Field(ge=0)]
    text: Text


class Transcript(Part):
    """What is said in the sample, and by which model it was heard."""

    language: Annotated[str, Field(max_length=40)] = ""
    phrases: Annotated[tuple[Phrase, ...], Field(max_length=2000)] = ()
    by: Annotated[str, Field(max_length=100)]


class Report(Part):
    """What the sample is, for people and for the planner."""

    summary: Statement
    content_type: ContentType
    content: Statement
    audience: Statement
    style: Statement
    pacing: Statement
    composition: Statement
    mood: Statement
    camera: Statement
    audio: Statement
    scenes: Annotated[tuple[KeyScene, ...], Field(min_length=1, max_length=MOST_SCENES)]
    transcript: Transcript | None = None


class JudgedScene(Part):
    """What a language model says of one shot."""

    shot: Annotated[int, Field(ge=1)]
    description: Annotated[str, Field(min_length=1, max_length=600)]
    content_type: ContentType


class Judgement(Part):
    """What a language model says of a sample: its answer's shape."""

    summary: Annotated[str, Field(min_length=1, max_length=1000)]
    content_type: ContentType
    content: Annotated[str, Field(min_length=1, max_length=600)]
    audience: Annotated[str, Field(min_length=1, max_length=600)]
    style: Annotated[str, Field(min_length=1, max_length=600)]
    composition: Annotated[str, Field(min_length=1, max_length=600)]
    mood: Annotated[str, Field(min_length=1, max_length=600)]
    camera: Annotated[str, Field(min_length=1, max_length=600)]
    scenes: Annotated[tuple[JudgedScene, ...], Field(min_length=1, max_length=MOST_SCENES)]


def judged(report: Report, judgement: Judgement, by: str) -> Report:
    """The report of the rules with a model's judgement in place of theirs; what was measured stays.

    Raises ValueError where the judgement speaks of shots that there are not.
    """

    def said(text: str) -> Statement:
        return Statement(text=text, basis=Basis.JUDGED, by=by)

    known = {scene.shot for scene in report.scenes}
    unknown = sorted({scene.shot for scene in judgement.scenes} - known)
    if unknown:
        raise ValueError(f"There are no shots {unknown}; the shots are {sorted(known)}.")
    of_shot = {scene.shot: scene for scene in judgement.scenes}
    scenes = tuple(
        scene.model_copy(
            update={
                "description": said(of_shot[scene.shot].description),
                "content_type": of_shot[scene.shot].content_type,
            }
        )
        if scene.shot in of_shot
        else scene
        for scene in report.scenes
    )
    return report.model_copy(
        update={
            "summary": said(judgement.summary),
            "content_type": judgement.content_type,
            "content": said(judgement.content),
            "audience": said(judgement.audience),
            "style": said(judgement.style),
            "composition": said(judgement.composition),
            "mood": said(judgement.mood),
            "camera": said(judgement.camera),
            "scenes": scenes,
        }
    )


def to_json(report: Report) -> dict[str, Any]:
    return report.model_dump(mode="json")


def from_json(data: Mapping[str, Any]) -> Report:
    """Raises pydantic.ValidationError."""
    return Report.model_validate(data)
