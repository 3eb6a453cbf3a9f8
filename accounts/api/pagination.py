"""The one shape of a list: {"results", "next", "previous"}."""

from collections.abc import Sequence
from typing import Any

from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import APIView


class Page(CursorPagination):
    """A page by keyset: it costs the same wherever it is. A subclass names `ordering`, by an index."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class NewestFirst(Page):
    ordering = ("-created_at", "-id")


class Whole(Page):
    """A list that is short enough to be one page."""

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        return Response({"next": None, "previous": None, "results": data})

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return []
