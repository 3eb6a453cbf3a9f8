"""One process of a flood: `python -m tests.accounts.flood KEY REQUESTS`.

Says "ready", waits for a line, sends its requests at once from as many threads against a limit of 10, and says
how many were allowed.
"""

import sys

import django


def main() -> None:
    django.setup()
    from accounts.rates import Limit, take
    from tests.accounts.races import at_once

    key, requests = sys.argv[1], int(sys.argv[2])
    allowed: list[int] = []

    def request() -> None:
        if take([Limit(key=key, count=10)]) == 0:
            allowed.append(1)

    print("ready", flush=True)
    sys.stdin.readline()
    errors = at_once(*[request] * requests)
    if errors:
        raise errors[0]
    print(len(allowed), flush=True)


if __name__ == "__main__":
    main()
