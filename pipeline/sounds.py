"""The sounds of a render or of the edit of a video: wished for, priced, used again, begun, stopped.

They are made by `pipeline.stages.sound`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db.models import Sum

from accounts.models import User
from credits import pricing, rate_cards
from credits.errors import NoPrice
from credits.pricing import Card, PriceRequest
from generations.errors import NoPriceNoStart
from generations.kinds import gate_of
from generations.models import AssetState
from pipeline.errors import NoSoundModel
from pipeline.kinds import SOUND
from pipeline.models import FilmSound, Render, SoundState, VideoEdit
from pipeline.prices import Part
from providers.catalogue.sound import SOUND_MODELS, SoundKind, SoundModel
from providers.sound import registry
from workers import clock, jobs
from workers.clock import AppNow

# A file that expires sooner is made anew: a render may take hours.
LEAST_LEFT = timedelta(hours=24)
# Calls to one vendor: more than a person needs, and less than what vendors call abuse.
PER_MINUTE = 60
# Those that are not made yet, and will be.
OPEN = (SoundState.BLOCKED, SoundState.PENDING, SoundState.PROCESSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundWish:
    """A sound that is wanted; `segment`: what it begins with, "" for the music; `seconds`: the time it has.

    `field` is what a refusal names.
    """

    kind: SoundKind
    segment: str
    text: str
    voice: str = ""
    seconds: float
    field: str = "audio"

    @property
    def label(self) -> str:
        """Its name among the parts of a price."""
        return f"{self.kind}:{self.segment}" if self.segment else str(self.kind)

    def digest(self, model: str) -> str:
        """The same for the same sound by the same model."""
        made_from = [self.kind, self.text, self.voice, round(self.seconds, 3), model]
        if self.kind == SoundKind.VOICE:
            # A voice speaks as long as it needs, whatever time there is.
            made_from.pop(3)
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def price(owner: User, wishes: Sequence[SoundWish]) -> list[Part]:
    """A part for each wish: at 0 what the owner has already. Two statements. Raises NoSoundModel, NoPriceNoStart."""
    models = {wish.label: _model(wish) for wish in wishes}
    cards = rate_cards.current(sorted({model.id for model in models.values()}))
    # One that was made for a picture belongs to that picture.
    wanted = {label: model.id for label, model in models.items() if not model.sees_video}
    there = reusable(
        owner, {wish.label: wish.digest(wanted[wish.label]) for wish in wishes if wish.label in wanted}
    )
    return [_part(wish, models[wish.label], cards, there.get(wish.label)) for wish in wishes]


def list_price(wishes: Sequence[SoundWish]) -> int | None:
    """What all of them cost if none is there yet; None where one can't be made or has no price. One statement."""
    try:
        models = {wish.label: _model(wish) for wish in wishes}
        cards = rate_cards.current(sorted({model.id for model in models.values()})) if models else {}
        return sum(_part(wish, models[wish.label], cards, None).credits for wish in wishes)
    except (NoSoundModel, NoPriceNoStart):
        return None


def reusable(owner: User, wanted: Mapping[str, str]) -> dict[str, UUID]:
    """By label: the newest sound of the owner with that digest whose file is still there. One statement."""
    rows = (
        FilmSound.objects.filter(
            digest__in=set(wanted.values()),
            state=SoundState.COMPLETED,
            asset__owner=owner,
            asset__state=AssetState.READY,
            asset__expires_at__gt=clock.now() + LEAST_LEFT,
        )
        .order_by("digest", "-created_at")
        .distinct("digest")
    )
    by_digest = dict(rows.values_list("digest", "id"))
    return {label: by_digest[digest] for label, digest in wanted.items() if digest in by_digest}


