"""Clips: estimate, create, list, follow, cancel, retry, download."""

import hashlib
import json
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponseRedirect
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import NewestFirst, Whole
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.authentication import owner_of
from accounts.events.log import events_of
from accounts.idempotency import Answer, once
from accounts.models import User
from accounts.permissions import HasScope, IsNotSuspended
from accounts.throttles import CreateThrottle
from credits import ledger
from generations import assets, cancellation, history, quotes, retrying
from generations.api import representation
from generations.api.serializers import (
    CancelSerializer,
    CreateSerializer,
    DraftSerializer,
    EstimateSerializer,
    EventSerializer,
    GenerationDetailSerializer,
    GenerationSerializer,
    RetrySerializer,
)
from generations.asset_errors import AssetInUse
from generations.creation import Created, Wish, create, prepare
from generations.errors import Gone, InvalidRequest, NotCompleted, NotFound, StillRunning
from generations.kinds import GENERATION
from generations.models import Generation, GenerationStatus
from generations.requests import Draft
from workers import clock, jobs
from workers.clock import AppNow
from workers.models import Job

SPENDING: tuple[type[BasePermission], ...] = (HasScope, IsNotSuspended)


def draft_of(data: dict[str, Any]) -> Draft:
    """The clip's own fields of a checked body."""
    return Draft(**{name: value for name, value in data.items() if name in Draft.__dataclass_fields__})


def checked(serializer: Any) -> dict[str, Any]:
    """The body as its serializer reads it; raises ValidationError."""
    serializer.is_valid(raise_exception=True)
    return cast(dict[str, Any], serializer.validated_data)


def job_of(generation: Generation) -> Job | None:
    """The row of the clip's job. One statement."""
    return Job.objects.filter(id=generation.job_id).first()


def found(owner: User, generation_id: UUID) -> Generation:
    """The owner's clip, deleted ones not. Raises NotFound."""
    generation = (
        Generation.objects.filter(id=generation_id, owner_id=owner.pk, deleted_at__isnull=True)
        .select_related("output")
        .first()
    )
    if generation is None:
        raise NotFound(what="generation")
    return generation


def created_answer(made: Created, now: datetime) -> Answer:
    """201 with the clip and the account's credits."""
    body = representation.generation(made.generation, None, now)
    body["stage"] = "queued"
    body["credits"] |= {"remaining": made.balance, "account_held": made.held}
    return Answer(status=status.HTTP_201_CREATED, body=body)


class EstimatesView(APIView):
    """What a clip would cost."""

    permission_classes = (HasScope,)

    @extend_schema(
        operation_id="estimates_create", request=DraftSerializer, responses={201: EstimateSerializer}
    )
    def post(self, request: Request) -> Response:
        """What a clip would cost.

        The price is binding: name `quote_id` with the same request before it expires, once.
        """
        owner = owner_of(request)
        draft = draft_of(checked(DraftSerializer(data=request.data)))
        with transaction.atomic():
            wanted, now = prepare(owner, draft)
            priced = quotes.price(wanted)
            quote = quotes.promise(owner, priced, now.now)
        balance = ledger.balance_of(owner.pk).balance
        expected = history.expected(wanted.model)
        return Response(
            {
                "quote_id": str(quote.id),
                "expires_at": quote.expires_at,
                "model": wanted.model,
                "provider": wanted.model.partition("/")[0],
                "credits": priced.credits,
                "money": representation.money(priced.credits),
                "breakdown": priced.breakdown,
                "balance": balance,
                "affordable": balance >= priced.credits,
                "eta": {
                    "earliest_seconds": expected.earliest,
                    "typical_seconds": expected.typical,
                    "late_seconds": expected.late,
                },
            },
            status=status.HTTP_201_CREATED,
        )


FILTERS = {"status": GenerationStatus.values, "model": None, "provider": None, "project": None}


