"""How our accounts at vendors fare: a circuit breaker, pauses, and what each vendor lets us do.

Facts of advice, not of money: each is written in a short transaction of its own after the one that it is about, and
losing one costs a slower reaction and nothing else.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from generations.attempts import code_of
from generations.models import OPENS_AFTER, AccountHealth, Attempt
from generations.vendor_accounts import PROBE
from providers import registry
from providers.catalogue import MODELS, VideoModel
from providers.contract import AccountStanding
from providers.errors import (
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    NotConfigured,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.vendors import VIDEO_PROVIDERS
from workers import clock
from workers.clock import AppNow
from workers.jobs import BEGIN_SECONDS

logger = logging.getLogger(__name__)

# How long the breaker stays open: doubling from one to the other with each probe that fails.
OPEN_SECONDS, LONGEST_OPEN_SECONDS = 30, 600
# A vendor that says "slow down" without saying how long.
BUSY_PAUSE = timedelta(seconds=10)
# How long an account that is refused, or a model that is gone, is left alone.
REFUSED_PAUSE = timedelta(minutes=1)
GONE_PAUSE = timedelta(hours=1)
# A success is written this often, or at once where it changes something.
SUCCESS_EVERY_SECONDS = 10
# The error of a look that had no usable answer.
NO_ANSWER = "no_answer"

# A look that is answered says nothing of submissions that fail: it says that the vendor is there, and no more.
_SUCCESS = f"""
INSERT INTO generations_accounthealth AS health
    (provider, account, model, last_success_at, last_error, failures, balance_currency)
VALUES (%(provider)s, %(account)s, %(model)s, app_now(), '', 0, '')
ON CONFLICT (provider, account, model) DO UPDATE SET
    last_success_at = app_now(),
    failures = CASE WHEN %(look)s THEN health.failures ELSE 0 END,
    open_until = CASE WHEN %(look)s THEN health.open_until END
WHERE ((health.failures > 0 OR health.open_until IS NOT NULL) AND NOT %(look)s)
    OR health.last_success_at IS NULL
    OR health.last_success_at < app_now() - interval '{SUCCESS_EVERY_SECONDS} seconds'
"""

_LOOK_FAILED = f"""
INSERT INTO generations_accounthealth AS health
    (provider, account, model, last_error_at, last_error, failures, balance_currency)
VALUES (%(provider)s, %(account)s, '', app_now(), '{NO_ANSWER}', 0, '')
ON CONFLICT (provider, account, model) DO UPDATE SET last_error_at = app_now(), last_error = '{NO_ANSWER}'
WHERE health.last_error_at IS NULL
    OR health.last_error_at < app_now() - interval '{SUCCESS_EVERY_SECONDS} seconds'
"""

# Of what fails while the breaker is open only the probe counts, which began when it was let through: what was under way
# before says nothing new.
_FAILURE = f"""
INSERT INTO generations_accounthealth AS health
    (provider, account, model, last_error_at, last_error, failures, balance_currency, last_failed_owner)
VALUES (%(provider)s, %(account)s, %(model)s, app_now(), %(error)s, 1, '', %(owner)s)
ON CONFLICT (provider, account, model) DO UPDATE SET
    last_error_at = app_now(), last_error = %(error)s, failures = health.failures + 1, last_failed_owner = %(owner)s,
    open_until = CASE WHEN health.failures + 1 >= {OPENS_AFTER}
        THEN app_now() + interval '1 second'
            * least({LONGEST_OPEN_SECONDS}, {OPEN_SECONDS} * power(2, least(health.failures + 1 - {OPENS_AFTER}, 10)))
        ELSE health.open_until END
WHERE (health.open_until IS NULL OR health.open_until <= app_now()
    OR coalesce(%(began)s::timestamptz - health.open_until + make_interval(secs => {PROBE.total_seconds()})
        BETWEEN interval '0' AND make_interval(secs => {BEGIN_SECONDS}), false))
    AND (%(owner)s::uuid IS NULL OR health.last_failed_owner IS DISTINCT FROM %(owner)s::uuid OR health.failures = 0
        OR health.open_until IS NOT NULL)
RETURNING health.failures
"""

_PAUSE = """
INSERT INTO generations_accounthealth AS health
    (provider, account, model, last_error_at, last_error, failures, balance_currency, paused_until)
VALUES (%(provider)s, %(account)s, %(model)s, app_now(), %(error)s, 0, '', app_now() + make_interval(secs => %(wait)s))
ON CONFLICT (provider, account, model) DO UPDATE SET
    last_error_at = app_now(), last_error = %(error)s,
    paused_until = greatest(health.paused_until, app_now() + make_interval(secs => %(wait)s))
