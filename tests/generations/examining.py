"""`python -m tests.generations.examining`: a worker that passes every video, or dies where CRASH_POINT says."""

import time

import django


def main() -> None:
    django.setup()
    from generations import delivery
    from generations.delivery import Verdict
    from workers.engine import Engine

    delivery.register_examiner(lambda video, expected, folder: Verdict(ok=True))
    engine = Engine("media", 1)
    engine.start()
    while True:
        engine.run_due()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
