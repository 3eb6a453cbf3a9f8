"""Edits of finished videos: priced, begun, followed, stopped, and their results."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponseRedirect
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import NewestFirst
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.authentication import owner_of
from accounts.idempotency import Answer
from accounts.models import User
from accounts.permissions import HasScope
from accounts.throttles import CreateThrottle
from credits import ledger
from generations.api.views import SPENDING, etag_of
from pipeline.api import video_edit_representation as representation
from pipeline.api.renders import bare, to_the_file
from pipeline.api.video_edit_serializers import (
    EditBody,
    EditCreatedSerializer,
    EditEstimateSerializer,
    EditSerializer,
    EditSummarySerializer,
)
from pipeline.api.views import answered
from pipeline.models import VideoEdit
from pipeline.video_edits import control, creation, wishes
from pipeline.video_edits.wishes import Wish
from workers import clock
from workers.models import Job


def shown(owner: User, edit_id: UUID) -> dict[str, Any]:
    one = control.find(owner.pk, edit_id)
    return representation.edit(one, Job.objects.filter(id=one.job_id).first(), clock.now())


class EditEstimatesView(APIView):
    """What an edit would cost."""

    permission_classes = (HasScope,)

    @extend_schema(
        operation_id="videos_edits_estimate", request=Wish, responses={201: EditEstimateSerializer}
    )
    def post(self, request: Request, asset_id: UUID) -> Response:
        """What this edit costs, part by part.

        The price is binding: name `quote_id` with the same wish for the same video before it expires, once. A sound
        that was made before from the same words, and is still there, is used again, for nothing.
        """
        owner = owner_of(request)
        wanted = creation.requested(owner, asset_id, wishes.read(Wish, request.data))
        price = creation.price(owner, wanted)
        quote = creation.promise(owner, wanted, price)
        balance = ledger.balance_of(owner.pk).balance
        return Response(representation.estimate(quote, price, balance), status=status.HTTP_201_CREATED)


class VideoEditsView(APIView):
    """The edits of a video."""

    permission_classes = SPENDING
    throttle_classes = (CreateThrottle,)

    @extend_schema(
        operation_id="videos_edits_create",
        parameters=[IDEMPOTENCY_KEY],
        request=EditBody,
        responses={201: EditCreatedSerializer},
    )
    def post(self, request: Request, asset_id: UUID) -> Response:
        """Edit a finished video: the result is a new one, the video itself stays as it is.

        Takes any whole video of the account: a clip, a film, the result of an edit, an upload. Its credits are held
        now and charged at the end; they come back where it fails.
        """
        owner = owner_of(request)
        body = wishes.read(EditBody, request.data)

        def act() -> Answer:
            wanted = creation.requested(owner, asset_id, body.wish())
            edit = creation.create(owner, wanted, quote_id=body.quote_id, max_credits=body.max_credits)
            figures = ledger.balance_of(owner.pk)
            return Answer(
                status=status.HTTP_201_CREATED,
                body={
                    **shown(owner, edit.id),
                    "balance": figures.balance,
                    "account_held": figures.held,
                },
            )

        return answered(request, act)


class EditsView(APIView):
    """Every edit of the account."""

    pagination_class = NewestFirst

    @extend_schema(operation_id="edits_list", responses=EditSummarySerializer(many=True))
    def get(self, request: Request) -> Response:
        """The account's edits, newest first."""
        rows = VideoEdit.objects.filter(owner=owner_of(request)).select_related("output")
        page = self.pagination_class()
        listed = page.paginate_queryset(rows, request, view=self) or []
        working = Job.objects.in_bulk([one.job_id for one in listed])
        return page.get_paginated_response(
            [representation.summary(one, working.get(one.job_id)) for one in listed]
        )


class EditView(APIView):
    """One edit."""

    @extend_schema(operation_id="edits_get", responses=EditSerializer)
    def get(self, request: Request, edit_id: UUID) -> Response:
        """How far the edit is, its sounds, and its result.

        Ask every 5 seconds with If-None-Match: unchanged is 304.
        """
        body = shown(owner_of(request), edit_id)
        # Without what changes at each look: signatures in links.
        etag = etag_of({**body, "video": None, "file": bare(body["video"])})
        if request.headers.get("If-None-Match") == etag:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag, "Cache-Control": "private, no-cache"})


class EditCancelView(APIView):
    """Stopping an edit."""

    throttle_classes = (CreateThrottle,)

    @extend_schema(operation_id="edits_cancel", request=None, responses=EditSerializer)
    def post(self, request: Request, edit_id: UUID) -> Response:
        """Stop the edit. Sounds that were made are charged, and are used again for nothing; the rest comes back."""
        owner = owner_of(request)
        with transaction.atomic():
            control.cancel(owner.pk, edit_id)
        return Response(shown(owner, edit_id))


class EditDownloadView(APIView):
    """The result."""

    @extend_schema(
        operation_id="edits_download",
        responses={302: OpenApiResponse(description="To the file, for ten minutes at most.")},
    )
    def get(self, request: Request, edit_id: UUID) -> HttpResponseRedirect:
        """The result.

        302 to the file; 409 before completion, 410 after expiry.
        """
        one = control.find(owner_of(request).pk, edit_id)
        return to_the_file(one.output, one.status)
