"""Looking at our accounts at vendors: what they may do and own, and whether both sides' records agree."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from generations import reconciliation, vendor_health
from generations.kinds import RECONCILIATION, VENDOR_ACCOUNT
from providers import registry
from providers.contract import AccountStanding, Listed
from providers.errors import ProviderError, UnsupportedFeature
from workers.jobs import Continue, End, Lease, Next, Outcome, Stage
from workers.models import JobState

logger = logging.getLogger(__name__)

LOOK_EVERY = timedelta(minutes=10)
# A vendor whose list can't be had is asked again so often and so many hours long; then the day is compared without it.
LIST_EVERY = timedelta(minutes=15)
LIST_WITHIN = timedelta(hours=6)
# The vendor's clock may be behind ours: so much before the day its list is read from.
SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWork:
    provider: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAnswer:
    work: AccountWork
    standing: AccountStanding | None = None
    error: ProviderError | None = None


class LookAtAccount(Stage[AccountWork, AccountAnswer]):
    """Ask for the balance and the limits, again and again, as long as the account is configured."""

    name = "look_at_account"
    deadline = 40.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, AccountWork | Next]:
        known = reconciliation.subjects(VENDOR_ACCOUNT, leases[0].now)
        return {
            lease.job_id: AccountWork(provider=found[0], account=found[1])
            if (found := known.get(lease.subject_id)) is not None
            else End(state=JobState.COMPLETED)
            for lease in leases
        }

    def call(self, work: AccountWork) -> AccountAnswer:
        try:
            return AccountAnswer(work=work, standing=registry.provider(work.provider, work.account).account())
        except ProviderError as error:
            return AccountAnswer(work=work, error=error)

    def finish(self, outcomes: Sequence[Outcome[AccountAnswer]]) -> Mapping[UUID, Next]:
        for outcome in outcomes:
            answer = outcome.answer
            vendor_health.after_account(answer.work.provider, answer.work.account, answer.error)
            if answer.standing is not None:
                vendor_health.learned(answer.work.provider, answer.work.account, answer.standing)
                _alarm_if_low(answer.work, answer.standing)
        return {
            outcome.lease.job_id: Continue(stage=self.name, due_in=LOOK_EVERY)
            for outcome in outcomes
            if outcome.held
        }

    def abandon(self, lease: Lease) -> Next:
        return End(state=JobState.FAILED, error_code="internal_error")


def _alarm_if_low(work: AccountWork, standing: AccountStanding) -> None:
    least = Decimal(str(settings.LOW_BALANCES.get(work.provider, settings.LOW_BALANCE)))
    if standing.balance is not None and standing.balance < least:
        logger.error(
            "our account %s at %s has %s %s left, less than %s",
            work.account,
            work.provider,
            standing.balance,
            standing.currency,
            least,
            extra={"alarm": "low_balance"},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWork:
    provider: str
    account: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAnswer:
    """The vendor's list; None where it has none, or gave none: then `error` says why."""

    work: DayWork
    listed: Sequence[Listed] | None = None
    error: ProviderError | None = None


class CompareDay(Stage[DayWork, DayAnswer]):
    """Hold the last whole day of an account against the vendor's list and the ledger."""

    name = "compare_day"
    deadline = 90.0

    def begin(self, leases: Sequence[Lease]) -> Mapping[UUID, DayWork | Next]:
        known = reconciliation.subjects(RECONCILIATION, leases[0].now)
        since, until = reconciliation.day_before(leases[0].now)
        return {
            lease.job_id: DayWork(provider=found[0], account=found[1], since=since, until=until)
            if (found := known.get(lease.subject_id)) is not None
            # Of a day that is past: the next one is compared by its own job.
            else End(state=JobState.COMPLETED)
            for lease in leases
        }

    def call(self, work: DayWork) -> DayAnswer:
        try:
            return DayAnswer(
                work=work, listed=registry.provider(work.provider, work.account).listed(work.since - SKEW)
            )
        except ProviderError as error:
            return DayAnswer(work=work, error=error)

    def finish(self, outcomes: Sequence[Outcome[DayAnswer]]) -> Mapping[UUID, Next]:
        nexts: dict[UUID, Next] = {}
        for outcome in outcomes:
            if not outcome.held:
                continue
            answer, lease = outcome.answer, outcome.lease
            waited = lease.now - lease.created_at
            if answer.error is not None and not isinstance(answer.error, UnsupportedFeature):
                vendor_health.after_account(answer.work.provider, answer.work.account, answer.error)
                if waited < LIST_WITHIN:
                    nexts[lease.job_id] = Continue(stage=self.name, due_in=LIST_EVERY)
                    continue
            _report(answer)
            nexts[lease.job_id] = End(state=JobState.COMPLETED)
        return nexts

    def abandon(self, lease: Lease) -> Next:
        return End(state=JobState.FAILED, error_code="internal_error")


def _report(answer: DayAnswer) -> None:
    work = answer.work
    try:
        with transaction.atomic():
            report = reconciliation.report(work.provider, work.account, work.since, work.until, answer.listed)
    except IntegrityError:
        return
    if report.drift:
        logger.error(
            "%s %s: %d things differ on %s",
            work.provider,
            work.account,
            report.drift,
            f"{work.since:%Y-%m-%d}",
            extra={"alarm": "drift"},
        )