"""


def after_submission(attempt: Attempt, error: ProviderError | None, per_minute: int | None = None) -> None:
    """Once the transaction has committed: what a submission's answer says of the account and the model."""
    provider, account, model = attempt.provider, attempt.account, attempt.model
    match error:
        case None:
            _later(lambda: _succeeded(provider, account, "", per_minute))
        case RateLimited():
            wait = error.retry_after or BUSY_PAUSE
            _later(lambda: pause(provider, account, model if error.of_model else "", wait, "rate_limited"))
        case CredentialsRefused() | NotConfigured():
            _later(lambda: pause(provider, account, "", REFUSED_PAUSE, code_of(error)))
        case RequestRefused(code=FailureCode.MODEL_UNAVAILABLE):
            logger.error("%s no longer offers %s", provider, model, extra={"alarm": "model_gone"})
            _later(lambda: pause(provider, account, model, GONE_PAUSE, code_of(error)))
        case NotSent() | OutcomeUnknown():
            _later(lambda: _failed(provider, account, "", code_of(error), attempt.created_at))
        case UnsupportedFeature():
            # It was not asked.
            pass
        case _:
            # It answers, and has its reasons.
            _later(lambda: _succeeded(provider, account, "", None))


def after_look(attempt: Attempt, error: ProviderError | None) -> None:
    """Once the transaction has committed: what a status or look-up call's answer says of the account."""
    after_account(attempt.provider, attempt.account, error)


def after_account(provider: str, account: str, error: ProviderError | None) -> None:
    """Once the transaction has committed: what a call about the account itself says of it."""
    match error:
        case None | JobNotFound():
            _later(lambda: _succeeded(provider, account, "", None, look=True))
        case ReadFailed():
            _later(lambda: _look_failed(provider, account))
        case CredentialsRefused() | NotConfigured():
            _alarm_refused(provider, account)
            _later(lambda: pause(provider, account, "", REFUSED_PAUSE, code_of(error)))


def after_render(attempt: Attempt, failure: ProviderError | None) -> None:
    """Once the transaction has committed: what the end of a render says of its model."""
    provider, account, model = attempt.provider, attempt.account, attempt.model
    if failure is None:
        _later(lambda: _succeeded(provider, account, model, None))
    elif isinstance(failure, RenderFailed) and failure.code in (
        FailureCode.VENDOR_FAULT,
        FailureCode.NO_MEDIA,
        FailureCode.QUALITY,
    ):
        owner = attempt.generation.owner_id
        _later(lambda: _failed(provider, account, model, code_of(failure), attempt.created_at, owner))


def pause(provider: str, account: str, model: str, wait: timedelta, error: str) -> None:
    """Nothing is submitted for `wait`, to the account or to one model of it; a longer pause stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            _PAUSE,
            {
                "provider": provider,
                "account": account,
                "model": model,
                "wait": wait.total_seconds(),
                "error": error,
            },
        )


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """What nothing is submitted to at the moment: accounts, by vendor, and models of accounts."""

    rows: frozenset[tuple[str, str, str]]

    def covers(self, model: VideoModel) -> bool:
        """Whether each of our accounts at the model's vendor is out of order, as a whole or for this model."""
        accounts = registry.accounts(model.provider)
        return bool(accounts) and all(
            not self.rows.isdisjoint({(model.provider, account, ""), (model.provider, account, model.id)})
            for account in accounts
        )


def out_of_order() -> OutOfOrder:
    """As the breakers and the pauses of a minute or more stand. One statement over a few hundred rows."""
    rows = AccountHealth.objects.filter(
        Q(failures__gte=OPENS_AFTER, open_until__gt=AppNow())
        | Q(paused_until__gt=AppNow() + timedelta(minutes=1))
    )
    return OutOfOrder(frozenset(rows.values_list("provider", "account", "model")))


def standings() -> list[dict[str, Any]]:
    """Each vendor with our accounts there, as a status page shows them. Two statements."""
    rows = {(row.provider, row.account): row for row in AccountHealth.objects.filter(model="")}
    now = clock.now()
    found = []
    for provider in VIDEO_PROVIDERS:
        accounts = [
            _standing(account, rows.get((provider, account)), now) for account in registry.accounts(provider)
        ]
        able = any(one["breaker"] != "open" and one["paused_until"] is None for one in accounts)
        found.append(
            {
                "provider": provider,
                "status": "available" if able else "failing" if accounts else "unavailable",
                "accounts": accounts,
            }
        )
    return found


