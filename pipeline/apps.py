from datetime import timedelta
from functools import partial
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PipelineConfig(AppConfig):
    name = "pipeline"

    def ready(self) -> None:
        from generations import assets, delivery, projects, quotes
        from pipeline import (
            analyses,
            asking,
            checks,  # noqa: F401  registers itself
            works,
        )
        from pipeline.kinds import ANALYSIS, CHAT, PLANNING, RENDER, SEGMENT, SOUND, VIDEO_EDIT
        from pipeline.models import EditQuote, RenderQuote
        from pipeline.renders import control, coordination, examination, inputs
        from pipeline.stages.compose import Compose
        from pipeline.stages.measure import Measure
        from pipeline.stages.plan import Plan
        from pipeline.stages.produce import Attend, Paused, Produce
        from pipeline.stages.reply import Reply
        from pipeline.stages.segment import Conform, Frame
        from pipeline.stages.sound import MakeSound
        from pipeline.stages.transcribe import Transcribe
        from pipeline.stages.understand import Understand
        from pipeline.stages.video_edit import ComposeEdit, FollowEdit
        from pipeline.video_edits import control as edit_control
        from workers import jobs

        kinds: dict[str, list[jobs.Stage[Any, Any]]] = {
            ANALYSIS: [Measure(), Transcribe(), Understand()],
            PLANNING: [Plan()],
            CHAT: [Reply()],
        }
        for name, stages in kinds.items():
            jobs.register(jobs.JobKind(name=name, stages=stages, cancel=partial(works.cancel, name)))
        jobs.register(
            jobs.JobKind(
                name=RENDER, stages=[Produce(), Paused(), Attend(), Compose()], cancel=control.cancel
            )
        )
        jobs.register(
            jobs.JobKind(name=VIDEO_EDIT, stages=[FollowEdit(), ComposeEdit()], cancel=edit_control.cancel)
        )
        # They end with their render, or their edit.
        jobs.register(jobs.JobKind(name=SEGMENT, stages=[Frame(), Conform()]))
        jobs.register(jobs.JobKind(name=SOUND, stages=[MakeSound()]))
        jobs.listen(coordination.hear)
        post_migrate.connect(ensure_gates, sender=self)
        assets.register_keeper(inputs.needed)
        delivery.register_examiner(examination.examine)
        for name, kind in (("old_render_quotes", RenderQuote), ("old_edit_quotes", EditQuote)):
            jobs.register_sweep(
                jobs.Sweep(name=name, every=timedelta(hours=1), run=partial(quotes.forget_old, kind))
            )
        jobs.register_sweep(jobs.Sweep(name="old_answers", every=timedelta(hours=1), run=asking.forget_old))
        projects.on_sample(analyses.begin)


def ensure_gates(**_: object) -> None:
    """Every vendor of sounds has its gate; limits that an operator changed stay."""
    from pipeline import sounds
    from workers import gates

    gates.ensure(sounds.gates())
