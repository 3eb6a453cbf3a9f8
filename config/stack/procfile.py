"""The processes of the system, as the Procfile names them.

`python -m config.stack.procfile NAME` becomes that process: it ends when its parent does.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from .child import die_with_parent
from .home import PROJECT

_ASSIGNMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the Procfile: `name: VARIABLE=value … program argument …`."""

    name: str
    variables: Mapping[str, str]
    command: tuple[str, ...]


def processes() -> dict[str, Process]:
    """Every process by its name, in the order of the file."""
    found: dict[str, Process] = {}
    for line in (PROJECT / "Procfile").read_text().splitlines():
        name, _, text = line.partition(":")
        words = shlex.split(text, comments=True)
        if not words:
            continue
        variables: dict[str, str] = {}
        while match := _ASSIGNMENT.fullmatch(words[0]):
            variables[match[1]] = match[2]
            words.pop(0)
        found[name.strip()] = Process(name=name.strip(), variables=variables, command=tuple(words))
    return found


def main() -> None:
    process = processes()[sys.argv[1]]
    parent = os.getppid()
    die_with_parent()()
    if os.getppid() != parent:
        sys.exit("the parent ended before this process could start")
    os.execvpe(process.command[0], process.command, {**os.environ, **process.variables})


if __name__ == "__main__":
    main()
