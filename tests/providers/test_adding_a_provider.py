"""What docs/adding-a-provider.md promises: a vendor is an adapter, a line, a price and a simulator, and nothing else.

The document's blocks, as they stand there, become a package outside this project. A process of its own, with a
database, a Redis and a bucket of its own, is told of it by the environment and runs this project's tests on it.
"""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from config.stack.child import die_with_parent, environment_of_python
from config.stack.home import PROJECT
from credits.rate_cards import RateCardDraft
from tests.providers.contract import VideoProviderContract

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DOCUMENTS = tuple(PROJECT / "docs" / f"{name}-a-provider.md" for name in ("adding", "simulating"))
BLOCKS: Mapping[str, str] = dict(
    found
    for document in DOCUMENTS
    for found in re.findall(
        r"^```(?:python|sh) (\S+)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL
    )
)
PACKAGE = ("tiny_video.py", "tiny_vendor.py", "test_tiny.py")
# What only the package, its documents and this test may name.
NAMES = re.compile(r"tiny_video|tiny_vendor|TinyProvider|TINY_API_KEY|TINY_URL|tiny/tiny-1")
NAMING = {*DOCUMENTS, Path(__file__)}

OF_OPERATORS = """
import os

from django.conf import settings
from django.core.management import call_command

from credits import rate_cards
from providers import features, registry


def test_tiny_gets_its_price_by_the_documents_command(db):
    assert rate_cards.current(["tiny/tiny-1"]) == {}
    call_command(*os.environ["COMMAND"].split())
    card = rate_cards.current(["tiny/tiny-1"])["tiny/tiny-1"]
    assert (f"{card.vendor_cost:f}", card.vendor_unit, card.version) == ("0.050000", "second", 1)


def test_tiny_is_configured_by_the_environment_alone(monkeypatch):
    assert not hasattr(settings, "TINY_API_KEY")
    assert not registry.configured("tiny")
    monkeypatch.setenv("TINY_API_KEY", "a key")
    assert registry.provider("tiny")._jobs == "https://api.tiny.example/v1/jobs"
    monkeypatch.setenv("TINY_URL", "https://elsewhere.example/")
    assert registry.provider("tiny")._jobs == "https://elsewhere.example/v1/jobs"


def test_tiny_has_a_row_in_the_page_of_vendors():
    page = features.page()
    assert "| [tiny](#tiny) | `TINY_API_KEY` | – | – | token | – | – | – | 5 | 30 |" in page
    assert "\\n- How long a finished video can be fetched is not confirmed.\\n" in page
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package."""
    folder = tmp_path_factory.mktemp("tiny")
    for name in PACKAGE:
        (folder / name).write_text(BLOCKS[name])
    (folder / "test_tiny_operators.py").write_text(OF_OPERATORS)
    return folder


@pytest.fixture(scope="module")
def bucket_of_tiny(store: "S3Client") -> Iterator[str]:
    """A bucket that no other test empties, or finds files in."""
    store.create_bucket(Bucket="tiny")
    yield "tiny"
    for page in store.get_paginator("list_objects_v2").paginate(Bucket="tiny"):
        for found in page.get("Contents", []):
            store.delete_object(Bucket="tiny", Key=found["Key"])
    store.delete_bucket(Bucket="tiny")


