"""Accepting a render: everything that must be true, in one transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from accounts.events.log import EventEntry, append
from accounts.models import User
from accounts.tiers import tier_of
from credits import ledger
from credits.ledger import HoldPart
from generations import assets, guards
from generations.models import AssetKind, Generation, Project, ProjectState
from generations.requests import check_resolution_of_tier
from pipeline import plannings, sounds, versions
from pipeline.errors import AlreadyRunning, PlanInvalid
from pipeline.kinds import RENDER
from pipeline.models import (
    PlanVersion,
    Render,
    RenderSegment,
    RenderStatus,
    SegmentState,
)
from pipeline.plans.film import AudioStrategy, Continuity, Film, digests
from pipeline.plans.offers import Offers
from pipeline.plans.validation import Inputs, Unrenderable, problems
from pipeline.prices import Part, Price, held_for
from pipeline.renders import making, prices
from pipeline.renders.inputs import keep
from pipeline.renders.sounds import sounds_of
from providers.catalogue.sound import SoundKind
from workers import clock, jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderWish:
    """What goes with a request for a render; `redo`: segments to make anew though their clips are there."""

    quote_id: UUID | None = None
    max_credits: int | None = None
    redo: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A render that was accepted: its holds are taken and its job is on disk."""

    render: Render
    balance: int
    held: int


def renderable(
    owner: User, version: PlanVersion, inputs: Inputs, *, only: Collection[str] | None = None
) -> tuple[Film, Offers]:
    """The version's film and what it is made by, checked as it stands now; `only`: no more of it than these segments.

    Raises PlanInvalid, TierRequired.
    """
    film, offers = versions.film_of(version), versions.offers_of(owner)
    found = problems(film, offers, inputs)
    if only is not None:
        found = tuple(one for one in found if any(one.field.startswith(f"segments.{name}.") for name in only))
    if found:
        raise invalid(Unrenderable(found))
    check_resolution_of_tier(film.resolution, tier_of(owner))
    return film, offers


def invalid(error: Unrenderable) -> PlanInvalid:
    """The refusal that names every problem, the first one first."""
    return PlanInvalid(
        field=error.problems[0].field,
        reason=error.problems[0].reason,
        problems=[{"field": one.field, "reason": one.reason} for one in error.problems],
    )


def check_redo(film: Film, redo: Collection[str]) -> None:
    """Raises PlanInvalid for a segment that there is not."""
    ids = {one.id for one in film.segments}
    if unknown := sorted(set(redo) - ids):
        raise PlanInvalid(field="redo", reason=f"There is no segment {unknown[0]}.", problems=[])


def create(owner: User, project: Project, version: PlanVersion, wish: RenderWish) -> Rendering:
    """Take the price, write the render with its segments, sounds and jobs. In the caller's transaction.

    Raises AlreadyRunning, PlanInvalid, TierRequired, Moderated, and as `prices.agreed` and the ledger; then nothing
    was written.
    """
    film, offers = renderable(owner, version, plannings.inputs_of(project))
    check_redo(film, wish.redo)
    guards.moderate(
        text="\n".join([*(one.prompt for one in film.segments), *(one.text for one in sounds_of(film))])
    )
    now = clock.now()
    price = prices.agreed(
        owner,
        version,
        prices.price(owner, film, offers, character_id=project.character_id, redo=wish.redo),
        now,
        quote_id=wish.quote_id,
        max_credits=wish.max_credits,
        redo=wish.redo,
    )
    render_id = uuid4()
    clip_ids = {one.id: price.part(one.id).reuses or uuid4() for one in film.segments}
    new = [one.id for one in film.segments if price.part(one.id).reuses is None]
    own = [part for part in price.parts if part.label not in clip_ids]
    held = ledger.hold_group(
        owner_id=owner.id,
        key=f"render:{render_id}",
        parts=[
            *(_hold_of(price.part(name), clip_ids[name]) for name in new),
            HoldPart(
                amount=sum(part.credits for part in own),
                subject_id=render_id,
                rate_card_ids=[card for part in own for card in part.rate_card_ids],
                breakdown=held_for(own),
            ),
        ],
        daily_limit=tier_of(owner).credits_per_day,
    )
    holds = dict(zip(new, held.hold_ids, strict=False))
    render = _write(owner, project, version, price, render_id, held.hold_ids[-1], now)
    _write_segments(render, film, price, clip_ids, holds)
    _write_sounds(render, film, price)
    _keep_inputs(render, project, film, now)
    Project.objects.filter(id=project.id).update(state=ProjectState.RENDERING)
    append(
        [
            EventEntry(
                owner_id=owner.id,
                kind="render.created",
                subject_id=render_id,
                data={
                    "status": RenderStatus.PENDING,
                    "project_id": str(project.id),
                    "version": version.number,
                    "credits_held": price.credits,
                },
            )
        ]
    )
    return Rendering(render=render, balance=held.balance, held=held.held)


