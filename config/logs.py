"""Logs: one JSON object per line with the ids of `workers.log_context`, and never a secret."""

import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from pythonjsonlogger.json import JsonFormatter

from workers.log_context import current, log_context

requests_log = logging.getLogger("requests_in")

REQUEST_ID_HEADER = "X-Request-ID"
# Asked every few seconds by whoever watches us.
PROBES = frozenset({"/healthz", "/readyz"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_SECRET_NAME = re.compile(r"(SECRET|PASSWORD|TOKEN|_KEY)(_|$)")
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_CREDENTIAL = re.compile(r"(?i)\b(Bearer|Api-Key|Basic)\s+[\w.~+/=-]{8,}")
_SIGNATURE = re.compile(
    r"(?i)([?&](?:X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|token|upload_id)=)[^&\s\"]+"
)
_REDACTED = "[redacted]"


class Redaction:
    """Takes secrets out of a text: values of secret variables, credentials, signatures in links."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        secrets = {
            value
            for name, value in variables.items()
            # A short value would take ordinary words out of every line.
            if _SECRET_NAME.search(name) and len(value) >= 12
        }
        parts = sorted(secrets, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, parts))) if parts else None

    def __call__(self, text: str) -> str:
        if self._values is not None:
            text = self._values.sub(_REDACTED, text)
        text = _URL_PASSWORD.sub(rf"\1:{_REDACTED}", text)
        text = _CREDENTIAL.sub(rf"\1 {_REDACTED}", text)
        return _SIGNATURE.sub(rf"\1{_REDACTED}", text)


class Formatter(JsonFormatter):
    """A log record as one line of JSON."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="at",
        )
        self._redact = Redaction(os.environ)

    def add_fields(
        self, log_record: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        super().add_fields(log_record, record, message_dict)
        # Django hands the whole request over.
        log_record.pop("request", None)
        log_record.update(current())

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def configuration(level: str) -> dict[str, Any]:
    """The value of Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "config.logs.Formatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Its own handlers would print each line a second time, in another shape.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "gunicorn.error": {"handlers": [], "level": level, "propagate": True},
            # A line per message, several a second.
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
        },
    }


class RequestLog:
    """Middleware: gives each request an id (X-Request-ID, the caller's if it is sound) and logs its end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        started = time.monotonic()
        with log_context(request=request_id):
            response = self.get_response(request)
            response[REQUEST_ID_HEADER] = request_id
            if request.path not in PROBES:
                with log_context(user=_user_id(request)):
                    requests_log.info(
                        "%s %s %s",
                        request.method,
                        request.path,
                        response.status_code,
                        extra={
                            "status": response.status_code,
                            "ms": round((time.monotonic() - started) * 1000),
                        },
                    )
        return response


def _user_id(request: HttpRequest) -> object:
    """The id of the request's user if somebody asked for it already: asking now could query the database."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject):
        user = request.__dict__.get("_cached_user")
    return getattr(user, "pk", None)
