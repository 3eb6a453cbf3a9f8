"""Every JSON answer that any test gets from the API is held against the API's own description."""

import json
import re
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker

OWN = "/api/v1/"
# Described by allauth, for its own answers.
NOT_OURS = "/api/v1/auth/"
# The generator registers its extensions as it runs: two threads that start it together break each other.
_ONE_AT_A_TIME = Lock()


class Conformance:
    """A middleware that fails the test whose answer is not as described: an unknown status, field, value or type."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        route = request.resolver_match.route if request.resolver_match else ""
        path = "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route)
        if path.startswith(OWN) and not path.startswith(NOT_OURS) and response.status_code != 304:
            conforms(path, request.method or "", response)
        return response


def conforms(path: str, method: str, response: HttpResponse) -> None:
    """Raises AssertionError."""
    with _ONE_AT_A_TIME:
        described_paths = description()["paths"]
    operation = described_paths.get(path, {}).get(method.lower())
    if operation is None:
        # A method that there is not, or a route of a test.
        assert path not in described_paths or response.status_code in (401, 403, 405), (method, path)
        return
    status = str(response.status_code)
    success = response.status_code < 400
    assert status in operation["responses"] or not success, (
        f"{method} {path} answered {status}: not described"
    )
    described = operation["responses"].get(status) or operation["responses"]["default"]
    if not success:
        described = description()["components"]["responses"]["Refused"]
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        assert response.streaming or not response.content, (
            f"{method} {path} answered {status} with a body that is not described"
        )
        return
    validator = validator_of(json.dumps(schema, sort_keys=True))
    wrong = [
        f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(response.content))
    ]
    assert not wrong, f"{method} {path} {status}: {wrong}"


@cache
def description() -> dict[str, Any]:
    """As the code says it, and strict: a field that is not described is an error."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    described: dict[str, Any] = json.loads(json.dumps(schema, default=str))
    for component in described["components"]["schemas"].values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    return described


@cache
def validator_of(schema: str) -> Draft202012Validator:
    return Draft202012Validator(
        {**json.loads(schema), "components": description()["components"]}, format_checker=FormatChecker()
    )
