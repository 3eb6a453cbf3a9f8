"""The REST API and the admin, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from config import celery  # noqa: E402 (needs the set-up above)

celery.answer_quickly()
