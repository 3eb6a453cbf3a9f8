"""Named points at which a test can kill or freeze the process, to prove that nothing is lost or done twice there."""

import os
import signal
import threading

_KILLED_AT = os.environ.get("CRASH_POINT", "")
_FROZEN_AT = os.environ.get("FREEZE_POINT", "")


def point(name: str) -> None:
    """SIGKILL this process if the environment's CRASH_POINT names this point, SIGSTOP it if FREEZE_POINT does."""
    if name == _KILLED_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    if name == _FROZEN_AT:
        # To this thread: sent to the process it could stop another first, and this one would go on a little.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
