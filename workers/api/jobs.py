"""The jobs/ resource: every background job of an account, whatever its kind."""

from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from workers import jobs
from workers.errors import JobNotCancellable, JobNotFound, UnknownFilter
from workers.models import Job, JobState


class JobErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()


class JobSerializer(serializers.Serializer[Any]):
    """A piece of background work. `subject`: the id of what it is about, which `type` names."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    subject = serializers.UUIDField()
    project = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=JobState.choices)
    stage = serializers.CharField(allow_null=True)
    progress = serializers.IntegerField()
    eta_at = serializers.DateTimeField(allow_null=True)
    error = JobErrorSerializer(allow_null=True)
    cancellable = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


def shown(job: Job) -> dict[str, Any]:
    ended = job.ended_at is not None
    return {
        "id": str(job.id),
        "type": job.kind,
        "subject": str(job.subject_id),
        "project": str(job.project_id) if job.project_id else None,
        "status": job.state,
        "stage": jobs.label_of(job),
        "progress": job.progress,
        "eta_at": None if ended else job.eta_at,
        "error": {"code": job.error_code} if job.error_code else None,
        "cancellable": not ended and jobs.KINDS[job.kind].cancel is not None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
    }


def own(request: Request) -> QuerySet[Job]:
    """The account's jobs."""
    return Job.objects.filter(owner_id=request.user.pk)


def found(request: Request, job_id: UUID) -> Job:
    """Raises JobNotFound."""
    job = own(request).filter(id=job_id).first()
    if job is None:
        raise JobNotFound()
    return job


class JobsView(APIView):
    """The account's background work."""

    pagination_class = cast(type[CursorPagination], api_settings.DEFAULT_PAGINATION_CLASS)

    @extend_schema(
        operation_id="jobs_list",
        parameters=[
            OpenApiParameter("type", str, description="A kind of job, such as generation or analysis."),
            OpenApiParameter("project", UUID),
        ],
        responses=JobSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The account's background work, newest first.

        An index serves each filter, and both together.
        """
        rows = own(request)
        if kind := request.query_params.get("type"):
            if kind not in jobs.KINDS:
                raise UnknownFilter(field="type", reason=f"type is one of {', '.join(jobs.KINDS)}.")
            rows = rows.filter(kind=kind)
        if project := request.query_params.get("project"):
            try:
                rows = rows.filter(project_id=UUID(project))
            except ValueError:
                raise UnknownFilter(field="project", reason="project is a UUID.") from None
        page = self.pagination_class()
        listed = page.paginate_queryset(rows, request, view=self) or []
        return page.get_paginated_response([shown(job) for job in listed])


class JobView(APIView):
    """One piece of background work."""

    @extend_schema(operation_id="jobs_get", responses=JobSerializer)
    def get(self, request: Request, job_id: UUID) -> Response:
        """How far the job is."""
        return Response(shown(found(request, job_id)))


class JobCancelView(APIView):
    """Stopping a job."""

    @extend_schema(operation_id="jobs_cancel", request=None, responses=JobSerializer)
    def post(self, request: Request, job_id: UUID) -> Response:
        """Stop the job.

        What has not begun ends at once; what runs is asked to stop, and shows `cancelling` until it has. Again is
        the same answer; 409 for one that has ended.
        """
        job = found(request, job_id)
        cancel = jobs.KINDS[job.kind].cancel
        if cancel is None:
            raise JobNotCancellable()
        with transaction.atomic():
            cancel(cast(UUID, request.user.pk), job.subject_id)
        job.refresh_from_db()
        return Response(shown(job))
