"""What becomes FFmpeg: `python -I launch.py PARENT LIMITS PROGRAM ARGUMENT…`; it imports nothing of the project.

It ends with its parent, has no network where the machine allows that, and may use only what LIMITS, in JSON, give it.
Code between fork and exec would do the same, but is not safe in a process with threads.
"""

import ctypes
import json
import os
import resource
import signal
import sys

# linux/prctl.h, linux/sched.h
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def main() -> None:
    parent, limits = int(sys.argv[1]), json.loads(sys.argv[2])
    libc = ctypes.CDLL(None)
    libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # It outlives exec.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before it could be watched")
    for limit, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    os.execv(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
