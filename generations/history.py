"""How long a model takes, from its own last renders."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection

from providers.catalogue import MODELS

SAMPLE = 100
FEWEST = 5
# Other processes' renders change it slowly: a copy a minute old serves.
KEPT_SECONDS = 60.0

_PERCENTILES = """
SELECT count(*), percentile_cont(ARRAY[0.05, 0.5, 0.9]) WITHIN GROUP (ORDER BY taken)
FROM (
    SELECT extract(epoch FROM ended_at - submitted_at) AS taken FROM generations_attempt
    WHERE model = %s AND state = 'succeeded' AND submitted_at IS NOT NULL
    ORDER BY ended_at DESC LIMIT %s
) AS latest
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Seconds from submission to the vendor's end: hardly ever before `earliest`, half of them by `typical`."""

    earliest: float
    typical: float
    late: float

    def eta_range(self) -> tuple[timedelta, timedelta]:
        return timedelta(seconds=self.earliest), timedelta(seconds=self.late)


_kept: dict[str, tuple[float, Expected]] = {}


def expected(model_id: str) -> Expected:
    """What to expect of this model: from its last 100 renders, or from the catalogue while it has fewer than 5."""
    kept = _kept.get(model_id)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    with connection.cursor() as cursor:
        cursor.execute(_PERCENTILES, [model_id, SAMPLE])
        row = cursor.fetchone()
    assert row is not None
    if row[0] >= FEWEST:
        earliest, typical, late = (max(0.1, float(seconds)) for seconds in row[1])
    else:
        typical = _at_first(model_id)
        earliest, late = typical / 2, typical * 2
    answer = Expected(earliest=earliest, typical=typical, late=late)
    _kept[model_id] = (time.monotonic() + KEPT_SECONDS, answer)
    return answer


def _at_first(model_id: str) -> float:
    """Seconds: as an operator says, or the catalogue."""
    model = MODELS.get(model_id)
    provider, _, _ = model_id.partition("/")
    said = settings.EXPECTED_SECONDS.get(model_id, settings.EXPECTED_SECONDS.get(provider))
    if said is not None:
        return float(said)
    return model.expected_seconds.total_seconds() if model else 60.0


def forget() -> None:
    """Drop the copies, so that the next question reads the rows."""
    _kept.clear()
