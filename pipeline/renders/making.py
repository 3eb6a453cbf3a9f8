"""The jobs of a segment: its clip, and its preparation for the film."""

from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from generations import creation, guards
from generations.quotes import Priced
from generations.requests import GenerationRequest, find_model
from pipeline.kinds import SEGMENT
from pipeline.models import Render, RenderSegment
from pipeline.plans.film import Film, Segment
from pipeline.plans.offers import mode_of
from pipeline.prices import Part
from providers.catalogue import MODELS, VideoModel
from workers import jobs
from workers.jobs import Change


def request_for(one: Segment, film: Film, start_image: UUID | None) -> GenerationRequest:
    """What the segment's model is asked for."""
    model = MODELS[one.model]
    return GenerationRequest(
        model=model.id,
        mode=mode_of(one),
        prompt=_prompt(one, model),
        negative_prompt=one.negative_prompt if model.negative_prompt else "",
        resolution=film.resolution,
        ratio=film.ratio,
        duration_seconds=one.clip_seconds,
        start_image=start_image,
    )


def _prompt(one: Segment, model: VideoModel) -> str:
    """With the camera's movement, where the model reads that much."""
    if not one.camera or one.camera.casefold() in one.prompt.casefold():
        return one.prompt
    prompt = f"{one.prompt} Camera: {one.camera.replace('_', ' ')}."
    return prompt if len(prompt) <= model.max_prompt_length else one.prompt


def make_clip(owner: User, render: Render, row: RenderSegment, request: GenerationRequest) -> Change:
    """Write the segment's clip under the hold that it has, in the caller's transaction; what is to be announced.

    Raises TooManyJobs or QueueFull where there is no room at the moment, ModelRetired or ModelUnavailable where its
    model went away since the film was accepted; then nothing was written.
    """
    assert row.hold_id is not None, "a clip that is made has a hold"
    part = Part.from_json(row.part)
    now = guards.standing(owner.id, request.model)
    guards.check_offered(now, find_model(request.model, at=now.now, retires_at=now.retires_at))
    return creation.create_held(
        owner,
        request,
        now,
        generation_id=row.generation_id,
        hold_id=row.hold_id,
        priced=Priced(
            request=request,
            credits=part.credits,
            breakdown=[dict(line) for line in part.breakdown],
            rate_card_ids=list(part.rate_card_ids),
        ),
        project_id=render.project_id,
        alternatives=[{"model": one.model, "credits": one.credits} for one in part.alternatives],
        examined=True,
    )


def prepare(render: Render, row: RenderSegment) -> None:
    """Have a worker make the segment's parts of the film, in the caller's transaction; one at a time.

    One that is at it already looks at the row again when it is done; where that was its last look, the render's next
    one begins another.
    """
    try:
        with transaction.atomic():
            jobs.enqueue(
                kind=SEGMENT, subject_id=row.id, owner_id=render.owner_id, project_id=render.project_id
            )
    except IntegrityError:
        jobs.hint(kind=SEGMENT, subject_id=row.id)