class GenerationsView(APIView):
    """The account's clips."""

    throttle_classes = (CreateThrottle,)
    pagination_class = NewestFirst

    def get_permissions(self) -> list[BasePermission]:
        kinds = SPENDING if self.request.method == "POST" else (HasScope,)
        return [kind() for kind in kinds]

    @extend_schema(
        operation_id="generations_list",
        parameters=[OpenApiParameter(name, str, enum=values) for name, values in FILTERS.items()],
        responses=GenerationSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The account's clips, newest first.

        Each filter is served by an index of its own; several at once narrow the same page.
        """
        rows = self._filtered(request)
        page = self.pagination_class()
        listed = page.paginate_queryset(rows.select_related("output"), request, view=self) or []
        working = Job.objects.in_bulk([one.job_id for one in listed if one.ended_at is None])
        now = clock.now()
        return page.get_paginated_response(
            [representation.generation(one, working.get(one.job_id), now) for one in listed]
        )

    def _filtered(self, request: Request) -> QuerySet[Generation]:
        rows = Generation.objects.filter(owner_id=owner_of(request).pk, deleted_at__isnull=True)
        for name in FILTERS:
            value = request.query_params.get(name)
            if not value:
                continue
            if name == "status" and value not in GenerationStatus.values:
                raise InvalidRequest(
                    field="status", reason=f"status is one of {', '.join(GenerationStatus.values)}."
                )
            if name == "project":
                try:
                    value = str(UUID(value))
                except ValueError:
                    raise InvalidRequest(field="project", reason="project is a UUID.") from None
            rows = rows.filter(**{"project_id" if name == "project" else name: value})
        return rows

    @extend_schema(
        operation_id="generations_create",
        parameters=[IDEMPOTENCY_KEY],
        request=CreateSerializer,
        responses={201: GenerationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a clip.

        Its credits are held now, and captured when its video is delivered; if it fails all of them come back.
        """
        owner = owner_of(request)
        data = checked(CreateSerializer(data=request.data))

        def act() -> Answer:
            wanted, now = prepare(owner, draft_of(data))
            made = create(
                owner,
                wanted,
                now,
                Wish(
                    project_id=data.get("project"),
                    quote_id=data.get("quote_id"),
                    max_credits=data.get("max_credits"),
                    start_after=data.get("start_after"),
                    start_by=data.get("start_by"),
                    finish_by=data.get("finish_by"),
                    fallback=data["fallback"],
                ),
            )
            return created_answer(made, now.now)

        answer = once(request, act)
        return Response(answer.body, status=answer.status)


class GenerationView(APIView):
    """One clip."""

    @extend_schema(operation_id="generations_get", responses=GenerationDetailSerializer)
    def get(self, request: Request, generation_id: UUID) -> Response:
        """How far the clip is, and its video.

        Ask every 5 seconds with If-None-Match: unchanged is 304.
        """
        generation = found(owner_of(request), generation_id)
        job = job_of(generation) if generation.ended_at is None else None
        body = representation.generation(generation, job, clock.now())
        body["position"] = representation.position(job)
        body["attempts"] = [representation.attempt(one) for one in generation.attempts.order_by("number")]
        if generation.status == GenerationStatus.FAILED and job is None:
            ended = job_of(generation)
            body["progress"] = ended.progress if ended else body["progress"]
        etag = etag_of(body)
        if request.headers.get("If-None-Match") == etag:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag, "Cache-Control": "private, no-cache"})

    @extend_schema(operation_id="generations_delete", responses={204: None})
    def delete(self, request: Request, generation_id: UUID) -> Response:
        """Delete the clip and its video.

        409 while it is being made, or while a film or an edit needs it.
        """
        with transaction.atomic():
            generation = found(owner_of(request), generation_id)
            if jobs.lock(kind=GENERATION, subject_id=generation.id) is not None:
                raise StillRunning()
            if generation.output is not None and assets.is_pinned(generation.output, clock.now()):
                raise AssetInUse(field="id")
            Generation.objects.filter(id=generation.id).update(deleted_at=AppNow())
            if generation.output_id is not None:
                assets.mark_deleted([generation.output_id])
        return Response(status=status.HTTP_204_NO_CONTENT)


