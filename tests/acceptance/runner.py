"""`python -m tests.acceptance.runner [QUEUE …]`: the engines of these queues (io by default) and nothing else.

It dies or freezes where CRASH_POINT or FREEZE_POINT says.
"""

import sys
import time

import django

RING_SECONDS = 0.1
THREADS = {"io": 8, "slow": 4, "media": 1}


def main() -> None:
    django.setup()
    from workers.engine import Engine

    engines = [Engine(queue, THREADS[queue]) for queue in sys.argv[1:] or ["io"]]
    for engine in engines:
        engine.start()
    while True:
        for engine in engines:
            engine.run_due()
        time.sleep(RING_SECONDS)


if __name__ == "__main__":
    main()
