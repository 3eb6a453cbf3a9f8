"""Projects: what an owner is making."""

from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import Page
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.authentication import owner_of
from accounts.idempotency import Answer, once
from accounts.throttles import CreateThrottle
from generations import projects
from generations.api import representation
from generations.api.serializers import ProjectDetailSerializer, ProjectSerializer, ProjectWriteSerializer
from generations.api.views import checked
from generations.errors import InvalidRequest
from generations.models import Generation, GenerationStatus, Project, ProjectState
from workers import clock
from workers.models import Job

NEWEST = 20
OPEN = (GenerationStatus.PENDING, GenerationStatus.PROCESSING)
SORTS = {
    "-created_at": ("-created_at", "-id"),
    "-updated_at": ("-updated_at", "-id"),
}


def counts_of(projects: list[Project]) -> dict[UUID, dict[str, int]]:
    """What is in each project and what it cost. One statement for a page."""
    rows = (
        Generation.objects.filter(project_id__in=[one.id for one in projects], deleted_at__isnull=True)
        .order_by()
        .values("project_id")
        .annotate(
            generations=Count("id"),
            completed=Count("id", filter=Q(status=GenerationStatus.COMPLETED)),
            running=Count("id", filter=Q(status__in=OPEN)),
            credits_used=Sum("credits_used"),
        )
    )
    return {
        row["project_id"]: {
            "generations": row["generations"],
            "completed": row["completed"],
            "running": row["running"],
            "credits_used": row["credits_used"] or 0,
        }
        for row in rows
    }


class ProjectsView(APIView):
    """The account's projects."""

    throttle_classes = (CreateThrottle,)
    pagination_class = Page

    @extend_schema(
        operation_id="projects_list",
        parameters=[
            OpenApiParameter("search", str, description="Words in the title or description."),
            OpenApiParameter("state", str, enum=ProjectState.values),
            OpenApiParameter("favourite", bool),
            OpenApiParameter("sort", str, enum=list(SORTS)),
        ],
        responses=ProjectSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The account's projects."""
        page = self.pagination_class()
        page.ordering = SORTS.get(request.query_params.get("sort", "-created_at"), SORTS["-created_at"])
        listed = page.paginate_queryset(self._filtered(request), request, view=self) or []
        counts = counts_of(listed)
        return page.get_paginated_response(
            [representation.project(one, counts.get(one.id, {})) for one in listed]
        )

    def _filtered(self, request: Request) -> QuerySet[Project]:
        rows = Project.objects.filter(owner_id=owner_of(request).pk, deleted_at__isnull=True)
        if state := request.query_params.get("state"):
            if state not in ProjectState.values:
                raise InvalidRequest(
                    field="state", reason=f"state is one of {', '.join(ProjectState.values)}."
                )
            rows = rows.filter(state=state)
        if request.query_params.get("favourite") in ("true", "1"):
            rows = rows.filter(favourite=True)
        if search := request.query_params.get("search", "")[:200]:
            rows = rows.filter(words=SearchQuery(search, config="simple", search_type="websearch"))
        return rows

    @extend_schema(
        operation_id="projects_create",
        parameters=[IDEMPOTENCY_KEY],
        request=ProjectWriteSerializer,
        responses={201: ProjectSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a project."""
        owner = owner_of(request)
        data = checked(ProjectWriteSerializer(data=request.data))

        def act() -> Answer:
            project = projects.create(owner, data)
            return Answer(status=status.HTTP_201_CREATED, body=representation.project(project, {}))

        answer = once(request, act)
        return Response(answer.body, status=answer.status)


class ProjectView(APIView):
    """One project."""

    @extend_schema(operation_id="projects_get", responses=ProjectDetailSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """The project with its newest 20 clips."""
        project = projects.find(owner_of(request), project_id)
        newest = list(
            Generation.objects.filter(project=project, deleted_at__isnull=True)
            .select_related("output")
            .order_by("-created_at", "-id")[:NEWEST]
        )
        working = Job.objects.in_bulk([one.job_id for one in newest if one.ended_at is None])
        now = clock.now()
        body = representation.project(project, counts_of([project]).get(project.id, {}))
        body["newest"] = [representation.generation(one, working.get(one.job_id), now) for one in newest]
        return Response(body)

    @extend_schema(
        operation_id="projects_update", request=ProjectWriteSerializer, responses=ProjectSerializer
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        """Change a project."""
        owner = owner_of(request)
        data = checked(ProjectWriteSerializer(data=request.data, partial=True))
        with transaction.atomic():
            project = projects.update(owner, project_id, data)
        return Response(representation.project(project, counts_of([project]).get(project.id, {})))

    @extend_schema(operation_id="projects_delete", responses={204: None})
    def delete(self, request: Request, project_id: UUID) -> Response:
        """Delete the project.

        Its clips stay in the library; the files that only it was made from go with it. 409 while work on it runs.
        """
        owner = owner_of(request)
        with transaction.atomic():
            projects.delete(owner, project_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