def write(
    whole: Render | VideoEdit, wish: SoundWish, part: Part, *, waits_for_clip: bool = False
) -> FilmSound:
    """Write the sound as it was priced, with its job unless it is there, or waits. In the caller's transaction."""
    model = SOUND_MODELS[part.model]
    row = FilmSound(
        id=uuid4(),
        render=whole if isinstance(whole, Render) else None,
        edit=whole if isinstance(whole, VideoEdit) else None,
        kind=wish.kind,
        segment=wish.segment,
        text=wish.text,
        voice=wish.voice,
        seconds=wish.seconds,
        model=model.id,
        provider=model.provider,
        digest=wish.digest(model.id),
        credits=part.credits,
        state=SoundState.PENDING,
    )
    if part.reuses is not None:
        there = FilmSound.objects.get(id=part.reuses)
        row.asset, row.words, row.made_seconds = there.asset, there.words, there.made_seconds
        row.voice_unknown = there.voice_unknown
        row.state, row.reused = SoundState.COMPLETED, True
    elif waits_for_clip and model.sees_video:
        row.state = SoundState.BLOCKED
    else:
        row.job_id = enqueue(whole, row)
    row.save(force_insert=True)
    return row


def enqueue(whole: Render | VideoEdit, row: FilmSound) -> UUID:
    """Have a worker make the sound, within what its vendor allows, in the caller's transaction; its job."""
    project_id = whole.project_id if isinstance(whole, Render) else None
    return jobs.enqueue(
        kind=SOUND,
        subject_id=row.id,
        owner_id=whole.owner_id,
        project_id=project_id,
        gate=gate_of(row.provider),
    )


def make_anew(whole: Render | VideoEdit, row: FilmSound, *, clip_is_there: bool) -> None:
    """Have a sound that failed made once more, when its clip is there if it is made for one."""
    waits = SOUND_MODELS[row.model].sees_video and not clip_is_there
    FilmSound.objects.filter(id=row.id).update(
        state=SoundState.BLOCKED if waits else SoundState.PENDING,
        job_id=None if waits else enqueue(whole, row),
        error_code="",
        error_message="",
        calls=0,
        lost=0,
        ended_at=None,
    )


def gates() -> dict[str, tuple[int, int]]:
    """The limits of each vendor of sounds: calls at once, and in a minute."""
    found: dict[str, tuple[int, int]] = {}
    for model in SOUND_MODELS.values():
        at_once, _ = found.get(gate_of(model.provider), (model.concurrent, 0))
        found[gate_of(model.provider)] = (min(at_once, model.concurrent), PER_MINUTE)
    return found


def made_credits(whole: Render | VideoEdit) -> int:
    """What the sounds that were made for it cost."""
    total: int | None = whole.sounds.filter(state=SoundState.COMPLETED, reused=False).aggregate(
        total=Sum("credits")
    )["total"]
    return total or 0


def close(whole: Render | VideoEdit) -> None:
    """It has ended: what was not made will not be."""
    whole.sounds.filter(state__in=OPEN).update(state=SoundState.CANCELLED, ended_at=AppNow())


def _model(wish: SoundWish) -> SoundModel:
    model = registry.chosen(wish.kind)
    if model is None:
        raise NoSoundModel(field=wish.field, kind=wish.kind.value)
    return model


def _part(wish: SoundWish, model: SoundModel, cards: Mapping[str, Card], there: UUID | None) -> Part:
    if there is not None:
        return Part(label=wish.label, model=model.id, credits=0, seconds=0, reuses=there)
    card = cards.get(model.id)
    if card is None:
        raise NoPriceNoStart(field=wish.field, reason=f"{model.id} has no rate card")
    seconds = Decimal(str(round(model.seconds_made(wish.seconds), 3)))
    try:
        result = pricing.price(
            card,
            PriceRequest(
                duration_seconds=seconds, default_duration_seconds=seconds, characters=len(wish.text)
            ),
        )
    except NoPrice as error:
        raise NoPriceNoStart(field=wish.field, reason=str(error)) from error
    return Part(
        label=wish.label,
        model=model.id,
        credits=result.total,
        seconds=model.expected_seconds.total_seconds(),
        rate_card_ids=(card.id,),
        breakdown=tuple(result.breakdown()),
    )
