"""`python -m tests.halves`: the whole suite as two runs side by side, each with servers of its own.

Before them runs, alone, what holds the system to seconds. Other tests mostly wait, for processes and for time to pass; in
one run two cores are idle half of it. The first half's words are shown as they come, the second's when it ends.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent
# They promise answers within seconds while servers are lost: not beside others.
ALONE = ("tests/acceptance/test_outages.py",)
# About half of the time. Whatever else there is, is the other half's: no folder can be forgotten.
FIRST = ("acceptance", "accounts", "config", "credits", "providers", "workers")


def halves() -> tuple[list[str], list[str]]:
    """The folders of each half, as pytest takes them."""
    folders = sorted(path.name for path in TESTS.iterdir() if any(path.glob("**/test_*.py")))
    loose = sorted(path.name for path in TESTS.glob("test_*.py"))
    first = [name for name in folders if name in FIRST]
    return (
        [f"tests/{name}" for name in first],
        [f"tests/{name}" for name in [*folders, *loose] if name not in first],
    )


def main() -> int:
    base = os.environ.get("STACK_DIR", ".stack/test")
    command = [sys.executable, "-m", "config.stack", "run", "--", sys.executable, "-m", "pytest"]
    alone = subprocess.run(
        [*command, "-o", "cache_dir=.pytest_cache/0", *ALONE, *sys.argv[1:]],
        env={**os.environ, "STACK_DIR": f"{base}-0"},
        check=False,
    ).returncode
    others = [f"--ignore={path}" for path in ALONE]
    with tempfile.TemporaryFile() as quiet:
        running = []
        for number, folders in enumerate(halves(), start=1):
            running.append(
                subprocess.Popen(
                    [*command, "-o", f"cache_dir=.pytest_cache/{number}", *folders, *others, *sys.argv[1:]],
                    env={**os.environ, "STACK_DIR": f"{base}-{number}"},
                    stdout=quiet if number > 1 else None,
                    stderr=subprocess.STDOUT if number > 1 else None,
                )
            )
        codes = [process.wait() for process in running]
        quiet.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(quiet.read())
        sys.stdout.flush()
    return max(alone, *codes)


if __name__ == "__main__":
    sys.exit(main())
