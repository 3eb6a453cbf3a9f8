"""`python -m bench [NAME …]`: run the benchmarks named, or all; exit 1 where a bar is missed."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import bench
from bench.measure import report
from tests.scratch import scratch_database

NOT_BENCHMARKS = {"__main__", "measure"}


def main() -> int:
    names = sorted({module.name for module in pkgutil.iter_modules(bench.__path__)} - NOT_BENCHMARKS)
    wanted = sys.argv[1:] or names
    if unknown := set(wanted) - set(names):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        return 2
    if len(wanted) > 1:
        # A process each, because each has a database of its own.
        codes = [
            subprocess.run([sys.executable, "-m", "bench", name], check=False).returncode for name in wanted
        ]
        return max(codes)
    with scratch_database():
        from django.conf import settings

        # As in production: Django's log of every query is a developer's.
        settings.DEBUG = False
        return 0 if report(wanted[0], import_module(f"bench.{wanted[0]}").run()) else 1


if __name__ == "__main__":
    sys.exit(main())
