"""What an owner does with a render that runs: pause, resume, cancel, have segments made anew.

Each in the caller's transaction, with the render's job locked: no worker looks at it meanwhile.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID, uuid4

from accounts.models import User
from accounts.tiers import tier_of
from credits import ledger
from credits.ledger import HoldPart
from generations.errors import AlreadyEnded, NotFound
from generations.models import Generation
from pipeline import sounds
from pipeline.errors import NotRendering
from pipeline.kinds import RENDER
from pipeline.models import Render, RenderSegment, RenderStatus, SegmentState, SoundState
from pipeline.plans.film import Continuity, Film
from pipeline.plans.offers import Offers
from pipeline.plans.validation import Inputs
from pipeline.prices import Price
from pipeline.renders import pausing, prices, transitions
from pipeline.renders.coordination import NOT_COMPOSABLE
from pipeline.renders.creation import RenderWish, renderable
from workers import clock, jobs
from workers.jobs import Standing, announce

REDOABLE = (SegmentState.COMPLETED, SegmentState.FAILED)


def find(owner_id: UUID, render_id: UUID) -> Render:
    """The owner's render. Raises NotFound."""
    render = (
        Render.objects.filter(id=render_id, owner_id=owner_id)
        .select_related("version", "project", "film", "owner")
        .first()
    )
    if render is None:
        raise NotFound(what="render")
    return render


def locked(owner_id: UUID, render_id: UUID) -> tuple[Render, Standing]:
    """The render, open, with its job locked. Raises NotFound, AlreadyEnded."""
    find(owner_id, render_id)
    standing = jobs.lock(kind=RENDER, subject_id=render_id)
    render = find(owner_id, render_id)
    if standing is None or render.ended_at is not None:
        raise AlreadyEnded(status=render.status)
    return render, standing


def changeable(owner_id: UUID, render_id: UUID) -> Render:
    """As `locked`, and it is neither being stopped nor past its time. Raises NotRendering too."""
    render, standing = locked(owner_id, render_id)
    if standing.cancel_requested:
        raise NotRendering(status=render.status, reason="it is being cancelled.")
    if render.waits_until is not None and render.waits_until <= clock.now():
        raise NotRendering(status=render.status, reason="it waited for seven days, and is being ended.")
    return render


def pause(owner_id: UUID, render_id: UUID) -> None:
    """Begin nothing more; what runs lands. Again is no error. Raises NotFound, AlreadyEnded, NotRendering."""
    render = changeable(owner_id, render_id)
    if render.status == RenderStatus.PAUSED:
        return
    if render.status not in (RenderStatus.PENDING, RenderStatus.PROCESSING):
        raise NotRendering(status=render.status, reason="only what makes clips can be paused.")
    change = transitions.pause(render, clock.now())
    pausing.hold_back(render)
    jobs.hint(kind=RENDER, subject_id=render.id)
    announce([change] if change else [])


def resume(owner_id: UUID, render_id: UUID) -> None:
    """Go on. Again is no error. Raises NotFound, AlreadyEnded, NotRendering."""
    render = changeable(owner_id, render_id)
    if render.status in (RenderStatus.PENDING, RenderStatus.PROCESSING):
        return
    if render.status != RenderStatus.PAUSED:
        raise NotRendering(status=render.status, reason="only what is paused can be resumed.")
    change = transitions.go_on(render)
    pausing.let_go_on(render)
    jobs.hint(kind=RENDER, subject_id=render.id)
    announce([change] if change else [])