def _standing(account: str, row: AccountHealth | None, now: datetime) -> dict[str, Any]:
    if row is None:
        row = AccountHealth(account=account)
    return {
        "account": account,
        "breaker": breaker(row, now),
        "open_until": row.open_until if breaker(row, now) == "open" else None,
        "paused_until": row.paused_until if row.paused_until is not None and row.paused_until > now else None,
        "last_success_at": row.last_success_at,
        "last_error_at": row.last_error_at,
        "last_error": row.last_error,
    }


def close(ids: Sequence[int]) -> int:
    """An operator lets submissions through again; how many rows changed. Gates that were paused open by themselves."""
    return AccountHealth.objects.filter(id__in=ids).update(failures=0, open_until=None, paused_until=None)


def breaker(row: AccountHealth, now: datetime) -> str:
    """closed; open: nothing is submitted; half_open: one submission is, as a probe."""
    if row.failures < OPENS_AFTER:
        return "closed"
    return "open" if row.open_until is not None and row.open_until > now else "half_open"


_LIMITS = """
INSERT INTO generations_accounthealth
    (provider, account, model, last_error, failures, balance_currency, concurrent, per_minute, per_day)
VALUES (%(provider)s, %(account)s, %(model)s, '', 0, '', %(concurrent)s, %(per_minute)s, %(per_day)s)
ON CONFLICT (provider, account, model) DO UPDATE SET
    concurrent = %(concurrent)s, per_minute = %(per_minute)s, per_day = %(per_day)s
"""

_BALANCE = """
INSERT INTO generations_accounthealth
    (provider, account, model, last_error, failures, balance, balance_currency, balance_read_at)
VALUES (%(provider)s, %(account)s, '', '', 0, %(balance)s, %(currency)s, app_now())
ON CONFLICT (provider, account, model) DO UPDATE SET
    balance = %(balance)s, balance_currency = %(currency)s, balance_read_at = app_now()
"""


def learned(provider: str, account: str, standing: AccountStanding) -> None:
    """Once the transaction has committed: keep what the vendor says of our account."""
    _later(lambda: _learn(provider, account, standing))


def _learn(provider: str, account: str, standing: AccountStanding) -> None:
    models: dict[str, list[str]] = {}
    for fact in MODELS.values():
        if fact.provider == provider:
            models.setdefault(fact.vendor_model, []).append(fact.id)
    with connection.cursor() as cursor:
        if standing.balance is not None:
            cursor.execute(
                _BALANCE,
                {
                    "provider": provider,
                    "account": account,
                    "balance": standing.balance,
                    "currency": standing.currency[:10],
                },
            )
        for name, limits in standing.limits.items():
            for model in models.get(name, []):
                cursor.execute(
                    _LIMITS,
                    {
                        "provider": provider,
                        "account": account,
                        "model": model,
                        "concurrent": limits.concurrent,
                        "per_minute": limits.per_minute,
                        "per_day": limits.per_day,
                    },
                )


def _succeeded(
    provider: str, account: str, model: str, per_minute: int | None, *, look: bool = False
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SUCCESS, {"provider": provider, "account": account, "model": model, "look": look})
        if per_minute is not None:
            cursor.execute(
                "UPDATE generations_accounthealth SET per_minute = %s"
                " WHERE provider = %s AND account = %s AND model = %s AND per_minute IS DISTINCT FROM %s",
                [per_minute, provider, account, model, per_minute],
            )


def _look_failed(provider: str, account: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_FAILED, {"provider": provider, "account": account})


def _failed(
    provider: str, account: str, model: str, error: str, began: datetime, owner: UUID | None = None
) -> None:
    """`began`: when the attempt that failed was made; `owner`: whose it is, where the same one's count once in a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FAILURE,
            {
                "provider": provider,
                "account": account,
                "model": model,
                "error": error,
                "began": began,
                "owner": owner,
            },
        )
        row = cursor.fetchone()
    if row is not None and row[0] == OPENS_AFTER:
        logger.error(
            "%s fails: nothing is submitted to %s for a while",
            provider,
            model or f"the account {account}",
            extra={"alarm": "breaker_open"},
        )


def _alarm_refused(provider: str, account: str) -> None:
    logger.error("%s refuses our account %s", provider, account, extra={"alarm": "credentials_refused"})


def _later(write: Callable[[], None]) -> None:
    """After the transaction: its locks are then gone. A failure to write is logged and forgotten."""
    transaction.on_commit(write, robust=True)
