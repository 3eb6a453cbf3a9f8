"""The embedded stack: started, killed, started again, in any folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.stack.home import PROJECT
from config.stack.servers import S3, Postgres, Redis, Sandbox

START_SECONDS = 60
SERVERS = (Postgres, Redis, S3, Sandbox)


class Runner:
    """`python -m config.stack run` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        theirs = {server.variable for server in SERVERS}
        outside = {name: value for name, value in os.environ.items() if name not in theirs}
        self.environment = {**outside, "STACK_DIR": str(folder)}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.stack", "run", "--", *command],
            cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # As from a terminal: a shell has what it starts in the background ignore Ctrl-C, with all its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *command: str) -> tuple[int, str, str]:
        process = self.start(*command)
        out, err = process.communicate(timeout=START_SECONDS)
        return process.returncode, out, err

    def start_and_wait(self) -> subprocess.Popen[str]:
        """Start it with a command that only says that it began."""
        process = self.start("sh", "-c", "echo up; exec sleep 600")
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    def servers(self) -> list[psutil.Process]:
        files = [self.folder / "logs" / f"{server.name}.pid" for server in SERVERS]
        return [psutil.Process(int(file.read_text().split()[0])) for file in files]


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(tmp_path / "a folder with spaces")
    yield made
    for process in made.started:
        process.terminate()
        process.communicate(timeout=START_SECONDS)


def test_a_command_finds_every_server_and_its_exit_code_comes_back(runner: Runner) -> None:
    program = """
import os, sys
import boto3, botocore.config, psycopg, redis, requests
database = psycopg.connect(os.environ["DATABASE_URL"])
database.execute("SHOW max_connections").fetchone() == ("100",) or sys.exit(1)
connected = redis.Redis.from_url(os.environ["REDIS_URL"])
connected.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"} or sys.exit(2)
connected.config_get("appendonly") == {"appendonly": "yes"} or sys.exit(3)
store = boto3.client(
    "s3", endpoint_url=os.environ["S3_ENDPOINT_URL"], aws_access_key_id=os.environ["S3_ACCESS_KEY_ID"],
    aws_secret_access_key=os.environ["S3_SECRET_ACCESS_KEY"], region_name="auto",
    config=botocore.config.Config(request_checksum_calculation="when_required"),
)
store.put_object(Bucket=os.environ["S3_BUCKET"], Key="a/b", Body=b"c")
requests.get(os.environ["SANDBOX_URL"], timeout=5)
sys.exit(7)
"""
    code, out, err = runner.run(sys.executable, "-W", "ignore", "-c", program)

    assert (code, out, err) == (7, "", "")


def test_data_and_ports_are_there_the_next_time(runner: Runner) -> None:
    write = "import os, redis; redis.Redis.from_url(os.environ['REDIS_URL']).set('kept', 'yes')"
    read = "import os, redis; print(redis.Redis.from_url(os.environ['REDIS_URL']).get('kept'))"
    runner.run(sys.executable, "-c", write)
    ports = (runner.folder / "ports.json").read_text()

    code, out, _ = runner.run(sys.executable, "-c", read)

    assert (code, out) == (0, "b'yes'\n")
    assert (runner.folder / "ports.json").read_text() == ports


def test_a_second_start_of_a_running_stack_says_so_and_harms_nothing(runner: Runner) -> None:
    first = runner.start_and_wait()

    code, out, err = runner.run("true")

    assert (code, out) == (1, "")
    assert f"already running (process {first.pid})" in err
    assert all(server.is_running() for server in runner.servers())


def test_a_killed_runner_leaves_nothing_that_blocks_the_next_start(runner: Runner) -> None:
    first = runner.start_and_wait()
    first_servers = runner.servers()
    # One that can't even hear that its runner is gone.
    first_servers[1].send_signal(signal.SIGSTOP)
    first.kill()

    code, out, _ = runner.run("echo", "up again")

    assert (code, out) == (0, "up again\n")
    _, alive = psutil.wait_procs(first_servers, timeout=10)
    assert alive == []


def test_a_killed_database_recovers_at_the_next_start(runner: Runner) -> None:
    first = runner.start_and_wait()
    runner.servers()[0].kill()
    first.kill()

    code, out, _ = runner.run("echo", "up again")

    assert (code, out) == (0, "up again\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_told_to_end_stops_its_servers(runner: Runner, number: signal.Signals) -> None:
    process = runner.start_and_wait()
    servers = runner.servers()

    process.send_signal(number)
    if number == signal.SIGINT:
        # A terminal sends it to the command as well, which decides.
        psutil.Process(process.pid).children()[-1].send_signal(number)
    process.wait(START_SECONDS)

    _, alive = psutil.wait_procs(servers, timeout=1)
    assert alive == []
    assert not list((runner.folder / "logs").glob("*.pid"))


def test_a_taken_port_is_replaced_by_another(runner: Runner) -> None:
    runner.run("true")
    ports = (runner.folder / "ports.json").read_text()
    neighbour = Runner(runner.folder.parent / "neighbour")
    neighbour.folder.mkdir()
    (neighbour.folder / "ports.json").write_text(ports)
    runner.start_and_wait()

    code, _, err = neighbour.run("true")

    assert (code, err) == (0, "")


def test_a_server_named_from_outside_is_used_and_none_is_started(runner: Runner) -> None:
    runner.environment |= {"DATABASE_URL": "postgresql://elsewhere/video", "SECRET_KEY": "their own"}

    code, out, _ = runner.run("sh", "-c", "echo $DATABASE_URL $SECRET_KEY")

    assert (code, out) == (0, "postgresql://elsewhere/video their own\n")
    assert not (runner.folder / "postgresql").exists()


def test_a_server_that_cannot_start_is_named_with_its_last_words(runner: Runner) -> None:
    (runner.folder / "postgresql").mkdir(parents=True)
    (runner.folder / "postgresql" / "PG_VERSION").write_text("9")

    code, out, err = runner.run("echo", "never")

    assert (code, out) == (1, "")
    assert "postgresql did not start" in err
    assert "could not access the server configuration file" in err
