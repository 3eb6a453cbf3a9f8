"""What stops a request before it costs anything: caps, the queue's limit, suspension, moderation."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from accounts.tiers import Tier
from generations.errors import ModelUnavailable, Moderated, QueueFull, TooManyJobs
from providers import registry
from providers.catalogue import VideoModel

# One statement: the owner's open jobs by an index of his own, the queue counted no further than its limit, what
# the operator said of the model, and what the owner prefers.
_STANDING = """
SELECT
    (SELECT count(*) FROM workers_job WHERE owner_id = %(owner)s AND kind = 'generation' AND ended_at IS NULL),
    (SELECT count(*) FROM (SELECT 1 FROM workers_job WHERE waits LIMIT %(queue)s) AS line),
    (SELECT enabled FROM generations_modelswitch WHERE model = %(model)s),
    (SELECT retires_at FROM generations_modelswitch WHERE model = %(model)s),
    (SELECT resolution FROM accounts_preferences WHERE owner_id = %(owner)s),
    (SELECT ratio FROM accounts_preferences WHERE owner_id = %(owner)s),
    app_now()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the guards need to know, read at one moment."""

    open_jobs: int
    waiting: int
    enabled: bool
    retires_at: datetime | None
    # What the owner's preferences say, or None.
    resolution: str | None
    ratio: str | None
    now: datetime


def standing(owner_id: UUID, model: str) -> Standing:
    """How things stand for this owner and model. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"owner": owner_id, "queue": settings.QUEUE_LIMIT, "model": model})
        row = cursor.fetchone()
    assert row is not None
    return Standing(
        open_jobs=row[0],
        waiting=row[1],
        enabled=row[2] is not False,
        retires_at=row[3],
        resolution=row[4],
        ratio=row[5],
        now=row[6],
    )


def check_room(now: Standing, tier: Tier) -> None:
    """Raises TooManyJobs over the account's cap, QueueFull over the system's."""
    limit = tier.running_jobs + tier.queued_jobs
    if now.open_jobs >= limit:
        raise TooManyJobs(queued=now.open_jobs, limit=limit)
    if now.waiting >= settings.QUEUE_LIMIT:
        raise QueueFull(retry_after=settings.QUEUE_FULL_RETRY_AFTER)


def check_offered(now: Standing, model: VideoModel) -> None:
    """Raises ModelUnavailable where an operator switched the model off or its vendor has no key."""
    if not now.enabled:
        raise ModelUnavailable(field="model", model=model.id, reason="it is switched off at the moment")
    if not registry.configured(model.provider):
        raise ModelUnavailable(field="model", model=model.id, reason=f"{model.provider} is not configured")


Moderator = Callable[[str], bool]


@cache
def _moderator() -> Moderator:
    moderator: Moderator = import_string(settings.MODERATOR)
    return moderator


@cache
def _refused_words() -> re.Pattern[str] | None:
    words = [re.escape(word.strip()) for word in settings.MODERATION_WORDS if word.strip()]
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE) if words else None


def local_rules(prompt: str) -> bool:
    """Whether the prompt keeps the local list of words (MODERATION_WORDS): the default of MODERATOR."""
    pattern = _refused_words()
    return pattern is None or pattern.search(prompt) is None


def moderate(**texts: str) -> None:
    """Asks the installed moderator about each field's text before anything is spent. Raises Moderated."""
    for field, text in texts.items():
        if text and not _moderator()(text):
            raise Moderated(field=field)
