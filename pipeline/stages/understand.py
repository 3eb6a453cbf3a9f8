"""Saying in words what a sample is: by a language model that sees its scenes, or by the rules."""

from dataclasses import dataclass
from uuid import UUID

from generations.models import AssetState
from pipeline import analyses
from pipeline.asking import Ask, StoredVideo, Unusable, quoted, read_json
from pipeline.media.measurement import Measurement
from pipeline.models import Analysis, Purpose
from pipeline.understanding import report as reports
from pipeline.understanding import rules
from pipeline.understanding.instructions import ANALYST
from pipeline.understanding.report import Judgement, Report
from providers.language.contract import Question, Turn
from workers.jobs import Next

# What vendors take with one question.
MOST_PICTURES = 5
LONGEST_TRANSCRIPT = 6_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    measurement: Measurement
    by_rules: Report
    # The shots whose pictures are shown, by number, and the pictures' keys.
    shown: dict[int, str]


class Understand(Ask[Analysis, Material]):
    name = "understand"
    label = "understanding"
    purpose = Purpose.ANALYSIS
    vision = True
    # A video is brought to the vendor, prepared there and watched.
    deadline = 400.0

    def find(self, work_id: UUID) -> Analysis:
        return Analysis.objects.select_related("pictures", "sample").get(id=work_id)

    def material(self, work: Analysis) -> Material:
        measurement = analyses.measurement_of(work)
        by_rules = rules.report(measurement).model_copy(update={"transcript": analyses.transcript_of(work)})
        keys = analyses.picture_keys(work)
        numbers = [scene.shot for scene in by_rules.scenes]
        step = max(1, -(-len(numbers) // MOST_PICTURES))
        shown = {
            number: keys[name]
            for number in numbers[::step]
            if (name := measurement.shots[number - 1].key_frame) in keys
        }
        return Material(measurement=measurement, by_rules=by_rules, shown=shown)

    def question(self, work: Analysis, material: Material) -> Question:
        transcript = material.by_rules.transcript
        spoken = " ".join(one.text for one in transcript.phrases) if transcript is not None else ""
        data = {
            "seconds": material.measurement.duration_seconds,
            "cuts_per_minute": material.measurement.pacing.cuts_per_minute,
            "sound": material.by_rules.audio.text,
            "transcript": spoken[:LONGEST_TRANSCRIPT],
            "shots": [
                {
                    "shot": scene.shot,
                    "start_seconds": scene.start_seconds,
                    "end_seconds": scene.end_seconds,
                    "looks": scene.description.text,
                    "camera": scene.camera.text,
                }
                for scene in material.by_rules.scenes
            ],
            "pictures_show_shots": list(material.shown),
        }
        return Question(
            system=ANALYST,
            turns=[Turn(role="user", text=quoted(data))],
            schema_name="judgement",
            schema=Judgement.model_json_schema(),
        )

    def picture_keys(self, work: Analysis, material: Material) -> tuple[str, ...]:
        return tuple(material.shown.values())

    def video(self, work: Analysis, material: Material) -> StoredVideo | None:
        sample = work.sample
        if sample.state != AssetState.READY or not sample.key:
            return None
        return StoredVideo(
            key=sample.key,
            media_type=sample.media_type,
            seconds=material.measurement.duration_seconds,
        )

    def accept(self, work: Analysis, material: Material, text: str, by: str) -> Next:
        judgement = Judgement.model_validate(read_json(text))
        try:
            report = reports.judged(material.by_rules, judgement, by)
        except ValueError as error:
            raise Unusable(str(error)) from None
        return analyses.completed(work, report)

    def without(self, work: Analysis, material: Material) -> Next:
        return analyses.completed(work, material.by_rules)
