"""Processes of their own for what reads a stranger's file; they report as lines of JSON, which are not trusted."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
# -I keeps the environment and the working folder out; so the project's place is an argument.
START = (
    "import sys; sys.path.append(sys.argv[1]); from importlib import import_module; "
    "import_module(sys.argv[2]).main(*sys.argv[3:])"
)
# The detector of speech would start threads, which takes eight times as long, and they may start none.
ENVIRONMENT = {"OMP_THREAD_LIMIT": "1"}
LONGEST_LINE = 8 << 20


class Child:
    """One module's `main` at work in a process, which confines itself before it opens anything."""

    def __init__(self, module: str, arguments: Mapping[str, Any]) -> None:
        # Not by code between fork and exec, which is not safe in a process with threads.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", START, str(ROOT), module, str(os.getpid()), json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.output: IO[bytes] = self._process.stdout
        self._rest = b""
        self.pid = self._process.pid

    def lines(self) -> Iterator[dict[str, Any]] | None:
        """What it says, when its output is readable; None at its end. Raises ValueError for what is no JSON."""
        chunk = os.read(self.output.fileno(), 1 << 20)
        if not chunk:
            return None
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise ValueError("a line without an end")
        return (json.loads(line) for line in whole)

    def wait(self, seconds: float) -> int:
        """Its exit code, as `subprocess` has it; to be asked once its output is at its end."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it, and with it all that it started."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self.output.close()
