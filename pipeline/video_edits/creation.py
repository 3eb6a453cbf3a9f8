"""Accepting the edit of a finished video: everything that must be true, in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings

from accounts.events.log import EventEntry, append
from accounts.models import User
from accounts.tiers import tier_of
from credits import ledger, rate_cards
from credits.ledger import HoldPart
from generations import assets, guards
from generations.asset_errors import WrongKind
from generations.errors import InvalidRequest, TooManyJobs
from generations.models import Asset, AssetKind, Generation
from generations.models.assets import AssetOrigin
from generations.requests import check_resolution_of_tier
from pipeline import prices, sounds
from pipeline.kinds import VIDEO_EDIT
from pipeline.models import EditQuote, FilmSound, Render, RenderSegment, VideoEdit, WorkStatus
from pipeline.prices import Price
from pipeline.renders.inputs import keep
from pipeline.renders.pace import editing_seconds
from pipeline.video_edits import wishes
from pipeline.video_edits.timelines import format_for, sounds_of
from pipeline.video_edits.wishes import SMALLEST_SIDE, Source, Wish, seconds_of
from workers import clock, jobs
from workers.models import open_jobs

# The subject of a rate card that an operator may publish; without one the composition is free.
EDIT_CARD = "service/edit"
# Whole videos; of the others, some are pieces of films.
EDITABLE = (AssetOrigin.UPLOAD, AssetOrigin.GENERATION, AssetOrigin.RENDER, AssetOrigin.EDIT)
FIELD = "asset_id"
# The lines of each resolution that a tier may have, the smallest first.
LINES = {"480p": 480, "720p": 720, "1080p": 1080, "4K": 2160}


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """A wish that can be done, and the video that it is about."""

    asset: Asset
    source: Source
    wish: Wish


def requested(owner: User, asset_id: UUID, wish: Wish) -> EditRequest:
    """The wish, checked against the owner's video as it is now, and allowed.

    Raises AssetNotFound, AssetNotReady, AssetExpired, AssetLost, WrongKind, InvalidRequest, TierRequired, Moderated.
    """
    asset = assets.find_ready(owner.pk, asset_id, [AssetKind.VIDEO], field=FIELD, now=clock.now())
    if asset.origin not in EDITABLE:
        raise WrongKind(field=FIELD, wanted="a whole video", kind=f"a {asset.origin}")
    source = source_of(asset)
    wishes.check(wish, source)
    fmt = format_for(wish, source, short_side=settings.FILM_SHORT_SIDE, preset=settings.FILM_PRESET)
    side = min(fmt.width, fmt.height)
    check_resolution_of_tier(
        next((name for name, lines in LINES.items() if side <= lines), "4K"), tier_of(owner)
    )
    guards.moderate(text=wish.words)
    return EditRequest(asset=asset, source=source, wish=wish)


def source_of(asset: Asset) -> Source:
    """What the edit needs to know of it. Raises InvalidRequest where that can't be edited."""
    if not asset.key:
        raise InvalidRequest(field=FIELD, reason="Only its provider has this video, so it can't be edited.")
    if not asset.duration_seconds or not asset.width or not asset.height:
        raise InvalidRequest(field=FIELD, reason="The length or the size of this video is not known.")
    if min(asset.width, asset.height) < SMALLEST_SIDE:
        raise InvalidRequest(
            field=FIELD, reason=f"Its picture has less than {SMALLEST_SIDE} pixels in one direction."
        )
    return Source(
        digest=asset.sha256 or str(asset.id),
        seconds=float(asset.duration_seconds),
        width=asset.width,
        height=asset.height,
        has_sound=bool(asset.audio_codec),
    )


def price(owner: User, request: EditRequest) -> Price:
    """What it costs now. Raises NoSoundModel, NoPriceNoStart."""
    seconds = seconds_of(request.wish, request.source)
    composing = seconds * editing_seconds()
    parts = sounds.price(owner, sounds_of(request.wish, request.source))
    sounding = max((part.seconds for part in parts), default=0.0)
    card = rate_cards.current([EDIT_CARD]).get(EDIT_CARD)
    parts.append(prices.composition(card, seconds=seconds, takes_seconds=composing))
    return Price(parts=tuple(parts), eta_seconds=prices.eta(sounding + composing))