def cancel(owner_id: UUID, render_id: UUID) -> None:
    """Stop it: nothing more begins, what runs is asked to stop. Again is no error. Raises NotFound, AlreadyEnded."""
    render = find(owner_id, render_id)
    if render.status == RenderStatus.CANCELLED:
        return
    render, standing = locked(owner_id, render_id)
    jobs.request_cancel(standing)
    announce([transitions.change_of(render, "cancel_requested")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What cancelling now would do with one part's credits: come back for certain, be charged, or not known yet."""

    label: str
    returned: int = 0
    charged: int = 0
    undecided: int = 0


def consequences(render: Render) -> list[Consequence]:
    """What cancelling the render would cost, part by part. Four statements. Raises AlreadyEnded."""
    if render.ended_at is not None:
        raise AlreadyEnded(status=render.status)
    rows = list(render.segments.order_by("position"))
    clips = Generation.objects.in_bulk([row.generation_id for row in rows])
    found = []
    for row in rows:
        clip, credits = clips.get(row.generation_id), int(row.part["credits"])
        if row.reused:
            found.append(Consequence(label=row.name))
        elif clip is None:
            found.append(
                Consequence(label=row.name, returned=0 if row.state == SegmentState.FAILED else credits)
            )
        elif clip.ended_at is not None:
            found.append(Consequence(label=row.name, charged=clip.credits_used))
        else:
            # The vendor has it, or may have it by then: its word decides.
            found.append(Consequence(label=row.name, undecided=credits))
    if render.credits_replaced:
        found.append(Consequence(label="clips that were replaced", charged=render.credits_replaced))
    made, own = sounds.made_credits(render), transitions.own_amount(render)
    found.append(Consequence(label="sound and composition", charged=made, returned=own - made))
    return found


def regenerable(render: Render, names: Collection[str]) -> tuple[str, ...]:
    """These segments, or all that failed where none are named, in the film's order. Raises NotFound, NotRendering."""
    rows = {row.name: row for row in render.segments.order_by("position")}
    if unknown := sorted(set(names) - set(rows)):
        raise NotFound(what=f"segment {unknown[0]}", field="segments")
    wanted = [
        name for name, row in rows.items() if (name in names if names else row.state == SegmentState.FAILED)
    ]
    for name in wanted:
        if rows[name].state not in REDOABLE:
            raise NotRendering(
                status=render.status, reason=f"{name} is being made at the moment; wait for it."
            )
    return tuple(wanted)


def price_of(owner: User, render: Render, names: Collection[str]) -> tuple[Price, Film, Offers]:
    """What making these segments anew costs now: nothing where we spoiled what was paid for. Raises as `renderable`."""
    inputs = Inputs(character=render.character_id is not None, audio=render.audio_id is not None)
    film, offers = renderable(owner, render.version, inputs, only=names)
    spoiled = render.segments.filter(name__in=names, error_code=NOT_COMPOSABLE).values_list("name", flat=True)
    return prices.price_of_segments(film, offers, names, for_nothing=set(spoiled)), film, offers


def regenerate(owner: User, render_id: UUID, names: Collection[str], wish: RenderWish) -> Render:
    """Make segments anew under a new hold, and sounds that failed under the one they have.

    Raises NotFound, AlreadyEnded, NotRendering, and as `price_of`, `prices.agreed` and the ledger.
    """
    render = changeable(owner.pk, render_id)
    if render.status == RenderStatus.COMPOSING:
        raise NotRendering(
            status=render.status, reason="the film is being composed; render the plan again with `redo`."
        )
    chosen = regenerable(render, names)
    failed_sounds = list(render.sounds.filter(state=SoundState.FAILED))
    if not chosen and not failed_sounds:
        raise NotRendering(
            status=render.status, reason="nothing in it failed; name the segments to make anew."
        )
    if chosen:
        current, film, _ = price_of(owner, render, chosen)
        price = prices.agreed(
            owner,
            render.version,
            current,
            clock.now(),
            quote_id=wish.quote_id,
            max_credits=wish.max_credits,
            redo=chosen,
            render=render,
        )
        _make_anew(owner, render, film, price, chosen)
    states = dict(render.segments.values_list("name", "state"))
    for sound in failed_sounds:
        sounds.make_anew(render, sound, clip_is_there=states.get(sound.segment) == SegmentState.COMPLETED)
    change = transitions.go_on(render) if render.status == RenderStatus.NEEDS_ATTENTION else None
    jobs.hint(kind=RENDER, subject_id=render.id)
    announce(
        [
            *([change] if change else []),
            transitions.change_of(render, "regenerating", segments=list(chosen)),
        ]
    )
    return find(owner.pk, render_id)


def _make_anew(owner: User, render: Render, film: Film, price: Price, names: Collection[str]) -> None:
    clip_ids = {name: uuid4() for name in names}
    held = ledger.hold_group(
        owner_id=owner.pk,
        key=f"render:{render.id}:{uuid4()}",
        parts=[
            HoldPart(
                amount=price.part(name).credits,
                subject_id=clip_ids[name],
                rate_card_ids=price.part(name).rate_card_ids,
                breakdown=price.part(name).breakdown,
            )
            for name in names
        ],
        daily_limit=tier_of(owner).credits_per_day,
    )
    holds = dict(zip(names, held.hold_ids, strict=True))
    rows = {row.name: row for row in render.segments.filter(name__in=names)}
    replaced = Generation.objects.in_bulk([row.generation_id for row in rows.values() if not row.reused])
    for name in names:
        row = rows[name]
        continues = film.segments[film.index(name)].continuity == Continuity.PREVIOUS_FRAME
        row.generation_id, row.hold_id = clip_ids[name], holds[name]
        row.state = SegmentState.BLOCKED if continues else SegmentState.PENDING
        row.part = price.part(name).to_json()
        row.reused, row.frame, row.conformed_at = False, None, None
        row.error_code = row.error_message = ""
        row.save()
    # What continues from them and has not begun waits for another frame now.
    for before, row in pairwise(render.segments.order_by("position")):
        if (
            before.name in names
            and row.state == SegmentState.PENDING
            and film.segments[row.position].continuity == Continuity.PREVIOUS_FRAME
        ):
            RenderSegment.objects.filter(id=row.id).update(state=SegmentState.BLOCKED)
    render.credits_replaced += sum(clip.credits_used for clip in replaced.values())
    render.credits_quoted += price.credits
    Render.objects.filter(id=render.id).update(
        credits_replaced=render.credits_replaced, credits_quoted=render.credits_quoted
    )


def stale_segments(film: Film, rows: Collection[RenderSegment]) -> set[str]:
    """Segments that begin with the last frame of a clip that the segment before has no more."""
    ordered = sorted(rows, key=lambda row: row.position)
    return {
        row.name
        for before, row in pairwise(ordered)
        if film.segments[row.position].continuity == Continuity.PREVIOUS_FRAME
        and row.state == SegmentState.COMPLETED
        and row.after_id != before.generation_id
    }
