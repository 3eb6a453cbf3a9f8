"""Named points at which a test can kill the process, to prove that nothing is lost there."""

import os
import signal

_POINT = os.environ.get("CRASH_POINT", "")


def point(name: str) -> None:
    """SIGKILL this process if the environment's CRASH_POINT names this point; else nothing."""
    if name == _POINT:
        os.kill(os.getpid(), signal.SIGKILL)