@pytest.fixture(scope="module")
def outcomes(package: Path, bucket_of_tiny: str) -> Mapping[str, str]:
    """How each test ended that the document's command asks for, in a process that only its environment tells of Tiny."""
    words = [word for line in BLOCKS["outside"].splitlines() for word in shlex.split(line)]
    [arguments] = [word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")]
    variables = dict(word.split("=", 1) for word in words if word.startswith("MORE_VIDEO_PROVIDERS="))
    own = {
        "COMMAND": BLOCKS["command"].strip().removeprefix("python manage.py "),
        "PYTHONPATH": str(package),
        # The tests' database is made beside it: test_tiny.
        "DATABASE_URL": make_conninfo(os.environ["DATABASE_URL"], dbname="tiny"),
        "REDIS_URL": re.sub(r"/0$", "/1", os.environ["REDIS_URL"]),
        "S3_BUCKET": bucket_of_tiny,
    }
    quiet = ["-rA", "--show-capture=no", "--create-db", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, *arguments.replace("../tiny", str(package)).split()],
        env=environment_of_python({**os.environ, **variables, **own}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        preexec_fn=die_with_parent(),
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    return {
        nodeid.partition("::")[2]: outcome
        for outcome, nodeid in re.findall(r"^([A-Z]+) +(\S+::.+)$", done.stdout, re.MULTILINE)
    }


def test_the_adapter_keeps_the_contract(outcomes: Mapping[str, str]) -> None:
    asked = {name for name in vars(VideoProviderContract) if name.startswith("test_")}
    kept = {
        one.removeprefix("TestTiny::").partition("[")[0] for one in outcomes if one.startswith("TestTiny::")
    }
    assert asked <= kept
    assert set(outcomes.values()) == {"PASSED"}


@pytest.mark.parametrize(
    "name",
    [
        # The whole way: API, worker, stored file.
        "test_a_clip_is_found_by_asking_and_stored[tiny/tiny-1-text]",
        "test_a_clip_is_stored_because_the_vendor_told_us[tiny]",
        # The money.
        "test_whatever_a_vendor_does_nobody_pays_for_what_was_not_delivered[tiny]",
        "test_an_account_that_is_refused_is_left_alone_and_the_clip_is_not_lost[wrong_key-tiny]",
        "test_a_lost_answer_is_made_good_by_the_vendors_own_call[tiny]",
        # The catalogue.
        "test_everything_that_a_model_claims_is_taken_made_and_delivered[tiny/tiny-1]",
        "test_what_a_model_does_not_claim_is_refused_by_name_before_anything_is_sent[tiny/tiny-1]",
        # Operators.
        "test_tiny_gets_its_price_by_the_documents_command",
        "test_tiny_is_configured_by_the_environment_alone",
        "test_tiny_has_a_row_in_the_page_of_vendors",
    ],
)
def test_what_this_project_proves_of_its_vendors_holds_for_it(outcomes: Mapping[str, str], name: str) -> None:
    assert outcomes[name] == "PASSED"


@pytest.mark.usefixtures("outcomes")
def test_nothing_of_this_project_knows_of_it() -> None:
    folders = [path for path in PROJECT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    texts = {
        path
        for path in [*PROJECT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
        if path.is_file() and path.suffix not in (".pyc", ".png", ".mp4", ".jpg")
    }
    assert texts > NAMING
    assert {path for path in texts - NAMING if NAMES.search(path.read_text(errors="replace"))} == set()


def test_the_lines_for_this_projects_own_tables_are_such_lines() -> None:
    line = ast.literal_eval(f"{{{BLOCKS['providers/vendors.py']}}}")
    [path] = json.loads(shlex.split(BLOCKS["environment"])[0].partition("=")[2]).values()
    assert line == {"tiny": f"providers.video.tiny.{path.rpartition('.')[2]}"}
    row = eval(  # noqa: S307 - a line of the document
        f"{{{BLOCKS['credits/card_table.py']}}}", {"RateCardDraft": RateCardDraft, "Decimal": Decimal}
    )
    assert row == {"tiny/tiny-1": RateCardDraft(vendor_cost=Decimal("0.05"))}


def test_the_documents_code_is_as_this_projects(package: Path) -> None:
    files = [package / name for name in PACKAGE]
    ruff = [sys.executable, "-m", "ruff"]
    configuration = ["--no-cache", "--config", str(PROJECT / "pyproject.toml")]
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [*ruff, *check, *configuration, *files], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_stays_small() -> None:
    """It is what the document promises: one file, read in one sitting."""
    assert len(BLOCKS["tiny_video.py"].splitlines()) <= 120
    assert len(DOCUMENTS[0].read_text().splitlines()) <= 170