def promise(owner: User, request: EditRequest, current: Price) -> EditQuote:
    """Bind us to this price."""
    return prices.promise(
        EditQuote,
        owner,
        current,
        clock.now(),
        source=request.asset,
        wish=wishes.to_json(request.wish),
    )


def create(
    owner: User, request: EditRequest, *, quote_id: UUID | None = None, max_credits: int | None = None
) -> VideoEdit:
    """Take the price, write the edit with its sounds and jobs. In the caller's transaction.

    Raises TooManyJobs, and as `price`, `prices.agreed` and the ledger; then nothing was written.
    """
    tier = tier_of(owner)
    running, limit = (
        open_jobs(owner_id=owner.pk, kind=VIDEO_EDIT).count(),
        tier.running_jobs + tier.queued_jobs,
    )
    if running >= limit:
        raise TooManyJobs(queued=running, limit=limit)
    now, wish = clock.now(), wishes.to_json(request.wish)

    def different(quote: EditQuote) -> list[str]:
        about = [FIELD] if quote.source_id != request.asset.id else []
        return about + sorted(name for name in wish if wish[name] != quote.wish.get(name))

    agreed = prices.agreed(
        EditQuote,
        owner,
        price(owner, request),
        now,
        quote_id=quote_id,
        max_credits=max_credits,
        different=different,
    )
    edit = _write(owner, request, agreed, wish, tier.credits_per_day, now)
    reused: list[UUID] = []
    for one in sounds_of(request.wish, request.source):
        row = sounds.write(edit, one, agreed.part(one.label))
        reused += [row.asset_id] if row.asset_id is not None else []
    assets.touch([request.asset.id])
    keep(edit, [request.asset.id, *reused], now)
    append(
        [
            EventEntry(
                owner_id=owner.pk,
                kind="edit.created",
                subject_id=edit.id,
                data={
                    "status": WorkStatus.PENDING,
                    "source": str(request.asset.id),
                    "credits_held": agreed.credits,
                },
            )
        ]
    )
    return edit


def _write(
    owner: User, request: EditRequest, agreed: Price, wish: object, daily_limit: int, now: datetime
) -> VideoEdit:
    edit_id = uuid4()
    held = ledger.hold_group(
        owner_id=owner.pk,
        key=f"edit:{edit_id}",
        parts=[
            HoldPart(
                amount=agreed.credits,
                subject_id=edit_id,
                rate_card_ids=[card for part in agreed.parts for card in part.rate_card_ids],
                breakdown=prices.held_for(agreed.parts),
            )
        ],
        daily_limit=daily_limit,
    )
    job_id = jobs.enqueue(
        kind=VIDEO_EDIT,
        subject_id=edit_id,
        owner_id=owner.pk,
        eta_at=now + timedelta(seconds=agreed.eta_seconds[1]),
    )
    return VideoEdit.objects.create(
        id=edit_id,
        owner=owner,
        source=request.asset,
        wish=wish,
        made_by=models_of(request.asset),
        job_id=job_id,
        hold_id=held.hold_ids[0],
        quote_id=agreed.quote_id,
        credits_quoted=agreed.credits,
        created_at=now,
    )


def models_of(asset: Asset) -> list[str]:
    """The models that the video was made by, as far as we know. A few statements."""
    match asset.origin:
        case AssetOrigin.GENERATION:
            found = Generation.objects.filter(output=asset).values_list("model", flat=True)
            return sorted(set(found))
        case AssetOrigin.RENDER:
            render = Render.objects.get(film=asset)
            clips = RenderSegment.objects.filter(render=render).values("generation_id")
            found = Generation.objects.filter(id__in=clips).values_list("model", flat=True)
            return sorted({*found, *FilmSound.objects.filter(render=render).values_list("model", flat=True)})
        case AssetOrigin.EDIT:
            before = VideoEdit.objects.get(output=asset)
            return sorted({*before.made_by, *before.sounds.values_list("model", flat=True)})
        case _:
            return []
