"""What a credential may do. Each raises a domain error, so that the answer says what to do."""

from typing import TYPE_CHECKING, cast

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.credentials import Credential
from accounts.errors import AccountSuspended, InteractiveOnly, ScopeMissing
from accounts.models import Scope

if TYPE_CHECKING:
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """Signed in, with the scope `read` for methods that change nothing and `write` for the others."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        scope = Scope.READ if request.method in SAFE_METHODS else Scope.WRITE
        if scope not in cast(Credential, request.auth).scopes:
            raise ScopeMissing(scope=scope.value)
        return True


class IsInteractive(BasePermission):
    """A person, not a program with an API key: for keys, e-mail, password, export and erasure."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        if cast(Credential, request.auth).kind == "api_key":
            raise InteractiveOnly()
        return True


class IsNotSuspended(BasePermission):
    """An account that may spend: for whatever costs credits."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        if request.user.suspended_at is not None:
            raise AccountSuspended()
        return True
