"""A process that ends with the one that started it, and is found again where even that failed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
# It was told to end when its runner was killed, so it has had its time.
LEFTOVER_SECONDS = 5


def die_with_parent(signal_number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """What a child runs before its program, so that Linux signals it when the starting thread ends."""

    def ask_kernel() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal_number))

    return ask_kernel


@dataclass(slots=True)
class Child:
    """One process: its output in `<name>.log`, its identity in `<name>.pid`, both in `folder`.

    It has a session of its own, so that Ctrl-C reaches the runner alone, which then stops things in order.
    """

    name: str
    folder: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self._process is not None and self.running() else None

    def start(self, command: Sequence[str | Path], *, environment: Mapping[str, str], cwd: Path) -> None:
        """Start the command; one left over from a runner that was killed is ended first."""
        self.end_leftover()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signal),
            )
        identity = _identity(psutil.Process(self._process.pid))
        self._pid_file.write_text(f"{self._process.pid} {identity}")

    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Ask it to end, kill it after the grace. Nothing happens if it has ended."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(self.grace_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL it and its group, also while it is stopped, and wait until it is gone."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        self._pid_file.unlink(missing_ok=True)

    def end_leftover(self) -> None:
        """End the process that the pid file names, if it is still that one."""
        try:
            pid, identity = self._pid_file.read_text().split()
            process = psutil.Process(int(pid))
            if _identity(process) == identity:
                process.send_signal(self.stop_signal)
                try:
                    process.wait(LEFTOVER_SECONDS)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(LEFTOVER_SECONDS)
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            pass
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        try:
            return self.log.read_bytes()[-2000:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"


def _identity(process: psutil.Process) -> str:
    """Tells a process from a later one with the same number."""
    return f"{process.create_time():.2f}"


def environment_of_python(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program of this virtual environment: its commands come first on the path."""
    scripts = Path(sys.executable).parent
    return {**variables, "PATH": f"{scripts}{os.pathsep}{variables.get('PATH', os.defpath)}"}
