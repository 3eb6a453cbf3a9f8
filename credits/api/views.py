"""An owner's money: the figures, the ledger, and the check that they agree. Nothing here changes anything."""

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.pagination import Page
from accounts.authentication import owner_of
from credits import ledger, verification
from credits.models import Entry

from .filters import EntryFilter
from .serializers import BalanceSerializer, EntrySerializer, VerificationSerializer


class BalanceView(APIView):
    """Balance and held credits, and what they are worth."""

    @extend_schema(operation_id="credits_retrieve", responses=BalanceSerializer)
    def get(self, request: Request) -> Response:
        """Balance and held credits, and what they are worth."""
        return Response(BalanceSerializer(ledger.balance_of(owner_of(request).pk)).data)


class EntryPage(Page):
    ordering = ("-created_at", "-id")


class EntriesView(ListAPIView[Entry]):
    """The ledger, newest first."""

    queryset = Entry.objects.none()
    serializer_class = EntrySerializer
    pagination_class = EntryPage
    filter_backends = (DjangoFilterBackend,)
    filterset_class = EntryFilter

    def get_queryset(self) -> QuerySet[Entry]:
        return Entry.objects.filter(owner=owner_of(self.request).pk)


class VerificationView(APIView):
    """Recompute the account from its entries."""

    @extend_schema(operation_id="credits_verify", responses=VerificationSerializer)
    def get(self, request: Request) -> Response:
        """Recompute the account from its entries."""
        return Response(VerificationSerializer(verification.verify(owner_of(request).pk)).data)
