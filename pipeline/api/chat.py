"""The talk about a plan: said, answered, and heard while it is written."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import connection
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import Page
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.authentication import owner_of
from accounts.idempotency import Answer
from generations import projects
from generations.api.views import checked
from generations.errors import NotFound
from pipeline import chats, versions
from pipeline.api import representation
from pipeline.api.serializers import MessageSerializer, TurnDetailSerializer, TurnSerializer
from pipeline.api.views import WorkView, answered, job_of
from pipeline.errors import TooManyListeners
from pipeline.models import ChatTurn
from pipeline.streaming import Seats, pieces
from workers.models import Job

# Each listener holds a thread of this process.
SEATS = Seats(3)


class Turns(Page):
    ordering = "-created_at"


class ChatView(WorkView):
    """The talk about a plan."""

    pagination_class = Turns

    @extend_schema(operation_id="projects_chat_list", responses=TurnSerializer(many=True))
    def get(self, request: Request, project_id: UUID) -> Response:
        """What was said, the newest first."""
        project = projects.find(owner_of(request), project_id)
        page = self.pagination_class()
        rows = ChatTurn.objects.filter(project=project).select_related("base", "version")
        listed = page.paginate_queryset(rows, request, view=self) or []
        working = Job.objects.in_bulk([one.job_id for one in listed if one.ended_at is None])
        return page.get_paginated_response(
            [representation.turn(one, working.get(one.job_id)) for one in listed]
        )

    @extend_schema(
        operation_id="projects_chat_create",
        parameters=[IDEMPOTENCY_KEY],
        request=MessageSerializer,
        responses={201: TurnSerializer},
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        """Say what is to change.

        The answer comes by itself: listen to the turn's `stream/`, or read the turn until it has ended.
        """
        owner = owner_of(request)
        message = checked(MessageSerializer(data=request.data))["message"]

        def act() -> Answer:
            one = chats.begin(owner, projects.find(owner, project_id), message)
            return Answer(status=status.HTTP_201_CREATED, body=representation.turn(one, job_of(one)))

        return answered(request, act)


def turn_of(request: Request, project_id: UUID, turn_id: UUID) -> ChatTurn:
    """Raises NotFound."""
    project = projects.find(owner_of(request), project_id)
    one = ChatTurn.objects.filter(id=turn_id, project=project).select_related("base", "version").first()
    if one is None:
        raise NotFound(what="turn")
    return one


def turn_detail(request: Request, one: ChatTurn) -> dict[str, Any]:
    comparison = None
    if one.version is not None and one.version.parent is not None:
        comparison = versions.comparison_json(
            versions.compare(
                versions.film_of(one.version.parent),
                versions.film_of(one.version),
                versions.offers_of(owner_of(request)),
            )
        )
    return {**representation.turn(one, job_of(one)), "comparison": comparison}


class TurnView(APIView):
    """One turn of the talk."""

    @extend_schema(operation_id="projects_chat_get", responses=TurnDetailSerializer)
    def get(self, request: Request, project_id: UUID, turn_id: UUID) -> Response:
        """The turn: its reply, the new version, what is different, what is stale, and what redoing that costs."""
        return Response(turn_detail(request, turn_of(request, project_id, turn_id)))


class EventStream(BaseRenderer):
    """Lets a client ask for text/event-stream."""

    media_type = "text/event-stream"
    format = "stream"

    def render(self, data: Any, *arguments: Any, **options: Any) -> bytes:
        return json.dumps(data, default=str).encode()


class TurnStreamView(APIView):
    """A reply while it is written."""

    @extend_schema(
        operation_id="projects_chat_stream",
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                response=str,
                description="`piece` events with more of the reply's `text` (`again`: begin anew), then `turn`: "
                "the turn as its own address answers it. Ends after 55 seconds at most: come again.",
            )
        },
    )
    def get(self, request: Request, project_id: UUID, turn_id: UUID) -> StreamingHttpResponse:
        """Listen to a reply while it is written.

        503 where too many listen: read the turn instead.
        """
        one = turn_of(request, project_id, turn_id)
        if not SEATS.take():
            raise TooManyListeners()
        answer = StreamingHttpResponse(
            _events(request, one), content_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
        # Also where nobody reads it to its end.
        answer._resource_closers.append(SEATS.leave)  # type: ignore[attr-defined]
        return answer

    def get_renderers(self) -> list[BaseRenderer]:
        return [*super().get_renderers(), EventStream()]


def _events(request: Request, one: ChatTurn) -> Iterator[bytes]:
    def ended() -> bool:
        try:
            return ChatTurn.objects.filter(id=one.id, ended_at__isnull=False).exists()
        finally:
            # A stream lasts: the connection is given back between two looks.
            connection.close()

    for piece in pieces(one.id, ended):
        if piece is None:
            yield b": nothing yet\n\n"
        else:
            yield _event("piece", {"text": piece.text, "again": piece.again})
    one.refresh_from_db()
    yield _event("turn", turn_detail(request, one))
    connection.close()


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, default=_text)}\n\n".encode()


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
