"""Renders: priced, begun, followed, paused, stopped, and their films."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponseRedirect
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import BasePermission
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
from generations import assets, projects
from generations.api.views import SPENDING, checked, etag_of
from generations.errors import Gone, NotCompleted
from generations.models import Asset, Project
from pipeline import plannings, versions
from pipeline.api import render_representation as representation
from pipeline.api.render_serializers import (
    CancelPreviewSerializer,
    RegenerateSerializer,
    RegenerateWishSerializer,
    RenderCreatedSerializer,
    RenderCreateSerializer,
    RenderEstimateSerializer,
    RenderSerializer,
    RenderSummarySerializer,
    RenderWishSerializer,
)
from pipeline.api.views import answered
from pipeline.models import PlanVersion, Render, RenderQuote
from pipeline.prices import Price, promise
from pipeline.renders import control, creation, prices
from pipeline.renders.creation import RenderWish
from workers import clock
from workers.models import Job


def to_the_file(film: Asset | None, status: str) -> HttpResponseRedirect:
    """A redirect to the finished film. Raises NotCompleted, Gone."""
    if film is None:
        raise NotCompleted(status=status)
    now = clock.now()
    if film.state != "ready" or assets.is_over(film, now):
        assert film.expires_at is not None
        raise Gone(expires_at=film.expires_at.isoformat())
    return HttpResponseRedirect(assets.download_url(film, now))


class SpendingView(APIView):
    """Whose POST takes credits."""

    throttle_classes = (CreateThrottle,)

    def get_permissions(self) -> list[BasePermission]:
        kinds = SPENDING if self.request.method == "POST" else (HasScope,)
        return [kind() for kind in kinds]


def version_of(project: Project, data: dict[str, Any]) -> PlanVersion:
    """The version that is asked for, or the newest. Raises NotFound, NoPlan."""
    number = data.get("version")
    return versions.find(project, number) if number is not None else versions.must_have(project)


def wish_of(data: dict[str, Any]) -> RenderWish:
    return RenderWish(
        quote_id=data.get("quote_id"),
        max_credits=data.get("max_credits"),
        redo=tuple(dict.fromkeys(data.get("redo", ()))),
    )


def promised(owner: User, quote: RenderQuote, price: Price, number: int) -> dict[str, Any]:
    """A price that binds us."""
    return {
        "quote_id": str(quote.id),
        "expires_at": quote.expires_at,
        "version": number,
        **representation.price(price, ledger.balance_of(owner.pk).balance),
    }


def shown(owner: User, render_id: UUID) -> dict[str, Any]:
    return representation.render(control.find(owner.pk, render_id), clock.now())


def with_balance(owner: User, render_id: UUID) -> dict[str, Any]:
    """The render, and what the account has left."""
    figures = ledger.balance_of(owner.pk)
    return {**shown(owner, render_id), "balance": figures.balance, "account_held": figures.held}


class RenderEstimatesView(APIView):
    """What a film would cost."""

    permission_classes = (HasScope,)

    @extend_schema(
        operation_id="projects_renders_estimate",
        request=RenderWishSerializer,
        responses={201: RenderEstimateSerializer},
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        """What rendering a version of the plan costs, part by part.

        The price is binding: name `quote_id` with the same version before it expires, once. What was made before
        from the same recipe and is still there is used again, for nothing; `redo` makes it anew.
        """
        owner = owner_of(request)
        data = checked(RenderWishSerializer(data=request.data))
        wish = wish_of(data)
        with transaction.atomic():
            project = projects.find(owner, project_id)
            version = version_of(project, data)
            film, offers = creation.renderable(owner, version, plannings.inputs_of(project))
            creation.check_redo(film, wish.redo)
            price = prices.price(owner, film, offers, character_id=project.character_id, redo=wish.redo)
            quote = promise(RenderQuote, owner, price, clock.now(), version=version, redo=sorted(wish.redo))
        return Response(promised(owner, quote, price, version.number), status=status.HTTP_201_CREATED)


class ProjectRendersView(SpendingView):
    """A project's renders."""

    pagination_class = NewestFirst

    @extend_schema(operation_id="projects_renders_list", responses=RenderSummarySerializer(many=True))
    def get(self, request: Request, project_id: UUID) -> Response:
        """The project's renders, newest first."""
        project = projects.find(owner_of(request), project_id)
        rows = Render.objects.filter(project=project).select_related("version", "film")
        page = self.pagination_class()
        listed = page.paginate_queryset(rows, request, view=self) or []
        working = Job.objects.in_bulk([one.job_id for one in listed])
        return page.get_paginated_response(
            [representation.summary(one, working.get(one.job_id)) for one in listed]
        )

    @extend_schema(
        operation_id="projects_renders_create",
        parameters=[IDEMPOTENCY_KEY],
        request=RenderCreateSerializer,
        responses={201: RenderCreatedSerializer},
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        """Render a version of the plan.

        Its credits are held now, a hold for each segment and one for sound and composition; each is charged when its
        part is delivered, and comes back where it is not. One render of a project at a time.
        """
        owner = owner_of(request)
        data = checked(RenderCreateSerializer(data=request.data))

        def act() -> Answer:
            project = projects.find(owner, project_id)
            made = creation.create(owner, project, version_of(project, data), wish_of(data))
            return Answer(status=status.HTTP_201_CREATED, body=with_balance(owner, made.render.id))

        return answered(request, act)


class RenderView(APIView):
    """One render."""

    @extend_schema(operation_id="renders_get", responses=RenderSerializer)
    def get(self, request: Request, render_id: UUID) -> Response:
        """How far the render is, each of its segments and sounds, and its film.

        Finished segments can be watched while others are made. Ask every 5 seconds with If-None-Match: unchanged
        is 304.
        """
        body = shown(owner_of(request), render_id)
        etag = etag_of(stable(body))
        if request.headers.get("If-None-Match") == etag:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
        return Response(body, headers={"ETag": etag, "Cache-Control": "private, no-cache"})


LINKS = ("thumbnail_url", "poster_url", "captions_vtt_url", "captions_srt_url")


def bare(asset: dict[str, Any] | None) -> dict[str, Any] | None:
    """A file without its links."""
    return None if asset is None else {name: value for name, value in asset.items() if name not in LINKS}


def stable(body: dict[str, Any]) -> dict[str, Any]:
    """Without what changes at each look: signatures in links, and times that are counted from now."""
    return {
        **body,
        "eta": None,
        "eta_at": None,
        "film": bare(body["film"]),
        "segments": [{**one, "video": bare(one["video"])} for one in body["segments"]],
    }


class _ActView(APIView):
    """Doing something with a render that runs; again is the same answer."""

    throttle_classes = (CreateThrottle,)
    act: Callable[[UUID, UUID], None]

    def done(self, request: Request, render_id: UUID) -> Response:
        owner = owner_of(request)
        with transaction.atomic():
            type(self).act(owner.pk, render_id)
        return Response(shown(owner, render_id))


class RenderPauseView(_ActView):
    """Pausing a render."""

    act = staticmethod(control.pause)

    @extend_schema(operation_id="renders_pause", request=None, responses=RenderSerializer)
    def post(self, request: Request, render_id: UUID) -> Response:
        """Pause: nothing new is submitted, what runs lands.

        A pause lasts seven days at most (`waits_until`); then the render is cancelled. A day before, an event says so.
        """
        return self.done(request, render_id)


class RenderResumeView(_ActView):
    """Going on."""

    act = staticmethod(control.resume)

    @extend_schema(operation_id="renders_resume", request=None, responses=RenderSerializer)
    def post(self, request: Request, render_id: UUID) -> Response:
        """Go on where it was paused."""
        return self.done(request, render_id)


class RenderCancelView(_ActView):
    """Stopping a render."""

    act = staticmethod(control.cancel)

    @extend_schema(operation_id="renders_cancel_preview", responses=CancelPreviewSerializer)
    def get(self, request: Request, render_id: UUID) -> Response:
        """What cancelling now would do with the credits, part by part."""
        render = control.find(owner_of(request).pk, render_id)
        return Response(representation.consequences(control.consequences(render)))

    @extend_schema(operation_id="renders_cancel", request=None, responses=RenderSerializer)
    def post(self, request: Request, render_id: UUID) -> Response:
        """Stop the render.

        What has not begun comes back; what a provider is at is settled by its word; finished segments are yours.
        """
        return self.done(request, render_id)


class RegenerateEstimatesView(APIView):
    """What making segments anew would cost."""

    permission_classes = (HasScope,)

    @extend_schema(
        operation_id="renders_regenerate_estimate",
        request=RegenerateWishSerializer,
        responses={201: RenderEstimateSerializer},
    )
    def post(self, request: Request, render_id: UUID) -> Response:
        """What making these segments anew costs: binding, as for a render."""
        owner = owner_of(request)
        data = checked(RegenerateWishSerializer(data=request.data))
        with transaction.atomic():
            render = control.find(owner.pk, render_id)
            names = control.regenerable(render, data.get("segments", ()))
            price, _, _ = control.price_of(owner, render, names)
            quote = promise(
                RenderQuote,
                owner,
                price,
                clock.now(),
                version=render.version,
                redo=sorted(names),
                render=render,
            )
        return Response(promised(owner, quote, price, render.version.number), status=status.HTTP_201_CREATED)


class RegenerateView(SpendingView):
    """Making segments anew."""

    @extend_schema(
        operation_id="renders_regenerate",
        parameters=[IDEMPOTENCY_KEY],
        request=RegenerateSerializer,
        responses={201: RenderCreatedSerializer},
    )
    def post(self, request: Request, render_id: UUID) -> Response:
        """Make segments anew: those that failed, or those that are named, under a new price and hold.

        Sounds that failed are made anew with them, under the hold that they have.
        """
        owner = owner_of(request)
        data = checked(RegenerateSerializer(data=request.data))

        def act() -> Answer:
            control.regenerate(owner, render_id, data.get("segments", ()), wish_of(data))
            return Answer(status=status.HTTP_201_CREATED, body=with_balance(owner, render_id))

        return answered(request, act)


class RenderDownloadView(APIView):
    """The film."""

    @extend_schema(
        operation_id="renders_download",
        responses={302: OpenApiResponse(description="To the file, for ten minutes at most.")},
    )
    def get(self, request: Request, render_id: UUID) -> HttpResponseRedirect:
        """The film.

        302 to the file; 409 before completion, 410 after expiry.
        """
        render = control.find(owner_of(request).pk, render_id)
        return to_the_file(render.film, render.status)
