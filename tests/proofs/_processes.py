"""Real processes on the proof's database, to be killed."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.scratch import database_url


def spawn(module: str, *arguments: object, connections: int) -> subprocess.Popen[str]:
    """Start `python -m MODULE ARGUMENTS` on the database of this process, with at most so many connections."""
    environment = {**os.environ, "DATABASE_URL": database_url(), "DATABASE_POOL_SIZE": str(connections)}
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(processes: Sequence[subprocess.Popen[str]]) -> None:
    """SIGKILL whatever still runs."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
