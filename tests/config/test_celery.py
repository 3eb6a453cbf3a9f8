"""How messages travel: the settings that keep a worker alive and a publish short."""

import socket
import subprocess
import sys
import time

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from config import celery
from config.stack.home import PROJECT, free_port
from config.stack.procfile import processes


@pytest.fixture(scope="module", autouse=True)
def tasks_are_imported() -> None:
    """As a worker does it when it starts."""
    current_app.loader.import_default_modules()


def test_every_thread_uses_our_application() -> None:
    assert current_app.main == "config"
    assert current_app.tasks.keys() >= {"workers.run_due", "workers.run_sweeps"}


def test_every_queue_has_a_process_and_every_process_a_queue() -> None:
    served = {
        words[words.index("--queues") + 1] for p in processes().values() if "--queues" in (words := p.command)
    }

    assert served == {queue.name for queue in celery.CELERY["task_queues"]}
    for process in processes().values():
        if "--queues" in process.command:
            assert process.variables["WORKER_QUEUE"] == process.command[process.command.index("--queues") + 1]
            assert {"--without-gossip", "--without-mingle"} <= set(process.command)


def test_every_message_of_beat_expires_with_its_interval() -> None:
    for entry in celery.CELERY["beat_schedule"].values():
        assert entry["options"]["expires"] <= entry["schedule"]
        assert entry["task"] in current_app.tasks


def test_nothing_but_json_is_accepted() -> None:
    assert current_app.conf.accept_content == ["json"]
    assert current_app.conf.result_backend is None


@pytest.mark.parametrize("frozen", [True, False])
def test_the_web_gives_up_ringing_quickly(frozen: bool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if frozen:
            listener.listen(16)
        else:
            port = free_port()
        with celery.app.connection_for_write(
            f"redis://127.0.0.1:{port}/0", transport_options=celery.WEB_TRANSPORT
        ) as connection:
            started = time.monotonic()
            with pytest.raises(OperationalError):
                celery.app.send_task(
                    "workers.run_due",
                    args=["io"],
                    queue="io",
                    connection=connection,
                    retry_policy=celery.WEB_PUBLISH_RETRY,
                )

    assert time.monotonic() - started < 2.5


def test_the_web_process_has_the_time_outs_of_the_web() -> None:
    program = (
        "import config.wsgi; from celery import current_app; print(current_app.conf.broker_transport_options)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert "'socket_timeout': 1" in done.stdout