def etag_of(body: dict[str, Any]) -> str:
    """Changes with anything but the signature in a link."""
    video = body.get("video")
    stable = {**body, "video": {**video, "thumbnail_url": None, "poster_url": None} if video else None}
    return f'"{hashlib.sha256(json.dumps(stable, cls=DjangoJSONEncoder).encode()).hexdigest()[:32]}"'


class DownloadView(APIView):
    """The clip's video."""

    @extend_schema(
        operation_id="generations_download",
        responses={302: OpenApiResponse(description="To the file, for ten minutes at most.")},
    )
    def get(self, request: Request, generation_id: UUID) -> HttpResponseRedirect:
        """The clip's video.

        302 to the file; 409 before completion, 410 after expiry.
        """
        generation = found(owner_of(request), generation_id)
        if generation.output is None:
            raise NotCompleted(status=generation.status)
        now = clock.now()
        if generation.output.state != "ready" or assets.is_over(generation.output, now):
            assert generation.output.expires_at is not None
            raise Gone(expires_at=generation.output.expires_at.isoformat())
        return HttpResponseRedirect(assets.download_url(generation.output, now))


class CancelView(APIView):
    """Stopping a clip."""

    @extend_schema(operation_id="generations_cancel", request=None, responses=CancelSerializer)
    def post(self, request: Request, generation_id: UUID) -> Response:
        """Stop the clip.

        `removed`: it had not begun and every credit is back; `asked`: the provider is being asked, and its word
        decides; `too_late`: it had ended.
        """
        owner = owner_of(request)
        with transaction.atomic():
            cancelled = cancellation.cancel(owner.pk, generation_id)
        generation = found(owner, generation_id)
        balance = ledger.balance_of(owner.pk)
        body = representation.generation(generation, job_of(generation), clock.now())
        body["credits"] |= {"remaining": balance.balance, "account_held": balance.held}
        return Response({"outcome": cancelled.result, "generation": body})


class RetryView(APIView):
    """Trying a clip again."""

    permission_classes = SPENDING
    throttle_classes = (CreateThrottle,)

    @extend_schema(
        operation_id="generations_retry",
        parameters=[IDEMPOTENCY_KEY],
        request=RetrySerializer,
        responses={201: GenerationSerializer},
    )
    def post(self, request: Request, generation_id: UUID) -> Response:
        """Try a clip again.

        A new clip with the recipe of one that failed or was cancelled, at today's price.
        """
        owner = owner_of(request)
        data = checked(RetrySerializer(data=request.data))

        def act() -> Answer:
            made = retrying.retry(
                owner, generation_id, max_credits=data.get("max_credits"), fallback=data["fallback"]
            )
            return created_answer(made, made.generation.created_at)

        answer = once(request, act)
        return Response(answer.body, status=answer.status)


class EventsView(APIView):
    """What happened to a clip."""

    pagination_class = Whole

    @extend_schema(
        operation_id="generations_events",
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT, description="Only events with a higher number.")
        ],
        responses=EventSerializer(many=True),
    )
    def get(self, request: Request, generation_id: UUID) -> Response:
        """What happened to the clip.

        Its events in order, at most 100 after `after`.
        """
        owner = owner_of(request)
        found(owner, generation_id)
        try:
            after = int(request.query_params.get("after", "0"))
        except ValueError:
            raise InvalidRequest(field="after", reason="after is a number.") from None
        return self.pagination_class().get_paginated_response(
            [
                {
                    "number": one.number,
                    "kind": one.kind,
                    "subject_id": str(one.subject_id),
                    "data": one.data,
                    "created_at": one.created_at,
                }
                for one in events_of(owner.pk, after=after, subject_id=generation_id)
            ]
        )
