"""`auth/`: allauth's views for applications, behind our throttles and with our error in each refusal.

The views and their protocol are allauth's, unchanged, so that clients made for it work: an answer carries
`status`, `data`, `meta` (tokens) and, where the person isn't signed in (yet), 401 with the `flows` that are
open. A refusal has a member `error` besides, in the shape that all our answers have. `Authorization: Api-Key`
means nothing here.
"""

import json
import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.account import views
from allauth.headless.base.views import APIView
from allauth.headless.constants import Client
from allauth.headless.tokens.views import RefreshTokenView
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from psycopg_pool import PoolTimeout

from accounts.rates import take
from accounts.throttles import sign_in_limits

View = Callable[..., HttpResponseBase]

logger = logging.getLogger(__name__)

LARGEST_BODY = 10_000
# Seconds after which what is away may be back.
RETRY_AFTER = 5

# Path under auth/, allauth's view, its name.
_VIEWS: tuple[tuple[str, type[APIView], str], ...] = (
    ("signup", views.SignupView, "signup"),
    ("login", views.LoginView, "login"),
    ("session", views.SessionView, "current_session"),
    ("refresh", RefreshTokenView, "refresh"),
    ("reauthenticate", views.ReauthenticateView, "reauthenticate"),
    ("email", views.ManageEmailView, "manage_email"),
    ("email/verify", views.VerifyEmailView, "verify_email"),
    ("password/request", views.RequestPasswordResetView, "request_password_reset"),
    ("password/reset", views.ResetPasswordView, "reset_password"),
    ("password/change", views.ChangePasswordView, "change_password"),
)

_REFUSALS = {
    HTTPStatus.BAD_REQUEST: ("invalid", "Some fields are not as they must be."),
    HTTPStatus.UNAUTHORIZED: ("not_authenticated", "Nobody is signed in."),
    HTTPStatus.FORBIDDEN: ("permission_denied", "This is not allowed."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This address doesn't take this method."),
    HTTPStatus.CONFLICT: (
        "conflict",
        "This doesn't fit the present state: somebody is signed in, or nobody is.",
    ),
    HTTPStatus.GONE: ("session_gone", "The session is over. Sign in again."),
}
_PENDING = {
    "verify_email": (
        "email_verification_pending",
        "Confirm the e-mail address with the link that was sent to it.",
    ),
    "reauthenticate": ("reauthentication_required", "Give the password again."),
}


def urlpatterns() -> list[URLPattern]:
    """The views under auth/."""
    return [
        path(address, _guarded(view.as_api_view(client=Client.APP)), name=name)
        for address, view, name in _VIEWS
    ]


def _guarded(view: View) -> View:
    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is too large.")
        wait = take(sign_in_limits(request, _email_in(request)))
        if wait:
            refusal = _refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "throttled",
                f"Too many requests: try again in {wait} seconds.",
                {"retry_after": wait},
                retryable=True,
            )
            refusal["Retry-After"] = str(wait)
            return refusal
        try:
            response = view(request, *args, **kwargs)
        except ImmediateHttpResponse as immediate:
            response = immediate.response
        except (OperationalError, InterfaceError, PoolTimeout):
            return _away("database_unavailable", "We are back in a moment.")
        except OSError as error:
            # SMTP's own errors are of this kind too. No transaction is held while a mail server answers, so the
            # account stays; signing in has its mail sent again.
            logger.error("mail could not be sent: %s", type(error).__name__, extra={"alarm": "mail"})
            return _away("mail_unavailable", "The mail could not be sent. Sign in to have it sent again.")
        return _with_error(response) if response.status_code >= 400 else response

    return guarded


def _away(code: str, message: str) -> JsonResponse:
    refusal = _refusal(HTTPStatus.SERVICE_UNAVAILABLE, code, message, retryable=True)
    refusal["Retry-After"] = str(RETRY_AFTER)
    return refusal


def _email_in(request: HttpRequest) -> str:
    body = _object(request.body) if request.method in ("POST", "PUT", "PATCH") else {}
    email = body.get("email")
    return email if isinstance(email, str) else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _with_error(response: HttpResponseBase) -> HttpResponseBase:
    """The same answer, with `error` beside what allauth says."""
    status = HTTPStatus(response.status_code)
    content = _object(getattr(response, "content", b""))
    code, message = _REFUSALS.get(status, (status.name.lower(), status.phrase))
    details: dict[str, Any] = {}
    for problem in content.get("errors", ()):
        details.setdefault("fields", {}).setdefault(problem.get("param", ""), []).append(problem["message"])
    if status == HTTPStatus.UNAUTHORIZED:
        for flow in content.get("data", {}).get("flows", ()):
            if flow.get("is_pending") or flow["id"] == "reauthenticate":
                code, message = _PENDING.get(flow["id"], (code, message))
    content["error"] = _error(code, message, details, retryable=False)
    refusal = JsonResponse(content, status=status)
    for name, value in response.items():
        if name not in ("Content-Type", "Content-Length"):
            refusal[name] = value
    return refusal


def _refusal(
    status: HTTPStatus,
    code: str,
    message: str,
    details: dict[str, Any] | None = None,
    *,
    retryable: bool = False,
) -> JsonResponse:
    error = _error(code, message, details or {}, retryable=retryable)
    return JsonResponse({"status": status, "error": error}, status=status)


def _error(code: str, message: str, details: dict[str, Any], *, retryable: bool) -> dict[str, Any]:
    return {"code": code, "message": message, "details": details, "retryable": retryable}
