"""All servers of one stack, started and stopped together."""

import os
from pathlib import Path

from .home import Home
from .servers import S3, Postgres, Redis, Sandbox, Server


class Stack:
    """The servers that the environment doesn't already name.

    `environment` is what the rest of the system needs to find them. A server whose address is set from outside
    isn't started, and SECRET_KEY, DEBUG and PUBLIC_URL keep a value from outside.
    """

    def __init__(self, folder: Path, web_port: int | None = None) -> None:
        """`web_port`: where the web will listen; by default a free port, the same each time."""
        self.home = Home(folder)
        self.servers: list[Server] = []
        self.environment: dict[str, str] = {}
        self._web_port = web_port

    def start(self) -> None:
        """Start every server. Raises StackRunning or ServerFailed; then nothing is left running."""
        self.home.lock()
        try:
            for kind in (Postgres, Redis, S3):
                self._add(kind(self.home))
            self._default("SECRET_KEY", self.home.secret("secret-key"))
            self._default("DEBUG", "true")
            port = self.home.port("web") if self._web_port is None else self._web_port
            self._default("PUBLIC_URL", f"http://127.0.0.1:{port}")
            # It fetches what the store's links name and calls our webhooks.
            reach = [self.environment.get(S3.variable, ""), self.environment["PUBLIC_URL"]]
            self._add(Sandbox(self.home, origins=reach))
            # Our HTTP client may reach these addresses of this machine, and no others.
            reach = [self.environment.get(variable, "") for variable in (S3.variable, Sandbox.variable)]
            reach += os.environ.get("SIMULATED_ORIGINS", "").split(",")
            self._default("EMBEDDED_ORIGINS", ",".join(filter(None, reach)))
        except BaseException:
            self.stop()
            raise

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

    def _add(self, server: Server) -> None:
        if server.variable not in os.environ:
            self.servers.append(server)
            server.start()
            self.environment |= server.environment()

    def _default(self, name: str, value: str) -> None:
        self.environment[name] = os.environ.get(name, value)
