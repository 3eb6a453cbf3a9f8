"""A project's analysis, its plan in versions, and the talk about it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import ValidationError
from rest_framework import status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import Page
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.authentication import owner_of
from accounts.idempotency import Answer, once
from accounts.permissions import HasScope
from accounts.throttles import CreateThrottle
from generations import projects
from generations.api.views import SPENDING, checked
from generations.errors import InvalidRequest, NotFound
from generations.kinds import GENERATION
from generations.models import Project
from pipeline import analyses, chats, plannings, versions
from pipeline.api import representation
from pipeline.api.render_representation import render as render_shown
from pipeline.api.render_serializers import ProjectProgressSerializer
from pipeline.api.serializers import (
    AnalysisSerializer,
    BriefSerializer,
    ChangedPlanSerializer,
    ComparisonSerializer,
    FilmVersionSerializer,
    PlanChangeSerializer,
    PlanSerializer,
    VersionSerializer,
    WorkSerializer,
)
from pipeline.errors import EditInvalid
from pipeline.models import Author, ChatTurn, PlanVersion, Render, Work
from pipeline.plans import edits, film
from pipeline.plans.edits import EditRefused
from pipeline.plans.film import Film
from pipeline.plans.offers import Offers
from pipeline.plans.validation import Unrenderable, check
from pipeline.renders.creation import invalid
from workers import clock
from workers.jobs import announce
from workers.models import Job, open_jobs


def job_of(work: Work) -> Job | None:
    return Job.objects.filter(id=work.job_id).first()


class WorkView(APIView):
    """Whose POST begins work that may cost something."""

    throttle_classes = (CreateThrottle,)

    def get_permissions(self) -> list[BasePermission]:
        kinds = SPENDING if self.request.method == "POST" else (HasScope,)
        return [kind() for kind in kinds]


def answered(request: Request, act: Callable[[], Answer]) -> Response:
    """What `act` answers, once per Idempotency-Key."""
    answer = once(request, act)
    return Response(answer.body, status=answer.status)


def begun(work: Work) -> Answer:
    """201 with where it stands."""
    return Answer(status=status.HTTP_201_CREATED, body=representation.work(work, job_of(work)))


class AnalysisView(WorkView):
    """The analysis of a project's sample."""

    @extend_schema(operation_id="projects_analysis_get", responses=AnalysisSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """The newest analysis.

        404 while the project has had none. The links to the scenes' pictures live for minutes.
        """
        one = analyses.latest(projects.find(owner_of(request), project_id))
        if one is None:
            raise NotFound(what="analysis")
        return Response(representation.analysis(one, job_of(one), clock.now()))

    @extend_schema(
        operation_id="projects_analysis_create",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={201: WorkSerializer},
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        """Analyse the sample.

        It begins by itself with a project that has one: this is for once more, as after a failure.
        """
        owner = owner_of(request)

        def act() -> Answer:
            return begun(analyses.begin(owner, projects.find(owner, project_id)))

        return answered(request, act)


class PlanView(WorkView):
    """A project's plan."""

    @extend_schema(operation_id="projects_plan_get", responses=PlanSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """The newest version with what it costs now, and the planning that last ran."""
        owner = owner_of(request)
        project = projects.find(owner, project_id)
        version, planning = versions.current(project), plannings.latest(project)
        return Response(
            {
                "version": representation.plan(version, versions.offers_of(owner)) if version else None,
                "planning": representation.work(planning, job_of(planning)) if planning else None,
            }
        )

    @extend_schema(
        operation_id="projects_plan_create",
        parameters=[IDEMPOTENCY_KEY],
        request=BriefSerializer,
        responses={201: WorkSerializer},
    )
    def post(self, request: Request, project_id: UUID) -> Response:
        """Plan the film, or plan it anew.

        From the sample where it was analysed, else from words. The plan is the next version; nothing is spent on
        clips.
        """
        owner = owner_of(request)
        wish = checked(BriefSerializer(data=request.data))

        def act() -> Answer:
            return begun(plannings.begin(owner, projects.find(owner, project_id), wish))

        return answered(request, act)

    @extend_schema(
        operation_id="projects_plan_update",
        parameters=[IDEMPOTENCY_KEY],
        request=PlanChangeSerializer,
        responses={200: ChangedPlanSerializer},
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        """Change the plan by hand: the next version.

        By typed edits or as a whole film; one that can't be rendered is refused with every reason.
        """
        owner = owner_of(request)
        data = checked(PlanChangeSerializer(data=request.data))
        if ("edits" in data) == ("film" in data):
            raise InvalidRequest(field="edits", reason="Give either edits or a film.")

        def act() -> Answer:
            project = projects.find(owner, project_id)
            versions.locked(project)
            before = versions.must_have(project)
            versions.expect(before, data.get("base"))
            old, offers = versions.film_of(before), versions.offers_of(owner)
            new = self._changed(old, data, offers, project)
            after = versions.save(project, new, author=Author.USER, note="Changed by hand")
            announce([versions.change_of(after)])
            return Answer(status=status.HTTP_200_OK, body=changed(before, after, offers))

        return answered(request, act)

    def _changed(self, old: Film, data: dict[str, Any], offers: Offers, project: Project) -> Film:
        inputs = plannings.inputs_of(project)
        try:
            if "film" in data:
                return check(film.from_json(data["film"]), offers, inputs)
            return edits.apply(old, chats.read_edits(data["edits"]), offers, inputs)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(
                str(part) for part in (*(["edits"] if "edits" in data else ["film"]), *first["loc"])
            )
            raise InvalidRequest(field=where, reason=first["msg"]) from None
        except EditRefused as error:
            raise EditInvalid(number=error.number, reason=error.reason, field="edits") from None
        except Unrenderable as error:
            raise invalid(error) from None


def changed(before: PlanVersion, after: PlanVersion, offers: Offers) -> dict[str, Any]:
    """The new version with what is different from the old."""
    comparison = versions.compare(versions.film_of(before), versions.film_of(after), offers)
    return {
        **representation.plan(after, offers),
        "comparison": versions.comparison_json(comparison),
    }


class Versions(Page):
    ordering = "-number"


class VersionsView(APIView):
    """Every version of the plan."""

    pagination_class = Versions

    @extend_schema(operation_id="projects_plan_versions_list", responses=VersionSerializer(many=True))
    def get(self, request: Request, project_id: UUID) -> Response:
        """Every version, the newest first."""
        project = projects.find(owner_of(request), project_id)
        rows = PlanVersion.objects.filter(project=project).select_related("parent").defer("film", "digests")
        page = self.pagination_class()
        listed = page.paginate_queryset(rows, request, view=self) or []
        return page.get_paginated_response([representation.version(one) for one in listed])


class VersionView(APIView):
    """One version of the plan."""

    @extend_schema(operation_id="projects_plan_versions_get", responses=FilmVersionSerializer)
    def get(self, request: Request, project_id: UUID, number: int) -> Response:
        """The version with its film, and what that costs now."""
        owner = owner_of(request)
        one = versions.find(projects.find(owner, project_id), number)
        return Response(representation.plan(one, versions.offers_of(owner)))


class VersionComparisonView(APIView):
    """Two versions, compared."""

    @extend_schema(
        operation_id="projects_plan_versions_compare",
        parameters=[OpenApiParameter("to", int, description="The other version; the newest if left out.")],
        responses=ComparisonSerializer,
    )
    def get(self, request: Request, project_id: UUID, number: int) -> Response:
        """What is different from this version to another, what is stale, and what redoing that costs."""
        owner = owner_of(request)
        project = projects.find(owner, project_id)
        to = request.query_params.get("to", "")
        if to and not (to.isascii() and to.isdigit() and len(to) < 10):
            raise InvalidRequest(field="to", reason="to is a version's number.")
        other = versions.find(project, int(to)) if to else versions.must_have(project)
        comparison = versions.compare(
            versions.film_of(versions.find(project, number)),
            versions.film_of(other),
            versions.offers_of(owner),
        )
        return Response(versions.comparison_json(comparison))


class VersionRevertView(APIView):
    """Going back."""

    throttle_classes = (CreateThrottle,)

    @extend_schema(
        operation_id="projects_plan_versions_revert",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={201: ChangedPlanSerializer},
    )
    def post(self, request: Request, project_id: UUID, number: int) -> Response:
        """Go back to this version.

        Its film is the next version; nothing is lost. 422 where it can't be rendered any more.
        """
        owner = owner_of(request)

        def act() -> Answer:
            project = projects.find(owner, project_id)
            versions.locked(project)
            before, wanted = versions.must_have(project), versions.find(project, number)
            offers, old = versions.offers_of(owner), versions.film_of(wanted)
            try:
                check(old, offers, plannings.inputs_of(project))
            except Unrenderable as error:
                raise invalid(error) from None
            after = versions.save(project, old, author=Author.USER, note=f"Back to version {number}")
            announce([versions.change_of(after)])
            return Answer(status=status.HTTP_201_CREATED, body=changed(before, after, offers))

        return answered(request, act)


class ProgressView(APIView):
    """How far a project is."""

    @extend_schema(operation_id="projects_progress_get", responses=ProjectProgressSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Where the project stands, and the work on it that runs."""
        owner = owner_of(request)
        project = projects.find(owner, project_id)
        version = versions.current(project)
        latest = {
            "analysis": analyses.latest(project),
            "planning": plannings.latest(project),
            "chat": ChatTurn.objects.filter(project=project).order_by("-created_at").first(),
        }
        working = Job.objects.in_bulk([one.job_id for one in latest.values() if one is not None])
        render = (
            Render.objects.filter(project=project)
            .select_related("version", "film", "project", "owner")
            .order_by("-created_at", "-id")
            .first()
        )
        clips = open_jobs(owner_id=owner.pk, project_id=project.id, kind=GENERATION)
        with transaction.atomic():
            return Response(
                {
                    "state": project.state,
                    "version": version.number if version is not None else None,
                    **{
                        name: representation.work(one, working.get(one.job_id)) if one is not None else None
                        for name, one in latest.items()
                    },
                    "render": render_shown(render, clock.now()) if render is not None else None,
                    "clips_running": clips.count(),
                }
            )
