"""`python -m tests.acceptance.runner`: the engine of `worker-io` alone, which dies at CRASH_POINT if that is set."""

import time

import django

RING_SECONDS = 0.1


def main() -> None:
    django.setup()
    from workers.engine import Engine

    engine = Engine("io", 8)
    engine.start()
    while True:
        engine.run_due()
        time.sleep(RING_SECONDS)


if __name__ == "__main__":
    main()
