"""The settings, `.env.example`, the Procfile and docker-compose.yml tell the same story."""

import ast
import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml

from config.stack.home import PROJECT
from config.stack.procfile import processes
from providers import registry
from providers.vendors import VIDEO_PROVIDERS

READERS = (PROJECT / "config" / "settings.py", PROJECT / "config" / "gunicorn.py")
# Read by Celery and by the C library.
OTHERS_VARIABLES = {"REMAP_SIGTERM", "MALLOC_ARENA_MAX"}


def read_by_settings() -> set[str]:
    """Names of the variables that `env.<type>("NAME", …)` reads."""
    return {
        call.args[0].value
        for path in READERS
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def read_by_adapters() -> set[str]:
    """What the adapters of vendors of videos read: settings that only they name."""
    kinds = [registry.kind(name) for name in VIDEO_PROVIDERS]
    return {setting for kind in kinds for setting in (*kind.settings, *kind.optional)}


def named_in_example() -> set[str]:
    return set(
        re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    )


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    return loaded


def test_the_example_lists_every_setting_and_no_other() -> None:
    assert named_in_example() == read_by_settings() | read_by_adapters()


def test_compose_sets_only_what_the_example_lists(compose: dict[str, Any]) -> None:
    ours = [one for one in compose["services"].values() if one.get("image") == "video-generation"]
    assert len(ours) == len(processes()) + len(("sandbox", "migrate"))
    for service in ours:
        assert set(service["environment"]) <= named_in_example() | OTHERS_VARIABLES


def test_compose_starts_every_process_as_the_procfile_does(compose: dict[str, Any]) -> None:
    for name, process in processes().items():
        service = compose["services"][name]
        if name != "web":
            assert tuple(shlex.split(service["command"])) == process.command
        assert process.variables.items() <= service["environment"].items()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", "too short"),
        ("DEBUG", "perhaps"),
        ("DATABASE_POOL_SIZE", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("OUTPUT_STORAGE", "tape"),
        ("WORKER_IO_THREADS", "many"),
    ],
)
def test_a_bad_value_refuses_to_start_and_names_the_variable(variable: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=PROJECT,
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert f'"{variable}"' in done.stderr


def test_a_missing_value_refuses_to_start_and_names_the_variable() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert '"REDIS_URL"' in done.stderr
