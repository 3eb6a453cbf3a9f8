"""The addresses of accounts, under /api/v1/."""

from django.urls import include, path

from accounts.api import sign_in, views

urlpatterns = [
    path("auth/", include((sign_in.urlpatterns(), "auth"))),
    path("me/", views.ProfileView.as_view(), name="me"),
    path("me/preferences/", views.PreferencesView.as_view(), name="preferences"),
    path("me/api-keys/", views.ApiKeysView.as_view(), name="api-keys"),
    path("me/api-keys/<uuid:key_id>/", views.ApiKeyView.as_view(), name="api-key"),
]
