"""How gunicorn serves `config.wsgi`. https://docs.gunicorn.org/en/stable/settings.html"""

import os

from environs import FileAwareEnv
from marshmallow.validate import Range

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

env = FileAwareEnv()

bind = f"{env.str('HOST', '127.0.0.1')}:{env.int('PORT', 8000, validate=Range(min=1, max=65535))}"
worker_class = "gthread"
workers = env.int("WEB_PROCESSES", 2, validate=Range(min=1, max=64))
threads = env.int("WEB_THREADS", 8, validate=Range(min=1, max=64))
# A request that hangs longer than this costs its worker; none of ours waits for a provider.
timeout = 60
graceful_timeout = 20
# Python keeps its high-water mark of memory.
max_requests = 10_000
max_requests_jitter = 1_000
# By default all servers of a user share one socket, and the last one has it; we restart by signal.
control_socket_disable = True
# The request log of `config.logs` has the ids that an access log lacks.
accesslog = None
logconfig_dict = settings.LOGGING
