"""The quality gate of segments: what a provider delivered, judged before it counts. Handed up to the delivery."""

from pathlib import Path

from generations.delivery import Expected, Verdict
from pipeline.media import quality


def examine(video: Path, expected: Expected, folder: Path) -> Verdict:
    """Whether the clip can be shown in a film. Raises what `quality.examine` does."""
    found = quality.examine(
        video,
        quality.Expected(
            kind="clip",
            seconds=expected.duration_seconds,
            ratio=expected.ratio,
            audio="required" if expected.audio else "none",
        ),
        folder,
    )
    return Verdict(
        ok=found.ok,
        code=found.problems[0].code if found.problems else "",
        reason=" ".join(problem.reason for problem in found.problems),
        figures=quality.to_json(found.figures) if found.figures is not None else {},
        picture=found.picture,
    )
