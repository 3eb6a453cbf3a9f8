"""GET /api/v1/status/: whether the parts that a user's work depends on do theirs, each vendor among them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import supabase
from accounts.errors import IdentityProviderAway
from config import health
from generations import vendor_health


def _sign_in_keys() -> None:
    try:
        supabase.check_keys()
    except IdentityProviderAway:
        raise health.Unready("the issuer's keys can't be had") from None


def probes() -> Mapping[str, Callable[[], None]]:
    """What is asked: a part that is not configured is not."""
    found = {name: health.PROBES[name] for name in ("database", "storage", "workers")}
    return found | ({"sign_in_keys": _sign_in_keys} if settings.SUPABASE_ISSUER else {})


class PartSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    ms = serializers.IntegerField(help_text="How long its answer took.")
    detail = serializers.CharField(help_text="What is wrong; empty if nothing is.")


class VendorAccountSerializer(serializers.Serializer[Any]):
    """One of our accounts at a vendor, in the order in which they are asked."""

    account = serializers.CharField()
    breaker = serializers.ChoiceField(
        choices=["closed", "half_open", "open"],
        help_text="open: it failed several times in a row, and nothing is submitted until `open_until`;"
        " half_open: the next submission is a probe.",
    )
    open_until = serializers.DateTimeField(allow_null=True)
    paused_until = serializers.DateTimeField(allow_null=True, help_text="Until when it asked us to wait.")
    last_success_at = serializers.DateTimeField(allow_null=True)
    last_error_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(help_text="Its code; empty: there was none.")


class VendorSerializer(serializers.Serializer[Any]):
    provider = serializers.CharField()
    status = serializers.ChoiceField(
        choices=["available", "failing", "unavailable"],
        help_text="unavailable: it is not configured here; failing: none of our accounts there may submit now.",
    )
    accounts = VendorAccountSerializer(many=True)


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(
        choices=["ok", "degraded"], help_text="degraded: one of the parts, or each vendor, is out of order."
    )
    parts = serializers.DictField(child=PartSerializer())
    vendors = VendorSerializer(many=True)


class StatusView(APIView):
    """How the system fares. No balances, budgets or limits: those are the operators'."""

    @extend_schema(operation_id="status_get", responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """Each part and each vendor, with its last success and error."""
        parts = health.probe(probes())
        vendors = vendor_health.standings() if parts["database"].ok else []
        usable = any(one["status"] == "available" for one in vendors)
        return Response(
            {
                "status": "ok" if usable and all(part.ok for part in parts.values()) else "degraded",
                "parts": {name: asdict(part) for name, part in parts.items()},
                "vendors": vendors,
            }
        )
