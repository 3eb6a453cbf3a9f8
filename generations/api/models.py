"""The catalogue: what can be asked for, and what it costs."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import Whole
from credits import pricing, rate_cards
from credits.errors import NoPrice
from credits.pricing import Card, PriceRequest
from generations import vendor_health
from generations.api import representation
from generations.api.serializers import ModelSerializer
from generations.models import ModelSwitch
from generations.requests import DEFAULT_RESOLUTION
from providers.catalogue import MODELS, VideoModel
from workers import clock


class ModelsView(APIView):
    """Every model, also those that are gone or have no key: their records still name them."""

    pagination_class = Whole

    @extend_schema(operation_id="models_list", responses=ModelSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every model with its limits, its price and its health."""
        now = clock.now()
        cards = rate_cards.current(list(MODELS))
        switches = ModelSwitch.objects.in_bulk()
        out_of_order = vendor_health.out_of_order()
        results = []
        for one in MODELS.values():
            switch = switches.get(one.id)
            results.append(
                representation.model(
                    one,
                    now=now,
                    enabled=switch is None or switch.enabled,
                    retires_at=switch.retires_at if switch else None,
                    credits=default_price(one, cards.get(one.id)),
                    out_of_order=out_of_order,
                )
            )
        return self.pagination_class().get_paginated_response(results)


def default_price(model: VideoModel, card: Card | None) -> int | None:
    """Credits for the model at its own defaults; None where it has no price."""
    if card is None:
        return None
    resolution = DEFAULT_RESOLUTION if DEFAULT_RESOLUTION in model.resolutions else model.resolutions[0]
    try:
        return pricing.price(
            card,
            PriceRequest(
                duration_seconds=model.default_duration,
                default_duration_seconds=model.default_duration,
                resolution=resolution,
            ),
        ).total
    except NoPrice:
        return None
