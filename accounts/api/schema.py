"""The OpenAPI description of what drf-spectacular can't see: how requests are signed, and allauth's views.

allauth ships the description of its own views; those that we expose are taken from it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from allauth.headless.spec.internal.schema import pin_client, specify_signup_fields, specify_user
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body again replays the answer.",
)

PREFIX = "/api/v1/auth/"
TAG = "auth"

# allauth's address, and ours under PREFIX.
_PATHS = {
    "/_allauth/app/v1/auth/signup": "signup",
    "/_allauth/app/v1/auth/login": "login",
    "/_allauth/app/v1/auth/session": "session",
    "/_allauth/app/v1/tokens/refresh": "refresh",
    "/_allauth/app/v1/auth/reauthenticate": "reauthenticate",
    "/_allauth/app/v1/account/email": "email",
    "/_allauth/app/v1/auth/email/verify": "email/verify",
    "/_allauth/app/v1/auth/password/request": "password/request",
    "/_allauth/app/v1/auth/password/reset": "password/reset",
    "/_allauth/app/v1/account/password/change": "password/change",
}
_COMPONENT = "#/components/"
_EXAMPLE_ID = "7d3c2a1e-0000-4000-8000-000000000001"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Before allauth's names of components, so that they can't be ours.
_OWN = "Auth"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token from `auth/login` or `auth/refresh`, or of the Supabase project.",
        }


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <secret>`: a key from `me/api-keys/`.",
        }


def add_sign_in(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular: adds the paths under auth/ and the components they need."""
    paths, components = _sign_in()
    result["paths"] = dict(sorted({**result["paths"], **paths}.items()))
    for section, members in components.items():
        # Sorted, so that the same code is the same document.
        result.setdefault("components", {}).setdefault(section, {}).update(sorted(members.items()))
    return result


@cache
def _sign_in() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    specification = yaml.safe_load(files("allauth.headless").joinpath("spec/doc/openapi.yaml").read_bytes())
    specify_user(specification)
    specify_signup_fields(specification)
    pin_client(specification)
    paths = {
        PREFIX + ours: _described(specification["paths"][theirs], ours) for theirs, ours in _PATHS.items()
    }
    components: dict[str, dict[str, Any]] = {}
    wanted = set(_references(paths))
    while wanted:
        reference = wanted.pop()
        section, name = reference.removeprefix(_COMPONENT).split("/")
        if name in components.setdefault(section, {}):
            continue
        components[section][name] = specification["components"][section][name]
        wanted.update(_references(components[section][name]))
    own = {
        section: {_OWN + name: _renamed(member) for name, member in members.items()}
        for section, members in sorted(components.items())
    }
    return _renamed(paths), own


def _described(item: Mapping[str, Any], ours: str) -> dict[str, Any]:
    described = {}
    for method, operation in item.items():
        name = "_".join([TAG, *ours.split("/"), method])
        described[method] = {**operation, "operationId": name, "tags": [TAG]}
    return described


def _references(part: Any) -> Iterator[str]:
    """Every component that this part of a description names."""
    if isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str):
            yield reference
        for member in part.values():
            yield from _references(member)
    elif isinstance(part, list):
        for member in part:
            yield from _references(member)


def _renamed(part: Any) -> Any:
    """The part, its references to components renamed as we name them; `nullable` as OpenAPI 3.1 says it."""
    if isinstance(part, list):
        return [_renamed(member) for member in part]
    if not isinstance(part, dict):
        # Examples of ids are made up anew at each start: one serves them all.
        return _EXAMPLE_ID if re.fullmatch(_UUID, str(part)) else part
    renamed = {key: _renamed(member) for key, member in part.items()}
    reference = renamed.get("$ref")
    if isinstance(reference, str):
        section, name = reference.removeprefix(_COMPONENT).split("/")
        renamed["$ref"] = f"{_COMPONENT}{section}/{_OWN}{name}"
    if renamed.pop("nullable", False):
        renamed["type"] = [renamed["type"], "null"]
    return renamed
