"""How our accounts at vendors fare: a circuit breaker, pauses, and what each vendor lets us do.

Facts of advice, not of money: each is written in a short transaction of its own after the one that it is about, and
losing one costs a slower reaction and nothing else.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q

from generations.attempts import code_of
from generations.models import OPENS_AFTER, AccountHealth, Attempt
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
)
from workers.clock import AppNow

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

_SUCCESS = f"""
INSERT INTO generations_accounthealth AS health
    (provider, account, model, last_success_at, last_error, failures, balance_currency)
VALUES (%s, %s, %s, app_now(), '', 0, '')
ON CONFLICT (provider, account, model) DO UPDATE SET
    last_success_at = app_now(), failures = 0, open_until = NULL
WHERE health.failures > 0 OR health.open_until IS NOT NULL OR health.last_success_at IS NULL
    OR health.last_success_at < app_now() - interval '{SUCCESS_EVERY_SECONDS} seconds'
"""

_FAILURE = f"""
INSERT INTO generations_accounthealth AS health
    (provider, account, model, last_error_at, last_error, failures, balance_currency)
VALUES (%(provider)s, %(account)s, %(model)s, app_now(), %(error)s, %(counts)s, '')
ON CONFLICT (provider, account, model) DO UPDATE SET
    last_error_at = app_now(), last_error = %(error)s, failures = health.failures + %(counts)s,
    open_until = CASE WHEN %(counts)s > 0 AND health.failures + 1 >= {OPENS_AFTER}
        THEN app_now() + interval '1 second'
            * least({LONGEST_OPEN_SECONDS}, {OPEN_SECONDS} * power(2, least(health.failures + 1 - {OPENS_AFTER}, 10)))
        ELSE health.open_until END
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
            _later(lambda: _failed(provider, account, "", code_of(error)))
        case _:
            # It answers, and has its reasons.
            _later(lambda: _succeeded(provider, account, "", None))


def after_look(attempt: Attempt, error: ProviderError | None) -> None:
    """Once the transaction has committed: what a status or look-up call's answer says of the account."""
    provider, account = attempt.provider, attempt.account
    match error:
        case None | JobNotFound():
            _later(lambda: _succeeded(provider, account, "", None))
        case ReadFailed():
            _later(lambda: _failed(provider, account, "", "no_answer"))
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
        _later(lambda: _failed(provider, account, model, code_of(failure)))


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


def _succeeded(provider: str, account: str, model: str, per_minute: int | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SUCCESS, [provider, account, model])
        if per_minute is not None:
            cursor.execute(
                "UPDATE generations_accounthealth SET per_minute = %s"
                " WHERE provider = %s AND account = %s AND model = %s AND per_minute IS DISTINCT FROM %s",
                [per_minute, provider, account, model, per_minute],
            )


def _failed(provider: str, account: str, model: str, error: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _FAILURE,
            {"provider": provider, "account": account, "model": model, "error": error, "counts": 1},
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
