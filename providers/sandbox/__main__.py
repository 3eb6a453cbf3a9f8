"""`python -m providers.sandbox --port N --data DIR`

SANDBOX_API_KEY and SANDBOX_WEBHOOK_SECRET come from the environment, and so do the origins that callbacks
and images may have beside public HTTPS and this machine: EMBEDDED_ORIGINS and PUBLIC_URL.
"""

import argparse
import os
from pathlib import Path

import uvicorn

from providers.http import origin

from .application import ServiceConfig, application


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m providers.sandbox", description="The sandbox provider.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", type=Path, required=True, help="folder of its videos and its memory")
    parser.add_argument("--public-url", help="what links to files start with; default: this host and port")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every answer")
    parser.add_argument("--stall-rate", type=float, default=0, help="share of answers that stall, 0 to 1")
    parser.add_argument("--stall-seconds", type=float, default=8)
    options = parser.parse_args()
    named = [*os.environ.get("EMBEDDED_ORIGINS", "").split(","), os.environ.get("PUBLIC_URL", "")]
    config = ServiceConfig(
        data=options.data,
        public_url=(options.public_url or f"http://{options.host}:{options.port}").rstrip("/"),
        api_key=_required("SANDBOX_API_KEY"),
        webhook_secret=_required("SANDBOX_WEBHOOK_SECRET"),
        origins=frozenset(origin(url.strip()) for url in named if url.strip()),
        latency_seconds=options.latency_ms / 1000,
        stall_rate=options.stall_rate,
        stall_seconds=options.stall_seconds,
    )
    uvicorn.run(
        application(config),
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="warning",
        backlog=4096,
        timeout_graceful_shutdown=2,
    )


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"{name} is not set")
    return value


if __name__ == "__main__":
    main()
