from datetime import timedelta
from functools import partial
from typing import Any

from django.apps import AppConfig


class PipelineConfig(AppConfig):
    name = "pipeline"

    def ready(self) -> None:
        from generations import projects
        from pipeline import (
            analyses,
            asking,
            checks,  # noqa: F401  registers itself
            works,
        )
        from pipeline.kinds import ANALYSIS, CHAT, PLANNING
        from pipeline.stages.measure import Measure
        from pipeline.stages.plan import Plan
        from pipeline.stages.reply import Reply
        from pipeline.stages.transcribe import Transcribe
        from pipeline.stages.understand import Understand
        from workers import jobs

        kinds: dict[str, list[jobs.Stage[Any, Any]]] = {
            ANALYSIS: [Measure(), Transcribe(), Understand()],
            PLANNING: [Plan()],
            CHAT: [Reply()],
        }
        for name, stages in kinds.items():
            jobs.register(jobs.JobKind(name=name, stages=stages, cancel=partial(works.cancel, name)))
        jobs.register_sweep(jobs.Sweep(name="old_answers", every=timedelta(hours=1), run=asking.forget_old))
        projects.on_sample(analyses.begin)
