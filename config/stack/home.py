"""The folder in which one stack keeps its data, secrets and ports."""

import fcntl
import json
import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parents[2]


class StackRunning(RuntimeError):
    """Another process has this folder's stack."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as listener:
        # As servers do: a connection that still lingers is no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


@dataclass(slots=True)
class Home:
    """The folder of one stack. `lock` it before anything is started in it."""

    folder: Path
    _lock: IO[str] | None = field(default=None, repr=False)

    def lock(self) -> None:
        """Take the folder for this process, until it ends however it ends.

        Raises StackRunning if another process has it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StackRunning(
                f"The stack in {self.folder} is already running (process {holder}). "
                "Stop that one first, or name another folder with STACK_DIR."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def unlock(self) -> None:
        """Give the folder up."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secret(self, name: str) -> str:
        """A random secret of 64 hexadecimal digits, made once and kept in a file only its owner reads."""
        path = self.secret_file(name)
        return path.read_text()

    def secret_file(self, name: str) -> Path:
        """The file of a secret."""
        folder = self.folder / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        if not path.exists() or not path.read_text():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32))
        return path

    def port(self, name: str) -> int:
        """The port that `name` had the last time if it is still free, else another."""
        path = self.folder / "ports.json"
        try:
            ports: dict[str, int] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            ports = {}
        port = ports.get(name)
        if port is None or not port_is_free(port):
            port = ports[name] = free_port()
            path.write_text(json.dumps(ports, indent=2))
        return port
