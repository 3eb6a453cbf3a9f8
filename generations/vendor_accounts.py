"""Which of our accounts at a vendor submits an attempt, if any may at the moment: counted in rows, under a lock."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from django.conf import settings
from django.db import connection

from credits import rate_cards
from credits.money import credits_per_unit
from credits.pricing import vendor_credits
from generations.models import OPENS_AFTER, AccountHealth, Attempt, AttemptState, Generation
from providers import registry
from providers.catalogue import MODELS, ProviderLimits

# How soon a full account is looked at again.
FULL_WAIT = timedelta(seconds=2)
# And one whose day is used up: as the day moves on a few places come free.
DAY_WAIT = timedelta(hours=1)
_DAY_USED = float("-inf")
# What one probe of a breaker that was open is given, before there may be another.
PROBE = timedelta(seconds=60)


class Obstacle(StrEnum):
    """Why nothing may be submitted for a clip at the moment."""

    FULL = "full"
    """As much is being made, or was submitted, as the vendor lets us."""
    PAUSED = "rate_limited"
    """The vendor asked us to wait, or refuses our account."""
    FAILING = "provider_unavailable"
    """It failed several times in a row."""
    BUDGET = "budget_used_up"
    """What we spend there in a day or month is spent, or nobody knows what the clip would cost."""
    NO_ACCOUNT = "not_configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account that may submit the attempt now, and what the vendor will charge for it, in USD."""

    account: str
    cost_expected: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No account may; when to look again."""

    obstacle: Obstacle
    wait: timedelta
    whole: bool = False
    """Whether it stands in the way of the vendor's every model."""


@dataclass(slots=True)
class _Load:
    """What an account, or one model of it, is doing and has done."""

    at_work: int = 0
    minute: int = 0
    day: int = 0


@dataclass(slots=True)
class _Spent:
    day: Decimal = Decimal(0)
    month: Decimal = Decimal(0)


_ENSURE = """
INSERT INTO generations_accounthealth (provider, account, model, last_error, failures, balance_currency)
SELECT provider, account, '', '', 0, '' FROM unnest(%s::text[], %s::text[]) AS wanted (provider, account)
ON CONFLICT DO NOTHING
"""

# What nobody waits for any more holds no place: the vendor's own "slow down" tells if it still counts it.
_LOAD = """
SELECT provider, account, model, sum(at_work), sum(minute), sum(day) FROM (
    SELECT provider, account, model, count(*) AS at_work, 0 AS minute, 0 AS day FROM generations_attempt
    WHERE provider = ANY(%(providers)s) AND state IN ('intended', 'submitted', 'running', 'unknown')
        AND created_at > app_now() - make_interval(secs => %(deadline)s)
        AND (state <> 'unknown' OR EXISTS (SELECT 1 FROM generations_generation clip
            WHERE clip.id = generation_id AND clip.ended_at IS NULL))
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT provider, account, model, 0, count(*), 0 FROM generations_attempt
    WHERE provider = ANY(%(providers)s) AND created_at > app_now() - interval '1 minute'
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT provider, account, model, 0, 0, count(*) FROM generations_attempt
    WHERE provider = ANY(%(by_day)s) AND created_at > app_now() - interval '1 day'
    GROUP BY 1, 2, 3
) AS counted GROUP BY 1, 2, 3
"""

# What was refused, or never sent, has no id at the vendor and costs nothing.
_SPENT = """
SELECT provider, account,
    coalesce(sum(cost) FILTER (WHERE created_at >= %(day)s), 0), coalesce(sum(cost), 0)
FROM (
    SELECT provider, account, created_at,
        CASE WHEN cost_currency = 'USD' THEN cost_amount ELSE coalesce(cost_expected, 0) END AS cost
    FROM generations_attempt
    WHERE provider = ANY(%(providers)s) AND created_at >= %(month)s
        AND NOT (state = 'failed' AND external_id IS NULL)
) AS costs GROUP BY 1, 2
"""


def places(generations: Sequence[Generation], now: datetime) -> list[Place | Refused]:
    """For each clip, in this order, who submits it or why nobody may. In the caller's transaction.

    Takes the locks of the vendors' accounts, in the order of their names: after the jobs, before any credit account.
    Four statements; a fifth over the month's attempts, by an index of their own, where a vendor has a budget.
    """
    if not generations:
        return []
    providers = sorted({one.provider for one in generations})
    accounts = {name: registry.accounts(name) for name in providers}
    budgets = {name: _budget(name) for name in providers}
    pairs = [(name, account) for name in providers for account in accounts[name]]
    with connection.cursor() as cursor:
        cursor.execute(_ENSURE, [[one[0] for one in pairs], [one[1] for one in pairs]])
    health = {
        (row.provider, row.account, row.model): row
        for row in AccountHealth.objects.select_for_update()
        .filter(provider__in=providers)
        .order_by("provider", "account", "model")
    }
    load = _load(providers, health)
    spent = _spent([name for name in providers if budgets[name]], now)
    costs = expected_costs(generations)
    makers = _makers(generations)
    return [
        _place(
            one,
            makers.get(one.id) or accounts[one.provider],
            health,
            load,
            spent,
            budgets[one.provider],
            costs[number],
            now,
        )
        for number, one in enumerate(generations)
    ]


