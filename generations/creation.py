"""Accepting a clip: everything that must be true, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from accounts.models import User
from accounts.tiers import Tier, tier_of
from credits import ledger, rate_cards
from credits.models import Hold
from generations import assets, guards, history, quotes
from generations.errors import InvalidRequest, NotFound
from generations.fallback import Alternative
from generations.fallback import alternatives as alternatives_of
from generations.kinds import GENERATION, gate_of
from generations.models import AssetKind, Generation, GenerationStatus, Project
from generations.quotes import Priced
from generations.requests import (
    DEFAULT_RESOLUTION,
    Draft,
    GenerationRequest,
    check_source,
    complete,
    find_model,
)
from providers.catalogue import MODELS
from workers import jobs
from workers.jobs import Change, announce


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What goes with a request for a clip besides the clip."""

    project_id: UUID | None = None
    quote_id: UUID | None = None
    max_credits: int | None = None
    start_after: datetime | None = None
    start_by: datetime | None = None
    finish_by: datetime | None = None
    retry_of: Generation | None = None
    # Whether another model may make it where this one proves that it won't.
    fallback: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A clip that was accepted: its hold is taken and its job is on disk."""

    generation: Generation
    balance: int
    held: int


def prepare(owner: User, draft: Draft) -> tuple[GenerationRequest, guards.Standing]:
    """The draft as a complete request that the owner's tier and the model allow. One statement, plus one per asset."""
    now = guards.standing(owner.id, draft.model)
    model = find_model(draft.model, at=now.now, retires_at=now.retires_at)
    guards.check_offered(now, model)
    request = complete(
        draft,
        model,
        tier_of(owner),
        resolution=now.resolution or DEFAULT_RESOLUTION,
        ratio=now.ratio or model.default_ratio,
    )
    guards.moderate(prompt=request.prompt, negative_prompt=request.negative_prompt)
    for name, kind in (
        ("start_image", AssetKind.IMAGE),
        ("end_image", AssetKind.IMAGE),
        ("source_video", AssetKind.VIDEO),
    ):
        asset_id = getattr(request, name)
        if asset_id is not None:
            asset = assets.find_ready(owner.id, asset_id, [kind], field=name, now=now.now)
            if name == "source_video":
                check_source(model, request, asset.duration_seconds)
    return request, now


def create(owner: User, request: GenerationRequest, now: guards.Standing, wish: Wish) -> Created:
    """Take the price, write the clip, its job and its event. In the caller's transaction.

    Raises what the guards, quotes and ledger raise; then nothing was written.
    """
    tier = tier_of(owner)
    guards.check_room(now, tier)
    _check_times(wish, now.now)
    if (
        wish.project_id is not None
        and not Project.objects.filter(
            id=wish.project_id, owner_id=owner.id, deleted_at__isnull=True
        ).exists()
    ):
        raise NotFound(what="project", field="project")
    if wish.quote_id is not None:
        priced = quotes.redeem(owner.id, wish.quote_id, request, now.now)
    else:
        priced = quotes.price(request, rate_cards.current([request.model]))
        quotes.check_limit(priced.credits, wish.max_credits)
    generation_id = uuid4()
    held = ledger.hold(
        owner_id=owner.id,
        amount=priced.credits,
        key=f"generation:{generation_id}",
        subject_id=generation_id,
        rate_card_ids=priced.rate_card_ids,
        breakdown=priced.breakdown,
        daily_limit=tier.credits_per_day,
    )
    generation = _write(
        owner,
        tier,
        request,
        priced,
        wish,
        now.now,
        generation_id=generation_id,
        hold_id=held.hold_id,
        held=priced.credits,
        alternatives=alternatives_of(request, priced.credits, tier, now.now) if wish.fallback else (),
    )
    announce([_created(generation)])
    return Created(generation=generation, balance=held.balance, held=held.held)


