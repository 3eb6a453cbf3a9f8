from datetime import timedelta

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from allauth.account.signals import email_confirmed, user_logged_in

        from accounts import idempotency, rates, sessions, sign_in
        from accounts.events import log
        from accounts.tiers import tiers
        from workers import jobs

        # A wrong TIERS refuses to start.
        tiers()
        jobs.listen(log.write_changes)
        for name, every, run in (
            ("accounts.rates", timedelta(minutes=5), rates.forget_old),
            ("accounts.sessions", timedelta(hours=1), sessions.forget_expired),
            ("accounts.idempotency", timedelta(minutes=10), idempotency.forget_old),
            ("accounts.events", timedelta(minutes=10), log.forget_old),
        ):
            jobs.register_sweep(jobs.Sweep(name=name, every=every, run=run))
        email_confirmed.connect(sign_in.on_email_confirmed, dispatch_uid="accounts.sign_in")
        user_logged_in.connect(sign_in.on_logged_in, dispatch_uid="accounts.sign_in")
