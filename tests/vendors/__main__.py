"""`python -m tests.vendors [NAME …]`: the simulators of vendors of videos, until this process is told to end.

The first line of its output is JSON: the settings that lead to them, and where `GET` answers what each has been asked.
"""

import json
import sys
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import VIDEO_VENDORS
from .video import VideoVendor

# How long a job takes: long enough to be seen.
SECONDS = 2.0


def main() -> int:
    names = sys.argv[1:] or list(VIDEO_VENDORS)
    with ExitStack() as stack:
        vendors = {name: stack.enter_context(VIDEO_VENDORS[name](seconds=SECONDS)) for name in names}
        counts = ThreadingHTTPServer(("127.0.0.1", 0), _counting(vendors))
        threading.Thread(target=counts.serve_forever, daemon=True).start()
        environment: dict[str, str] = {}
        for vendor in vendors.values():
            environment |= vendor.environment()
        print(
            json.dumps(
                {
                    "environment": environment,
                    "origins": [vendor.root for vendor in vendors.values()],
                    "vendors": names,
                    "seconds": SECONDS,
                    "counts": f"http://127.0.0.1:{counts.server_port}",
                }
            ),
            flush=True,
        )
        threading.Event().wait()
    return 0


def _counting(vendors: dict[str, VideoVendor]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = {
                name: {"calls": len(vendor.requests), "accepted": len(vendor.jobs)}
                for name, vendor in vendors.items()
            }
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    return Handler


if __name__ == "__main__":
    sys.exit(main())