def _makers(generations: Sequence[Generation]) -> dict[UUID, list[str]]:
    """By clip, the account that made its source video at the same vendor: only that one can go on with it.

    No statement where no clip is made from a video.
    """
    sources = {one.source_video_id for one in generations if one.source_video_id is not None}
    if not sources:
        return {}
    made = {
        (output_id, provider): account
        for output_id, provider, account in Attempt.objects.filter(
            generation__output_id__in=sources, state=AttemptState.SUCCEEDED
        ).values_list("generation__output_id", "provider", "account")
    }
    found: dict[UUID, list[str]] = {}
    for one in generations:
        if one.source_video_id is not None and (one.source_video_id, one.provider) in made:
            account = made[one.source_video_id, one.provider]
            if account in registry.accounts(one.provider):
                found[one.id] = [account]
    return found


def expected_costs(generations: Sequence[Generation]) -> list[Decimal | None]:
    """What the vendor will charge for each clip by the rate card in force, in USD; None where nobody says."""
    cards = rate_cards.current(sorted({one.model for one in generations}))
    per_dollar = credits_per_unit("USD")
    found: list[Decimal | None] = []
    for one in generations:
        card = cards.get(one.model)
        credits = (
            vendor_credits(card, seconds=Fraction(one.duration_seconds), characters=len(one.prompt))
            if card is not None
            else None
        )
        if credits is None or not per_dollar:
            found.append(None)
            continue
        dollars = credits / Fraction(per_dollar)
        found.append((Decimal(dollars.numerator) / dollars.denominator).quantize(Decimal("0.000001")))
    return found


def limits_of(
    model: str, account: str, health: Mapping[tuple[str, str, str], AccountHealth]
) -> tuple[ProviderLimits, ProviderLimits | None]:
    """What the account may do in all and with this model: what the vendor said, else our facts.

    An operator's setting is never exceeded, whatever the vendor says.
    """
    facts = MODELS[model]
    whole = _learned(registry.limits(facts.provider), health.get((facts.provider, account, "")))
    whole = _capped(whole, settings.PROVIDER_LIMITS.get(facts.provider, {}))
    row = health.get((facts.provider, account, model))
    said = row is not None and any(
        value is not None for value in (row.concurrent, row.per_minute, row.per_day)
    )
    own = registry.own_limits(model)
    if own is None and said:
        own = registry.limits(facts.provider)
    return whole, _learned(own, row) if own is not None else None


def _place(
    generation: Generation,
    accounts: Sequence[str],
    health: Mapping[tuple[str, str, str], AccountHealth],
    load: dict[tuple[str, str, str], _Load],
    spent: dict[tuple[str, str], _Spent],
    budget: Mapping[str, Decimal],
    cost: Decimal | None,
    now: datetime,
) -> Place | Refused:
    obstacles: list[Refused] = []
    able: list[tuple[float, str]] = []
    for account in accounts:
        keys = [(generation.provider, account, ""), (generation.provider, account, generation.model)]
        rows = [row for key in keys if (row := health.get(key)) is not None]
        refused = _standing(rows, now) or _money(
            budget, spent.setdefault((generation.provider, account), _Spent()), cost, now
        )
        if refused is None:
            room = _room(keys, limits_of(generation.model, account, health), load)
            if room > 0:
                able.append((room, account))
                continue
            refused = Refused(obstacle=Obstacle.FULL, wait=DAY_WAIT if room is _DAY_USED else FULL_WAIT)
        obstacles.append(refused)
    if not able:
        if not obstacles:
            return Refused(obstacle=Obstacle.NO_ACCOUNT, wait=timedelta(minutes=1))
        # The one that is gone soonest is the one that is waited for.
        return replace(min(obstacles, key=lambda one: one.wait), whole=all(one.whole for one in obstacles))
    # The emptiest; of equals the first.
    account = max(able, key=lambda one: one[0])[1]
    for key in ((generation.provider, account, ""), (generation.provider, account, generation.model)):
        load[key].at_work += 1
        load[key].minute += 1
        load[key].day += 1
        row = health.get(key)
        if row is not None and row.failures >= OPENS_AFTER:
            # This one is the probe: the next may come when its time is up, or it has succeeded.
            row.open_until = now + PROBE
            row.save(update_fields=["open_until"])
    money = spent[generation.provider, account]
    money.day += cost or 0
    money.month += cost or 0
    return Place(account=account, cost_expected=cost)


