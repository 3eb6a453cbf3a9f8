"""How gunicorn serves `config.wsgi`. https://docs.gunicorn.org/en/stable/settings.html"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
# A request that hangs longer than this costs its worker; none of ours waits for a provider.
timeout = 60
graceful_timeout = 20
# Python keeps its high-water mark of memory.
max_requests = 10_000
max_requests_jitter = 1_000
# The request log of `config.logs` has the ids that an access log lacks.
accesslog = None
logconfig_dict = settings.LOGGING
