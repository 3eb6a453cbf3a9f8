"""The system's own processes, started for a test on the test's database, and killed as a crash would."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from config.stack.child import Child, environment_of_python
from config.stack.home import PROJECT, free_port
from config.stack.procfile import processes
from tests.scratch import database_url


class Processes:
    """Processes of the Procfile by their names there; none outlives the test.

    They work on the database of the test (which must commit: `transaction=True`) and on its Redis and bucket.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        """`folder` takes the logs; `variables` are set for every process."""
        self.folder = folder
        self._variables = variables
        self._children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}

    def start(self, name: str, label: str | None = None, **variables: str) -> None:
        """Start the process `name`, called `label` from then on (default: its name)."""
        process = processes()[name]
        label = label or name
        if label not in self._ports:
            # The first web process is the one that PUBLIC_URL leads to: the sandbox calls there.
            public = urlsplit(settings.PUBLIC_URL).port
            if public is None or name != "web" or public in self._ports.values():
                public = free_port()
            self._ports[label] = public
        port = self._ports[label]
        environment = environment_of_python(
            {
                **os.environ,
                "DATABASE_URL": database_url(),
                "TEST_DOORS": "true",
                "PORT": str(port),
                **self._variables,
                **process.variables,
                **variables,
            }
        )
        child = Child(label, self.folder, grace_seconds=40)
        # The path decides which program a bare name is, and it is the child's path that has ours.
        command = Path(environment["PATH"].split(os.pathsep)[0]) / process.command[0]
        child.start([command, *process.command[1:]], environment=environment, cwd=PROJECT)
        self._children[label] = child

    def address(self, label: str = "web") -> str:
        """Where a web process listens: the same after a restart."""
        return f"http://127.0.0.1:{self._ports[label]}"

    def running(self, label: str) -> bool:
        """Whether it has not ended."""
        return self._children[label].running()

    def signal(self, label: str, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP and SIGCONT."""
        self._children[label].signal(number)

    def kill(self, label: str) -> None:
        """SIGKILL, and wait until it is gone."""
        self._children[label].kill()

    def stop(self, label: str) -> None:
        """SIGTERM, as a deploy does it, and wait for the end."""
        self._children[label].stop()

    def stop_all(self) -> None:
        """End every process, the quick way."""
        for child in self._children.values():
            child.kill()

    def wait_until(self, predicate: Callable[[], bool], within: float, what: str = "") -> float:
        """Wait until the predicate holds; the seconds it took. After `within` it fails with the logs' ends."""
        started = time.monotonic()
        while not predicate():
            if time.monotonic() - started > within:
                logs = "".join(
                    f"\n--- {name}\n{child.last_words()}" for name, child in self._children.items()
                )
                raise AssertionError(f"not within {within} s: {what or predicate}{logs}")
            time.sleep(0.05)
        return time.monotonic() - started