def create_held(
    owner: User,
    request: GenerationRequest,
    now: guards.Standing,
    *,
    generation_id: UUID,
    hold_id: UUID,
    priced: Priced,
    project_id: UUID,
    alternatives: Sequence[Alternative] = (),
    examined: bool = False,
) -> Change:
    """Write the clip of a hold that was taken for it beforehand, and its job. In the caller's transaction.

    The change is for the caller to announce, as the last act of the transaction.

    The hold is open, the owner's, and its subject is `generation_id`: LookupError. What the clip costs in the end is
    the price of the model that delivers it, `priced` or an alternative's, and never more than the hold. `now` counts
    the clips that were written before this one. Raises TooManyJobs and QueueFull.
    """
    tier = tier_of(owner)
    guards.check_room(now, tier)
    held = (
        Hold.objects.filter(id=hold_id, owner_id=owner.id, subject_id=generation_id, state=Hold.State.OPEN)
        .values_list("amount", flat=True)
        .first()
    )
    if held is None:
        raise LookupError(f"there is no open hold {hold_id} for the clip {generation_id}")
    generation = _write(
        owner,
        tier,
        request,
        priced,
        Wish(project_id=project_id),
        now.now,
        generation_id=generation_id,
        hold_id=hold_id,
        held=held,
        alternatives=alternatives,
        examined=examined,
    )
    return _created(generation)


def _write(
    owner: User,
    tier: Tier,
    request: GenerationRequest,
    priced: Priced,
    wish: Wish,
    now: datetime,
    *,
    generation_id: UUID,
    hold_id: UUID,
    held: int,
    alternatives: Sequence[Alternative] = (),
    examined: bool = False,
) -> Generation:
    inputs = [
        one for one in (request.start_image, request.end_image, request.source_video) if one is not None
    ]
    if inputs:
        assets.touch(inputs)
        assets.pin(inputs, now + PINNED_FOR)
    expected = history.expected(request.model)
    model = MODELS[request.model]
    start_after = wish.start_after if wish.start_after is not None and wish.start_after > now else None
    eta_at = (start_after or now) + timedelta(seconds=expected.typical)
    job_id = jobs.enqueue(
        kind=GENERATION,
        subject_id=generation_id,
        owner_id=owner.id,
        due_at=start_after,
        gate=gate_of(model.provider),
        owner_places=tier.running_jobs,
        progress=10,
        eta_at=eta_at,
        project_id=wish.project_id,
    )
    generation = Generation(
        id=generation_id,
        owner_id=owner.id,
        project_id=wish.project_id,
        retry_of=wish.retry_of,
        model=request.model,
        provider=model.provider,
        mode=request.mode,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        style=request.style,
        resolution=request.resolution,
        ratio=request.ratio,
        duration_seconds=request.duration_seconds,
        audio=request.audio,
        enhance=request.enhance,
        seed=request.seed,
        controls=dict(request.controls),
        start_image_id=request.start_image,
        end_image_id=request.end_image,
        source_video_id=request.source_video,
        start_after=wish.start_after,
        start_by=wish.start_by,
        finish_by=wish.finish_by,
        status=GenerationStatus.PENDING,
        job_id=job_id,
        hold_id=hold_id,
        quote_id=priced.quote_id,
        credits_quoted=held,
        credits_priced=priced.credits,
        alternatives=list(alternatives),
        examined=examined,
        created_at=now,
    )
    generation.save(force_insert=True)
    return generation


def _created(generation: Generation) -> Change:
    return Change(
        owner_id=generation.owner_id,
        kind="generation.created",
        subject_id=generation.id,
        data={
            "status": GenerationStatus.PENDING,
            "model": generation.model,
            "credits_held": generation.credits_quoted,
        },
    )


# Longer than any queue: the pins of inputs are lifted when the clip ends.
PINNED_FOR = timedelta(days=14)


def _check_times(wish: Wish, now: datetime) -> None:
    """Raises InvalidRequest where the times can't be kept."""
    for name in ("start_by", "finish_by"):
        value = getattr(wish, name)
        if value is not None and value <= now:
            raise InvalidRequest(field=name, code="in_the_past", reason=f"{name} is in the past.")
    if wish.start_after and wish.start_by and wish.start_by <= wish.start_after:
        raise InvalidRequest(field="start_by", code="before_start", reason="start_by is before start_after.")
    if wish.start_after and wish.finish_by and wish.finish_by <= wish.start_after:
        raise InvalidRequest(
            field="finish_by", code="before_start", reason="finish_by is before start_after."
        )
    if wish.start_after and wish.start_after > now + LATEST_START:
        raise InvalidRequest(
            field="start_after", code="too_late", reason="start_after is over seven days away."
        )


LATEST_START = timedelta(days=7)
