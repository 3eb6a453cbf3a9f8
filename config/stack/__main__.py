"""`python -m config.stack run -- COMMAND …`, `… up` and `… demo`."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from environs import Env

from .child import die_with_parent, environment_of_python
from .embedded import Stack
from .home import PROJECT, Home, StackRunning, free_port, port_is_free
from .servers import ServerFailed
from .system import System
from .vendors import Simulators

DEMO_EMAIL = "demo@example.com"
DEFAULT_PORT = 8000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.stack", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="the whole system, until Ctrl-C")
    actions.add_parser("demo", help="the whole system from nothing, and its main job through the REST API")
    run = actions.add_parser("run", help="start the servers, run a command with their addresses, stop them")
    run.add_argument("command", nargs="+", metavar="COMMAND")
    arguments = parser.parse_args()
    # SIGTERM ends this process as Ctrl-C does: through every `finally`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.action == "run":
            return run_command(arguments.command, _folder(".stack/run"))
        if arguments.action == "up":
            return up(_folder(".stack/up"))
        return demo(_folder(".stack/demo"))
    except (StackRunning, ServerFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_command(command: list[str], folder: Path) -> int:
    """Run the command beside the servers; its exit code, or 128 + the signal that ended it."""
    stack = Stack(folder)
    stack.start()
    try:
        child = subprocess.Popen(
            command,
            env=environment_of_python({**os.environ, **stack.environment, "TEST_DOORS": "true"}),
            preexec_fn=die_with_parent(),
        )
        # The terminal sends Ctrl-C to the child as well: it decides how to end, this process waits for it.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        code = child.wait()
        return code if code >= 0 else 128 - code
    finally:
        stack.stop()


def up(folder: Path) -> int:
    """Run the whole system until this process is told to end. Reads `.env` if there is one."""
    Env().read_env(str(PROJECT / ".env"), recurse=False)
    port = int(os.environ.get("PORT", DEFAULT_PORT))
    if not port_is_free(port):
        print(f"Port {port} is taken: choose another with PORT=… make up", file=sys.stderr)
        return 1
    system = System(folder, port)
    print("Starting …", flush=True)
    try:
        system.start()
        password = system.stack.home.secret("demo-password")[:16]
        system.manage("create_operator", DEMO_EMAIL, OPERATOR_PASSWORD=password)
        print(
            f"""\
Ready.

  API      {system.address}/api/v1/
  Docs     {system.address}/api/docs/
  Admin    {system.address}/admin/
  Health   {system.address}/readyz

  Login    {DEMO_EMAIL}
  Password {password}

  Mails    {folder / "mail"}
  Logs     {folder / "logs"}

Ctrl-C stops it; the data stays for the next time.""",
            flush=True,
        )
        system.wait()
    finally:
        print("\nStopping …", flush=True)
        system.stop()
    return 0


def demo(folder: Path) -> int:
    """Start the whole system from nothing, let the demo client use it, stop it; the client's exit code."""
    previous = Home(folder)
    previous.lock()
    for part in folder.iterdir():
        if part.is_dir():
            shutil.rmtree(part)
    previous.unlock()
    system = System(folder, free_port())
    vendors = os.environ.get("VENDORS", "")
    simulators = Simulators([] if vendors == "all" else vendors.split(",")) if vendors else None
    print("Starting PostgreSQL, Redis, S3, the sandbox provider, web, workers and beat …", flush=True)
    try:
        if simulators is not None:
            os.environ.update(simulators.start())
        system.start()
        return subprocess.run(
            [sys.executable, "-m", "config.stack.demo" if simulators is None else "config.stack.vendors"],
            env=system.environment,
            cwd=PROJECT,
            check=False,
            preexec_fn=die_with_parent(),
        ).returncode
    finally:
        print("Stopping …", flush=True)
        system.stop()
        if simulators is not None:
            simulators.stop()


def _folder(default: str) -> Path:
    return Path(os.environ.get("STACK_DIR") or PROJECT / default).resolve()


if __name__ == "__main__":
    sys.exit(main())
