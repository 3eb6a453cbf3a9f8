"""The addresses of `credits/`, under /api/v1/."""

from django.urls import path

from .api import views

urlpatterns = [
    path("credits/", views.BalanceView.as_view(), name="credits"),
    path("credits/entries/", views.EntriesView.as_view(), name="credit-entries"),
    path("credits/verify/", views.VerificationView.as_view(), name="credits-verify"),
]
