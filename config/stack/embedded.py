"""All servers of one stack, started and stopped together."""

import os
from pathlib import Path

from .home import Home
from .servers import S3, Postgres, Redis, Sandbox, Server


class Stack:
    """The servers that the environment doesn't already name.

    `environment` is what the rest of the system needs to find them all; a variable that is set from outside
    keeps its value.
    """

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.servers: list[Server] = []
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        """Start every server. Raises StackRunning or ServerFailed; then nothing is left running."""
        self.home.lock()
        try:
            for kind in (Postgres, Redis, S3, Sandbox):
                if kind.variable not in os.environ:
                    server = kind(self.home)
                    self.servers.append(server)
                    server.start()
                    self.environment |= server.environment()
        except BaseException:
            self.stop()
            raise
        self.environment |= {
            "SECRET_KEY": self.home.secret("secret-key"),
            "DEBUG": "true",
            # The HTTP client may reach these addresses of this machine, and no others.
            "EMBEDDED_ORIGINS": ",".join(
                self.environment[name] for name in (S3.variable, Sandbox.variable) if name in self.environment
            ),
        }
        self.environment = {name: os.environ.get(name, value) for name, value in self.environment.items()}

    def stop(self) -> None:
        """Stop every server, the last one first, and give the folder up."""
        for server in reversed(self.servers):
            server.stop()
        self.servers.clear()
        self.home.unlock()

    def restart_ended(self) -> None:
        """Start those servers again that have ended by themselves."""
        for server in self.servers:
            if not server.child.running():
                server.start()
