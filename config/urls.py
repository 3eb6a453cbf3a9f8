"""Every address of the system."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config import health
from config.status import StatusView
from generations.api.webhooks import webhook

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/", include("credits.urls")),
    path("api/v1/", include("generations.urls")),
    path("api/v1/", include("pipeline.urls")),
    path("api/v1/", include("workers.urls")),
    path("api/v1/status/", StatusView.as_view(), name="status"),
    path("webhooks/<str:provider>/<str:token>/", webhook, name="webhook"),
]

handler404 = "config.errors.not_found"
handler500 = "config.errors.our_fault"
