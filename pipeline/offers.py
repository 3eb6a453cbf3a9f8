"""The models that one account may use now, with their prices, pace and record."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts.models import User
from accounts.tiers import Tier, tier_of, tiers
from credits import rate_cards
from generations import history, vendor_health
from generations.kinds import gate_of
from generations.models import ModelSwitch
from pipeline.plans.offers import Offer, Offers
from providers import registry
from providers.catalogue import MODELS, VideoModel
from workers.models import Gate

# Of its last renders; with fewer there is no telling.
SAMPLE = 100
FEWEST = 5
# Below this a model is left alone until it recovers.
HEALTHY = 0.5

# By the index on a model's ended attempts: a hundred rows a model, however many there are.
_RECORD = """
SELECT model, count(*), avg(CASE WHEN state = 'succeeded' THEN 1.0 ELSE 0.0 END)
FROM unnest(%s::text[]) AS wanted (model), LATERAL (
    SELECT state FROM generations_attempt attempt
    WHERE attempt.model = wanted.model AND state IN ('succeeded', 'failed') AND submitted_at IS NOT NULL
    ORDER BY ended_at DESC LIMIT %s
) AS latest GROUP BY model
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    renders: int
    success_rate: float


def offers_for(owner: User, now: datetime) -> Offers:
    """What the account's plans may choose from; never a retired model, one without a price or above its tier.

    Five statements, and one for each model whose pace is not known in this process.
    """
    tier = tier_of(owner)
    switches = ModelSwitch.objects.in_bulk()
    offered = [
        model
        for model in MODELS.values()
        if _is_offered(model, switches.get(model.id), now) and _is_allowed(model, tier)
    ]
    cards = rate_cards.current([model.id for model in offered])
    records = _records([model.id for model in offered])
    stopped = set(
        Gate.objects.filter(
            key__in=[Gate.EVERY, *(gate_of(model.provider) for model in offered)], stopped_at__isnull=False
        ).values_list("key", flat=True)
    )
    out_of_order = vendor_health.out_of_order()
    found: dict[str, Offer] = {}
    for model in offered:
        if model.id not in cards:
            continue
        record = records.get(model.id)
        known = record is not None and record.renders >= FEWEST
        rate = record.success_rate if known and record is not None else 1.0
        found[model.id] = Offer(
            model=model,
            card=cards[model.id],
            expected_seconds=history.expected(model.id).typical,
            success_rate=round(rate, 3),
            healthy=rate >= HEALTHY
            and not stopped & {Gate.EVERY, gate_of(model.provider)}
            and not out_of_order.covers(model),
        )
    return found


def _is_offered(model: VideoModel, switch: ModelSwitch | None, now: datetime) -> bool:
    if not model.is_available(now) or not registry.configured(model.provider):
        return False
    # What a segment's prompt says is shown, not spoken; and a segment has one.
    if model.spoken_characters_per_second is not None or model.max_prompt_length == 0:
        return False
    if switch is None:
        return True
    return switch.enabled and (switch.retires_at is None or now < switch.retires_at)


def _is_allowed(model: VideoModel, tier: Tier) -> bool:
    return model.requires_tier is None or tier.rank >= tiers()[model.requires_tier].rank


def _records(models: list[str]) -> dict[str, _Record]:
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [models, SAMPLE])
        return {row[0]: _Record(renders=row[1], success_rate=float(row[2])) for row in cursor.fetchall()}
