"""The one table from domain errors to HTTP, and the one shape of every refusal.

{"error": {"code", "message", "details", "retryable"}}
"""

import logging
import math
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts import errors as accounts
from credits import errors as credits
from generations import asset_errors as assets
from generations import errors as generations
from generations import storage
from pipeline import errors as pipeline
from workers import errors as workers
from workers.errors import DomainError

logger = logging.getLogger(__name__)

STATUS: dict[type[DomainError], int] = {
    accounts.IdentityProviderAway: 503,
    accounts.AccountErased: 401,
    accounts.AccountSuspended: 403,
    accounts.ScopeMissing: 403,
    accounts.InteractiveOnly: 403,
    accounts.TooManyApiKeys: 409,
    accounts.IdempotencyKeyReused: 422,
    accounts.IdempotencyKeyInvalid: 400,
    credits.InsufficientCredits: 402,
    credits.SpendingSuspended: 402,
    credits.DailyLimitReached: 429,
    credits.NoPrice: 422,
    generations.InvalidRequest: 422,
    generations.ModelRetired: 422,
    generations.ModelUnavailable: 503,
    generations.TierRequired: 403,
    generations.NotFound: 404,
    generations.NoPriceNoStart: 422,
    generations.QuoteExpired: 409,
    generations.QuoteUsed: 409,
    generations.QuoteMismatch: 409,
    generations.PriceChanged: 409,
    generations.TooManyJobs: 429,
    generations.QueueFull: 503,
    generations.Moderated: 422,
    generations.AlreadyEnded: 409,
    generations.WorkerBusy: 409,
    generations.NotSubmitted: 409,
    generations.NotRetryable: 409,
    generations.RetriedAlready: 409,
    generations.StillRunning: 409,
    generations.NotCompleted: 409,
    generations.Gone: 410,
    assets.AssetNotFound: 404,
    assets.AssetNotReady: 409,
    assets.AssetExpired: 410,
    assets.AssetLost: 410,
    assets.AssetInUse: 409,
    assets.WrongKind: 422,
    assets.UploadRefused: 422,
    assets.CropRefused: 422,
    assets.FileTooLarge: 413,
    assets.QuotaExceeded: 413,
    storage.StorageUnavailable: 503,
    pipeline.NoSample: 422,
    pipeline.NoPlan: 409,
    pipeline.AlreadyRunning: 409,
    pipeline.PlanInvalid: 422,
    pipeline.EditInvalid: 422,
    pipeline.PlanChanged: 409,
    pipeline.TooManyWorks: 429,
    pipeline.NoSoundModel: 422,
    pipeline.NotRendering: 409,
    pipeline.TooManyListeners: 503,
    workers.JobNotFound: 404,
    workers.JobNotCancellable: 409,
    workers.UnknownFilter: 422,
}

DATABASE_RETRY_AFTER = 2


def shape(
    code: str, message: str, details: dict[str, Any] | None = None, *, retryable: bool = False
) -> dict[str, Any]:
    """The body of a refusal."""
    return {"error": {"code": code, "message": message, "details": details or {}, "retryable": retryable}}


def handle(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal in one shape; None is a 500 of our own."""
    if isinstance(exception, DomainError):
        answer = _domain(exception)
    elif isinstance(exception, exceptions.APIException):
        answer = _api(exception)
    elif isinstance(exception, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        answer = Response(
            shape("body_too_large", f"A body has at most {limit} bytes.", {"field": "body", "limit": limit}),
            status=413,
        )
    elif isinstance(exception, Http404):
        answer = Response(shape("not_found", "There is nothing here."), status=404)
    elif isinstance(exception, PermissionDenied):
        answer = Response(shape("permission_denied", "This is not allowed."), status=403)
    elif isinstance(exception, OperationalError | InterfaceError | PoolTimeout):
        logger.warning("the database is away: %s", type(exception).__name__)
        answer = Response(
            shape("database_unavailable", "We are back in a moment; nothing was changed.", retryable=True),
            status=503,
            headers={"Retry-After": str(DATABASE_RETRY_AFTER)},
        )
    else:
        return None
    set_rollback()
    return answer


def _domain(error: DomainError) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is None:
        raise LookupError(f"{type(error).__name__} has no HTTP status in config.errors")
    headers = {}
    if "retry_after" in error.details:
        headers["Retry-After"] = str(math.ceil(float(error.details["retry_after"])))
    elif status == 503:
        headers["Retry-After"] = "5"
    return Response(
        shape(error.code, error.message, error.details, retryable=error.retryable),
        status=status,
        headers=headers,
    )


def _api(error: exceptions.APIException) -> Response:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        first = next(iter(fields), "")
        details: dict[str, Any] = {"field": first, "fields": fields}
        return Response(
            shape("invalid", f"{first}: {_first_message(fields)}", details),
            status=error.status_code,
            headers=headers,
        )
    code = error.get_codes()
    word = code if isinstance(code, str) else "error"
    retryable = isinstance(error, exceptions.Throttled)
    details = {"retry_after": math.ceil(wait)} if wait is not None else {}
    return Response(
        shape(word, str(error.detail), details, retryable=retryable),
        status=error.status_code,
        headers=headers,
    )


def _first_message(value: Any) -> str:
    while isinstance(value, dict | list):
        value = next(iter(value.values())) if isinstance(value, dict) else (value[0] if value else "")
    return str(value)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """For an address that no route has."""
    return JsonResponse(shape("not_found", "There is nothing at this address."), status=404)


def our_fault(request: HttpRequest) -> JsonResponse:
    """For what nobody foresaw: it is in the log, and nothing of it is in the answer."""
    return JsonResponse(
        shape("internal_error", "This is our fault; we have been told.", retryable=True), status=500
    )
