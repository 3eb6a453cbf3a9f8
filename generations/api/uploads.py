"""Files from users, and what is stored of them."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.http import HttpResponseRedirect
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import NewestFirst
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.authentication import owner_of
from accounts.idempotency import Answer, once
from accounts.throttles import CreateThrottle
from generations import assets, uploads
from generations.api import representation
from generations.api.serializers import (
    AssetSerializer,
    CropSerializer,
    SmallUploadSerializer,
    UploadSerializer,
    UploadStartSerializer,
)
from generations.api.views import checked
from generations.asset_errors import FileTooLarge
from generations.errors import InvalidRequest
from generations.inspection import Box
from generations.models import Asset, AssetKind, AssetState
from generations.models.assets import BY_PRODUCTS
from workers import clock


class UploadsView(APIView):
    """Bringing a file."""

    parser_classes = (JSONParser, MultiPartParser)
    throttle_classes = (CreateThrottle,)

    @extend_schema(
        operation_id="uploads_create",
        parameters=[IDEMPOTENCY_KEY],
        request={"application/json": UploadStartSerializer, "multipart/form-data": SmallUploadSerializer},
        responses={
            201: OpenApiResponse(
                PolymorphicProxySerializer(
                    component_name="Uploaded",
                    serializers=[UploadSerializer, AssetSerializer],
                    resource_type_field_name=None,
                ),
                description="JSON: where to PUT the file. Multipart: the asset.",
            )
        },
    )
    def post(self, request: Request) -> Response:
        """Bring a file.

        Announce it and get a link that takes exactly it; or send a file of up to 10 MB at once.
        """
        if request.content_type.startswith("multipart/"):
            file = checked(SmallUploadSerializer(data=request.data))["file"]
            if file.size > uploads.SMALL_FILE:
                raise FileTooLarge(
                    field="file", bytes=file.size, limit=uploads.SMALL_FILE, kind="one request"
                )
            return keep(
                request, file.chunks(), name=file.name, media_type=file.content_type or "", size=file.size
            )
        data = checked(UploadStartSerializer(data=request.data))
        asset, code = announced(request, name=data["name"], media_type=data["media_type"], size=data["bytes"])
        # The link is no part of what an Idempotency-Key stands for: a repeat gets a new one.
        upload = uploads.link_for(asset)
        return Response(
            {
                "asset": representation.asset(asset, clock.now()),
                "method": upload.method,
                "url": upload.url,
                "headers": upload.headers,
                "expires_in_seconds": int(upload.expires_in.total_seconds()),
            },
            status=code,
        )


def announced(request: Request, *, name: str, media_type: str, size: int) -> tuple[Asset, int]:
    """The row of a file to come, made once per Idempotency-Key, and the answer's status."""
    owner = owner_of(request)

    def announce() -> Answer:
        asset = uploads.announce(owner, name=name, media_type=media_type, size=size)
        return Answer(status=status.HTTP_201_CREATED, body={"id": str(asset.id)})

    answer = once(request, announce)
    return assets.find(owner.pk, UUID(answer.body["id"])), answer.status


def keep(request: Request, chunks: Iterable[bytes], *, name: str, media_type: str, size: int) -> Response:
    """A file that is here, as a new asset; a repeat that finds its row unfinished brings the bytes again."""
    asset, code = announced(request, name=name, media_type=media_type, size=size)
    return Response(representation.asset(uploads.take(asset, chunks), clock.now()), status=code)


class UploadFinishView(APIView):
    """Saying that the file is there."""

    @extend_schema(operation_id="uploads_finish", request=None, responses=AssetSerializer)
    def post(self, request: Request, asset_id: UUID) -> Response:
        """Say that the file is there.

        It is checked by its content and kept. Again is the same answer.
        """
        asset = uploads.finish(owner_of(request), asset_id)
        return Response(representation.asset(asset, clock.now()))


class AssetsView(APIView):
    """The account's files."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="assets_list",
        parameters=[OpenApiParameter("kind", str, enum=AssetKind.values)],
        responses=AssetSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The account's files, newest first; deleted ones not, nor what is kept on the way to a film."""
        rows = (
            Asset.objects.filter(owner_id=owner_of(request).pk)
            .exclude(state=AssetState.DELETED)
            .exclude(origin__in=BY_PRODUCTS)
        )
        if kind := request.query_params.get("kind"):
            if kind not in AssetKind.values:
                raise InvalidRequest(field="kind", reason=f"kind is one of {', '.join(AssetKind.values)}.")
            rows = rows.filter(kind=kind)
        page = self.pagination_class()
        listed = page.paginate_queryset(rows, request, view=self) or []
        now = clock.now()
        return page.get_paginated_response([representation.asset(one, now) for one in listed])


class AssetView(APIView):
    """One file."""

    @extend_schema(operation_id="assets_get", responses=AssetSerializer)
    def get(self, request: Request, asset_id: UUID) -> Response:
        """The file's facts, and links to its pictures."""
        return Response(representation.asset(assets.find(owner_of(request).pk, asset_id), clock.now()))

    @extend_schema(operation_id="assets_delete", responses={204: None})
    def delete(self, request: Request, asset_id: UUID) -> Response:
        """Delete the file.

        409 while unfinished work needs it.
        """
        with transaction.atomic():
            assets.delete(owner_of(request).pk, asset_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AssetCropView(APIView):
    """A part of a picture."""

    throttle_classes = (CreateThrottle,)

    @extend_schema(
        operation_id="assets_crop",
        parameters=[IDEMPOTENCY_KEY],
        request=CropSerializer,
        responses={201: AssetSerializer},
    )
    def post(self, request: Request, asset_id: UUID) -> Response:
        """Cut a part out of a picture.

        It is a new file, in the same format.
        """
        box = Box(**checked(CropSerializer(data=request.data)))
        with uploads.cropped(owner_of(request), asset_id, box) as part:
            return keep(request, part.chunks(), name=part.name, media_type=part.media_type, size=part.size)


class AssetDownloadView(APIView):
    """A file's bytes."""

    @extend_schema(
        operation_id="assets_download",
        responses={302: OpenApiResponse(description="To the file, for ten minutes at most.")},
    )
    def get(self, request: Request, asset_id: UUID) -> HttpResponseRedirect:
        """The file itself.

        302 to the file; 410 after its time.
        """
        asset = assets.find(owner_of(request).pk, asset_id)
        return HttpResponseRedirect(assets.download_url(asset, clock.now()))
