"""`python -m tests.proofs [NAME …]`: run the proofs named, or all, at full size; exit 1 where one is broken.

SEED repeats a run; without it one is drawn, and printed.
"""

import logging
import os
import pkgutil
import secrets
import subprocess
import sys
from importlib import import_module

import tests.proofs
from tests.scratch import scratch_database


def main() -> int:
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(tests.proofs.__path__)
        if not module.name.startswith("_")
    )
    wanted = sys.argv[1:] or names
    if unknown := set(wanted) - set(names):
        print(f"no proof {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        return 2
    if len(wanted) > 1:
        # A process each, because each has a database of its own.
        return max(
            subprocess.run([sys.executable, "-m", "tests.proofs", name], check=False).returncode
            for name in wanted
        )
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**9))
    print(f"SEED={seed} NAME={wanted[0]}", flush=True)
    with scratch_database():
        # What a proof provokes on purpose is no news.
        logging.disable(logging.WARNING)
        result = import_module(f"tests.proofs.{wanted[0]}").run(seed, True)
    print(result.report())
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
