"""What vendors send us: verified, stored once, answered at once. It changes nothing by itself.

A delivery only makes the attempt's job due, so that the truth is fetched with our own key.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from generations import late_results
from generations.attempts import record_external_id
from generations.callbacks import attempt_of
from generations.kinds import GENERATION
from generations.models import Attempt, AttemptState, GenerationStatus, WebhookDelivery
from providers import registry
from providers.adapters import UnknownProvider
from providers.contract import RenderUpdate
from providers.errors import BadSignature, NotConfigured, ProviderError
from workers import jobs
from workers.clock import AppNow

logger = logging.getLogger(__name__)

# The token of a vendor that is told one address for all our renders: its signature alone speaks for it.
OF_ACCOUNT = "account"
# The longest text of a delivery that is kept for operators, in characters.
LONGEST_TEXT = 500
HINTED = "hinted"
LATE = "late"
NONE = "none"

_STORE = """
INSERT INTO generations_webhookdelivery (
    provider, delivery_id, attempt_id, received_at, times, external_id, vendor_state, body, verified, effect
) VALUES (%s, %s, %s, app_now(), 1, %s, %s, %s, true, %s)
ON CONFLICT (provider, delivery_id) DO UPDATE SET times = generations_webhookdelivery.times + 1
RETURNING times
"""


class Refused(Exception):
    """Not a delivery we may act on; `reason` is for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Whom a URL that a vendor calls belongs to, known before anything of the body is read."""

    provider: str
    # None: a vendor that calls one address for all our renders.
    attempt: Attempt | None
    max_bytes: int


def addressee(provider: str, token: str) -> Addressee:
    """Whose URL this is. Raises Refused for a provider that there is not, or a token that we did not sign."""
    try:
        kind = registry.kind(provider)
    except UnknownProvider as error:
        raise Refused("provider") from error
    if token == OF_ACCOUNT and kind.webhooks_of_account:
        return Addressee(provider=provider, attempt=None, max_bytes=kind.webhook_max_bytes)
    attempt_id = attempt_of(token)
    if attempt_id is None:
        raise Refused("token")
    attempt = Attempt.objects.filter(id=attempt_id, provider=provider).select_related("generation").first()
    if attempt is None:
        raise Refused("attempt")
    return Addressee(provider=provider, attempt=attempt, max_bytes=kind.webhook_max_bytes)


def receive(to: Addressee, headers: Mapping[str, str], body: bytes) -> int:
    """Take one delivery; how many of its updates were new.

    Raises Refused for a wrong signature, time, size or body: nothing is stored then.
    """
    if len(body) > to.max_bytes:
        raise Refused("size")
    updates = _read(to, headers, body)
    if to.attempt is not None:
        return sum(_take(to.attempt, update, body) for update in updates if _is_about(to.attempt, update))
    taken = 0
    for update in updates:
        attempt = (
            Attempt.objects.filter(provider=to.provider, external_id=update.external_id)
            .select_related("generation")
            .first()
        )
        # One of another system's on the same account, or of a submission whose answer isn't there yet: a look will tell.
        taken += _take(attempt, update, body) if attempt is not None else 0
    return taken


def _read(to: Addressee, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
    """What the delivery says, verified with the secrets of the account that it is for. Raises Refused."""
    accounts = [to.attempt.account] if to.attempt is not None else registry.accounts(to.provider)
    refusal = Refused("provider")
    for account in accounts:
        try:
            return registry.provider(to.provider, account).read_webhook(headers, body)
        except BadSignature:
            refusal = Refused("signature")
        except ProviderError as error:
            raise Refused("body") from error
    raise refusal


def _is_about(attempt: Attempt, update: RenderUpdate) -> bool:
    """A delivery to one attempt's URL that speaks of another job is nobody's."""
    if update.client_token is not None and update.client_token != attempt.id.hex:
        logger.error("webhook for attempt %s names another", attempt.id, extra={"alarm": "webhook_mismatch"})
        return False
    if attempt.external_id is not None and update.external_id != attempt.external_id:
        logger.error(
            "webhook for attempt %s names another job", attempt.id, extra={"alarm": "webhook_mismatch"}
        )
        return False
    return True


def _take(attempt: Attempt, update: RenderUpdate, body: bytes) -> int:
    """Store the delivery and make the job due; 1 if it was new. One short transaction."""
    generation = attempt.generation
    with transaction.atomic():
        late = generation.status == GenerationStatus.FAILED and attempt.state == AttemptState.UNKNOWN
        effect = HINTED if generation.ended_at is None else LATE if late else NONE
        with connection.cursor() as cursor:
            cursor.execute(
                _STORE,
                [
                    attempt.provider,
                    (update.event_id or f"{update.external_id}:{update.vendor_state}")[:200],
                    attempt.id,
                    update.external_id[:200],
                    update.vendor_state[:100],
                    redacted(body),
                    effect,
                ],
            )
            row = cursor.fetchone()
        if row is None or row[0] > 1:
            return 0
        if attempt.external_id is None and _is_believed(attempt, update):
            record_external_id(attempt.id, update.external_id)
        if effect == HINTED:
            jobs.hint(kind=GENERATION, subject_id=generation.id)
        elif effect == LATE:
            late_results.expect(generation)
    return 1


def _is_believed(attempt: Attempt, update: RenderUpdate) -> bool:
    """Whether a delivery to an attempt's own URL tells us its id, which is then looked at with our own key.

    Where no signature is checked, only if its answer to the submission was lost: else that says it in a moment.
    """
    try:
        signed = registry.provider(attempt.provider, attempt.account).verifies_webhooks
    except NotConfigured:
        signed = False
    return signed or update.client_token is not None or attempt.state == AttemptState.UNKNOWN


def told_id(attempt: Attempt) -> str | None:
    """The id that an earlier delivery to the attempt's own URL told, or None. One statement."""
    deliveries = WebhookDelivery.objects.filter(attempt=attempt).exclude(external_id="")
    return deliveries.order_by("id").values_list("external_id", flat=True).first()


def replay(delivery_id: int) -> bool:
    """An operator has the job look at the vendor again; False if it has ended."""
    delivery = WebhookDelivery.objects.select_related("attempt__generation").get(id=delivery_id)
    if delivery.attempt is None:
        return False
    with transaction.atomic():
        if delivery.attempt.generation.ended_at is None:
            return jobs.hint(kind=GENERATION, subject_id=delivery.attempt.generation_id)
        if delivery.attempt.state == AttemptState.UNKNOWN:
            return late_results.expect(delivery.attempt.generation)
    return False


_SECRETS = ("url", "link", "token", "secret", "key", "authorization", "signature", "prompt")


def redacted(body: bytes) -> str:
    """The body as JSON with every link, prompt and secret replaced; empty if it isn't JSON."""

    def clean(value: object, name: str = "") -> object:
        if any(word in name.lower() for word in _SECRETS):
            return "[redacted]"
        if isinstance(value, dict):
            return {key: clean(item, str(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item, name) for item in value]
        if isinstance(value, str) and "://" in value:
            return "[redacted]"
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            # A picture or a video, whole.
            return f"[{len(value):,} characters]"
        return value

    try:
        return json.dumps(clean(json.loads(body)))[:20_000]
    except ValueError:
        return ""


def forget_old() -> int:
    """Drop the bodies of deliveries past their retention; how many."""
    return (
        WebhookDelivery.objects.filter(received_at__lt=AppNow() - settings.WEBHOOKS_KEPT)
        .exclude(body="")
        .update(body="")
    )
