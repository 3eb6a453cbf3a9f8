from django.apps import AppConfig
from django.conf import settings

from . import http


class ProvidersConfig(AppConfig):
    name = "providers"

    def ready(self) -> None:
        http.configure(http.ClientConfig(allowed_origins=frozenset(settings.EMBEDDED_ORIGINS)))