def _hold_of(part: Part, subject_id: UUID) -> HoldPart:
    return HoldPart(
        amount=part.credits,
        subject_id=subject_id,
        rate_card_ids=part.rate_card_ids,
        breakdown=part.breakdown,
    )


def _write(
    owner: User,
    project: Project,
    version: PlanVersion,
    price: Price,
    render_id: UUID,
    hold_id: UUID,
    now: datetime,
) -> Render:
    job_id = jobs.enqueue(
        kind=RENDER,
        subject_id=render_id,
        owner_id=owner.id,
        eta_at=now + timedelta(seconds=price.eta_seconds[1]),
        project_id=project.id,
    )
    try:
        with transaction.atomic():
            return Render.objects.create(
                id=render_id,
                owner=owner,
                project=project,
                version=version,
                job_id=job_id,
                character_id=project.character_id,
                audio_id=project.audio_id,
                hold_id=hold_id,
                quote_id=price.quote_id,
                credits_quoted=price.credits,
                created_at=now,
            )
    except IntegrityError as error:
        if "one_open" in str(error):
            raise AlreadyRunning(what="project's render") from None
        raise


def _write_segments(
    render: Render,
    film: Film,
    price: Price,
    clip_ids: Mapping[str, UUID],
    holds: Mapping[str, UUID],
) -> None:
    made_from = digests(film)
    rows, before = [], None
    for position, one in enumerate(film.segments):
        part = price.part(one.id)
        continues = one.continuity == Continuity.PREVIOUS_FRAME
        state = (
            SegmentState.COMPLETED
            if part.reuses is not None
            else SegmentState.BLOCKED
            if continues
            else SegmentState.PENDING
        )
        rows.append(
            RenderSegment(
                render=render,
                position=position,
                name=one.id,
                digest=made_from[one.id],
                state=state,
                part=part.to_json(),
                hold_id=holds.get(one.id),
                generation_id=clip_ids[one.id],
                reused=part.reuses is not None,
                after_id=before if continues else None,
            )
        )
        before = clip_ids[one.id]
    RenderSegment.objects.bulk_create(rows)
    for row in rows:
        if row.reused:
            making.prepare(render, row)


def _write_sounds(render: Render, film: Film, price: Price) -> None:
    """The sounds with their jobs, the voices first: captions and the lengths of lines come from them."""
    for wish in sounds_of(film):
        listens = wish.kind == SoundKind.EFFECT and price.part(wish.segment).reuses is None
        sounds.write(render, wish, price.part(wish.label), waits_for_clip=listens)


def _keep_inputs(render: Render, project: Project, film: Film, now: datetime) -> None:
    """Pin what the render is made from: the project's pictures and sound, and the clips that are used again."""
    needed: list[UUID] = []
    if any(one.character for one in film.segments):
        assert project.character_id is not None, "it was checked"
        assets.find_ready(
            render.owner_id, project.character_id, [AssetKind.IMAGE], field="character", now=now
        )
        needed.append(project.character_id)
    if film.audio.strategy == AudioStrategy.CUSTOM:
        assert project.audio_id is not None, "it was checked"
        assets.find_ready(render.owner_id, project.audio_id, [AssetKind.AUDIO], field="audio", now=now)
        needed.append(project.audio_id)
    if needed:
        assets.touch(needed)
    clips = render.segments.filter(reused=True).values_list("generation_id", flat=True)
    there = Generation.objects.filter(id__in=list(clips), output__isnull=False)
    needed += there.values_list("output_id", flat=True)
    needed += render.sounds.filter(reused=True, asset__isnull=False).values_list("asset_id", flat=True)
    keep(render, needed, now)
