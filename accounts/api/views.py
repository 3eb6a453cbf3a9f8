"""`me/`: the signed-in account's profile, preferences and API keys."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import schema as schema
from accounts.api.pagination import Page
from accounts.api.schema import IDEMPOTENCY_KEY
from accounts.api.serializers import (
    ApiKeySerializer,
    MadeApiKeySerializer,
    NewApiKeySerializer,
    PreferencesSerializer,
    ProfileSerializer,
)
from accounts.authentication import owner_of
from accounts.credentials import make_api_key, revoke_api_key
from accounts.idempotency import Answer, once
from accounts.models import ApiKey, Preferences
from accounts.permissions import HasScope, IsInteractive
from workers.clock import AppNow


class ProfileView(APIView):
    """The signed-in account."""

    @extend_schema(operation_id="me_get", responses=ProfileSerializer)
    def get(self, request: Request) -> Response:
        """Who is signed in, and what the tier allows."""
        return Response(ProfileSerializer(owner_of(request)).data)

    @extend_schema(operation_id="me_update", request=ProfileSerializer, responses=ProfileSerializer)
    def patch(self, request: Request) -> Response:
        """Change the name."""
        changes = ProfileSerializer(owner_of(request), data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        changes.save()
        return Response(changes.data)


class PreferencesView(APIView):
    """What the account asks for when a request doesn't say."""

    @extend_schema(operation_id="preferences_get", responses=PreferencesSerializer)
    def get(self, request: Request) -> Response:
        """What is used where a request doesn't say."""
        owner = owner_of(request)
        preferences = Preferences.objects.filter(owner=owner).first() or Preferences(owner=owner)
        return Response(PreferencesSerializer(preferences).data)

    @extend_schema(
        operation_id="preferences_update", request=PreferencesSerializer, responses=PreferencesSerializer
    )
    def patch(self, request: Request) -> Response:
        """Change what is used where a request doesn't say."""
        changes = PreferencesSerializer(data=request.data, partial=True)
        changes.is_valid(raise_exception=True)
        preferences, _ = Preferences.objects.update_or_create(
            owner=owner_of(request), defaults={**changes.validated_data, "updated_at": AppNow()}
        )
        return Response(PreferencesSerializer(preferences).data)


class ApiKeysPage(Page):
    ordering = ("-created_at", "-id")


class ApiKeysView(ListAPIView[ApiKey]):
    """The account's API keys. A program's key can't see or make them."""

    permission_classes = (HasScope, IsInteractive)
    serializer_class = ApiKeySerializer
    pagination_class = ApiKeysPage
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(owner=owner_of(self.request))

    @extend_schema(operation_id="api_keys_list")
    def get(self, request: Request) -> Response:
        """The account's API keys, newest first."""
        return self.list(request)

    @extend_schema(
        operation_id="api_keys_create",
        parameters=[IDEMPOTENCY_KEY],
        request=NewApiKeySerializer,
        responses={201: MadeApiKeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an API key.

        Its secret is shown in this answer and never again: a repeat by Idempotency-Key shows null.
        """
        wanted = NewApiKeySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        secrets: list[str] = []

        def act() -> Answer:
            made = make_api_key(owner_of(request), **wanted.validated_data)
            secrets.append(made.secret)
            return Answer(status=status.HTTP_201_CREATED, body=dict(ApiKeySerializer(made.key).data))

        answer = once(request, act)
        # Beside what is recorded: a secret is nowhere on disk.
        return Response({**answer.body, "secret": secrets[-1] if secrets else None}, status=answer.status)


class ApiKeyView(APIView):
    """One API key."""

    permission_classes = (HasScope, IsInteractive)

    @extend_schema(
        operation_id="api_keys_revoke", request=None, responses={204: OpenApiResponse(description="Revoked.")}
    )
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Revoke an API key."""
        if not revoke_api_key(owner_of(request), key_id):
            raise NotFound()
        return Response(status=status.HTTP_204_NO_CONTENT)
