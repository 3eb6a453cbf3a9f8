"""The whole system: the servers, and every process of the Procfile under supervisor."""

import os
import subprocess
import sys
import time
from pathlib import Path

import requests

from .child import Child, die_with_parent, environment_of_python
from .embedded import Stack
from .home import PROJECT
from .procfile import processes
from .servers import ServerFailed

READY_SECONDS = 90
# More than a worker takes to give its work back.
STOP_SECONDS = 35

_SUPERVISOR = """\
[supervisord]
nodaemon=true
silent=true
logfile=%(here)s/logs/supervisor.log
logfile_maxbytes=10MB
logfile_backups=2
pidfile=%(here)s/supervisor-own.pid
childlogdir=%(here)s/logs

[group:processes]
programs={names}
"""

_PROGRAM = """
[program:{name}]
command="{python}" -m config.stack.procfile {name}
directory={project}
autorestart=true
startsecs=3
startretries=1000000
stopsignal=TERM
stopwaitsecs={stop_seconds}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=%(here)s/logs/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


class System:
    """The stack with all its processes; `address` is where the API answers."""

    def __init__(self, folder: Path, port: int) -> None:
        self.stack = Stack(folder, web_port=port)
        self.folder = folder
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.environment: dict[str, str] = {}
        self._supervisor: Child | None = None

    def start(self) -> None:
        """Start everything and wait until it is ready. Raises StackRunning or ServerFailed."""
        self.stack.start()
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        self.environment = environment_of_python(
            {
                **os.environ,
                **self.stack.environment,
                "PORT": str(self.port),
                "EMAIL_FOLDER": os.environ.get("EMAIL_FOLDER", str(mail)),
            }
        )
        self.manage("migrate", "--verbosity", "0")
        self._supervisor = Child("supervisor", self.folder / "logs", grace_seconds=STOP_SECONDS + 10)
        self._supervisor.start(
            [sys.executable, "-m", "supervisor.supervisord", "--configuration", self._write_configuration()],
            environment=self.environment,
            cwd=PROJECT,
        )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the processes, then the servers."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        self.stack.stop()

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run a management command with further variables; its output. Raises ServerFailed if it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env={**self.environment, **variables},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=die_with_parent(),
        )
        if done.returncode != 0:
            raise ServerFailed(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def wait(self) -> None:
        """Keep everything running until this process is told to end."""
        while True:
            self.stack.restart_ended()
            if self._supervisor is not None and not self._supervisor.running():
                raise ServerFailed(f"supervisor ended:\n{self._supervisor.last_words()}")
            time.sleep(1)

    def _write_configuration(self) -> Path:
        names = list(processes())
        # One group, so that all are told to stop at once and not one after the other.
        text = _SUPERVISOR.format(names=",".join(names))
        for name in names:
            text += _PROGRAM.format(
                name=name,
                python=sys.executable.replace("%", "%%"),
                project=str(PROJECT).replace("%", "%%"),
                stop_seconds=STOP_SECONDS,
            )
        path = self.folder / "supervisord.conf"
        path.write_text(text)
        return path

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            try:
                response = requests.get(f"{self.address}/readyz", timeout=3)
                answer = response.text
                if response.ok:
                    return
            except requests.RequestException:
                pass
            if self._supervisor is not None and not self._supervisor.running():
                raise ServerFailed(f"supervisor ended:\n{self._supervisor.last_words()}")
            time.sleep(0.2)
        ends = [f"  {name}: {self._last_line(name)}" for name in processes()]
        raise ServerFailed(
            f"The system was not ready within {READY_SECONDS} s: {answer}\n"
            f"Its logs are in {self.folder / 'logs'}, and end so:\n" + "\n".join(ends)
        )

    def _last_line(self, name: str) -> str:
        log = self.folder / "logs" / f"{name}.log"
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        return next((line[:300] for line in reversed(lines) if line.strip()), "nothing")
