from datetime import timedelta

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class GenerationsConfig(AppConfig):
    name = "generations"

    def ready(self) -> None:
        from accounts import profile
        from generations import (
            cancellation,
            checks,  # noqa: F401  registers itself
            expiry,
            inventory,
            late_results,
            quotes,
            receiving,
            reconciliation,
            scratch,
        )
        from generations.api.serializers import StorageSerializer
        from generations.kinds import GENERATION, LATE_RESULT, RECONCILIATION, VENDOR_ACCOUNT
        from generations.stages.deliver import Deliver, DeliverExamined
        from generations.stages.late import DeliverLate, DeliverLateExamined, FindLate
        from generations.stages.poll import Poll
        from generations.stages.reconcile import Reconcile
        from generations.stages.submit import Submit
        from generations.stages.vendors import CompareDay, LookAtAccount
        from workers import jobs

        jobs.register(
            jobs.JobKind(
                name=GENERATION,
                stages=[Submit(), Reconcile(), Poll(), Deliver(), DeliverExamined()],
                cancel=cancellation.cancel,
            )
        )
        jobs.register(
            jobs.JobKind(name=LATE_RESULT, stages=[FindLate(), DeliverLate(), DeliverLateExamined()])
        )
        jobs.register(jobs.JobKind(name=VENDOR_ACCOUNT, stages=[LookAtAccount()]))
        jobs.register(jobs.JobKind(name=RECONCILIATION, stages=[CompareDay()]))
        for name, every, run in (
            ("vendor_accounts", timedelta(minutes=5), reconciliation.enqueue_due),
            ("late_results", timedelta(minutes=10), late_results.look_again),
            ("old_quotes", timedelta(hours=1), quotes.forget_old),
            ("old_webhooks", timedelta(hours=1), receiving.forget_old),
            ("expiry", timedelta(seconds=30), expiry.expire_due),
            ("inventory", timedelta(minutes=10), inventory.compare),
            ("scratch", timedelta(hours=1), scratch.remove_left),
        ):
            jobs.register_sweep(jobs.Sweep(name=name, every=every, run=run))
        profile.register("storage", StorageSerializer)
        post_migrate.connect(ensure_gates, sender=self)


def ensure_gates(**_: object) -> None:
    """Every provider of the catalogue has its gate, as wide as our accounts there; what an operator changed stays."""
    from generations.kinds import gate_of
    from providers import registry
    from providers.catalogue import MODELS
    from workers import gates

    limits = {model.provider: registry.limits(model.provider) for model in MODELS.values()}
    accounts = {name: max(1, len(registry.accounts(name))) for name in limits}
    gates.ensure(
        {
            gate_of(name): (limit.concurrent * accounts[name], limit.per_minute * accounts[name])
            for name, limit in limits.items()
        }
    )