def _standing(rows: Iterable[AccountHealth], now: datetime) -> Refused | None:
    """Whether a pause or an open breaker stands in the way."""
    for row in rows:
        if row.paused_until is not None and row.paused_until > now:
            return Refused(obstacle=Obstacle.PAUSED, wait=row.paused_until - now, whole=not row.model)
        if row.failures >= OPENS_AFTER and row.open_until is not None and row.open_until > now:
            return Refused(obstacle=Obstacle.FAILING, wait=row.open_until - now, whole=not row.model)
    return None


def _money(
    budget: Mapping[str, Decimal], spent: _Spent, cost: Decimal | None, now: datetime
) -> Refused | None:
    """Whether a budget stands in the way. What nobody can price is over every budget."""
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    for name, used in (("day", spent.day), ("month", spent.month)):
        limit = budget.get(name)
        if limit is not None and (cost is None or used + cost > limit):
            return Refused(obstacle=Obstacle.BUDGET, wait=tomorrow - now)
    return None


def _room(
    keys: Sequence[tuple[str, str, str]],
    limits: tuple[ProviderLimits, ProviderLimits | None],
    load: Mapping[tuple[str, str, str], _Load],
) -> float:
    """What share of the account is free; 0 or less: it takes no more now, _DAY_USED: no more for long."""
    shares = []
    for key, limit in zip(keys, limits, strict=True):
        if limit is None:
            continue
        now = load[key]
        shares.append(1 - now.at_work / limit.concurrent if limit.concurrent else 0.0)
        shares.append(1 - now.minute / limit.per_minute if limit.per_minute else 0.0)
        if limit.per_day is not None and now.day >= limit.per_day:
            return _DAY_USED
        if limit.per_day is not None:
            shares.append(1 - now.day / limit.per_day)
    return min(shares)


def _learned(fact: ProviderLimits, row: AccountHealth | None) -> ProviderLimits:
    if row is None:
        return fact
    return replace(
        fact,
        concurrent=fact.concurrent if row.concurrent is None else row.concurrent,
        per_minute=fact.per_minute if row.per_minute is None else row.per_minute,
        per_day=fact.per_day if row.per_day is None else row.per_day,
    )


def _capped(limits: ProviderLimits, setting: Mapping[str, int]) -> ProviderLimits:
    """The tighter of what the vendor allows and what the operator does."""
    said = {name: getattr(limits, name) for name in setting}
    return replace(
        limits,
        **{name: min(most, said[name] if said[name] is not None else most) for name, most in setting.items()},
    )


def _budget(provider: str) -> Mapping[str, Decimal]:
    """What each of our accounts there may spend, in USD, by day and by month."""
    return {name: Decimal(str(value)) for name, value in settings.PROVIDER_BUDGETS.get(provider, {}).items()}


def _load(
    providers: Sequence[str], health: Mapping[tuple[str, str, str], AccountHealth]
) -> dict[tuple[str, str, str], _Load]:
    """One pass over the attempts at work and those of the last minute; of the last day where a day is limited."""
    by_day = sorted(
        {row.provider for row in health.values() if row.per_day is not None}
        | {
            model.provider
            for model in MODELS.values()
            if model.provider in providers
            and (
                ((own := registry.own_limits(model.id)) is not None and own.per_day is not None)
                or registry.limits(model.provider).per_day is not None
            )
        }
    )
    load: dict[tuple[str, str, str], _Load] = defaultdict(_Load)
    with connection.cursor() as cursor:
        cursor.execute(
            _LOAD,
            {
                "providers": list(providers),
                "by_day": by_day,
                "deadline": settings.RENDER_DEADLINE.total_seconds(),
            },
        )
        for provider, account, model, at_work, minute, day in cursor.fetchall():
            for key in ((provider, account, ""), (provider, account, model)):
                one = load[key]
                one.at_work += int(at_work)
                one.minute += int(minute)
                one.day += int(day)
    return load


def _spent(providers: Sequence[str], now: datetime) -> dict[tuple[str, str], _Spent]:
    if not providers:
        return {}
    with connection.cursor() as cursor:
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        cursor.execute(_SPENT, {"providers": list(providers), "day": day, "month": day.replace(day=1)})
        return {(row[0], row[1]): _Spent(day=row[2], month=row[3]) for row in cursor.fetchall()}
