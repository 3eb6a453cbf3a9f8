"""POST /generations/ beside a view that inserts one row, behind the same authentication and throttle.

Both go through Django's whole request path in this process, with an API key. Ours takes the price, the hold, the
job, the event and the idempotency record; the peer inserts one row by the ORM.
"""

import json
import uuid
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.credentials import make_api_key
from accounts.models import User
from accounts.throttles import CreateThrottle
from accounts.tiers import tiers
from credits import ledger
from generations.models import ModelSwitch

from .measure import Measure, alternating

MOST_STATEMENTS = 12
BODY = json.dumps({"model": "sandbox/motion-1", "prompt": "A paper boat crosses a flooded street"})


class OneRowView(APIView):
    """The peer."""

    throttle_classes = (CreateThrottle,)

    def post(self, request: Request) -> Response:
        row = ModelSwitch.objects.create(model=uuid.uuid4().hex, note=str(request.data))
        return Response({"model": row.model, "note": row.note}, status=201)


urlpatterns = [path("one-row/", OneRowView.as_view())]


def run() -> list[Measure]:
    limits = {"creates_per_minute": 10**7, "queued_jobs": 10**7, "credits_per_day": 10**15}
    settings.TIERS = {"free": limits}
    tiers.cache_clear()
    settings.QUEUE_LIMIT = 10**7
    from config import urls

    urls.urlpatterns += urlpatterns
    owner = User.objects.create_user(email="bench@example.com")
    with transaction.atomic():
        ledger.grant(owner_id=owner.pk, amount=10**12, key="bench")
    key = make_api_key(owner, name="bench", scopes=["read", "write"]).secret
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Api-Key {key}"})

    def post(address: str, **headers: str) -> Any:
        response = client.post(address, BODY, content_type="application/json", headers=headers)
        assert response.status_code == 201, response.content
        return response

    def ours() -> None:
        post("/api/v1/generations/", **{"Idempotency-Key": uuid.uuid4().hex})

    def peer() -> None:
        post("/one-row/", **{"Idempotency-Key": uuid.uuid4().hex})

    result = alternating(ours, peer)
    counts = []
    for name, call in (("create", ours), ("one-row view", peer)):
        with CaptureQueriesContext(connection) as queries:
            call()
        counts.append(
            (
                name,
                len(
                    [
                        one
                        for one in queries.captured_queries
                        if not str(one["sql"]).startswith(("BEGIN", "COMMIT"))
                    ]
                ),
            )
        )
    return [
        *result.measures("creates", unit="requests/s", bar=0.33),
        Measure(
            name="statements of a create", value=counts[0][1], unit="", bar=MOST_STATEMENTS, better="less"
        ),
        Measure(name="statements of the one-row view", value=counts[1][1], unit=""),
    ]
