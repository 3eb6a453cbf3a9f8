"""The addresses of accounts alone, as config mounts them."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("accounts.urls"))]
