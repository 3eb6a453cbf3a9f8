"""Redis, PostgreSQL and S3 lost under a running system: small here, at random moments for hours in `make prove`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("PROOF") == "full"
MOMENTS = int(os.environ.get("PROOF_MOMENTS", "100"))


@pytest.mark.proof
@pytest.mark.timeout(36_000)
def test_no_lost_server_loses_or_doubles_a_clip(capsys: pytest.CaptureFixture[str]) -> None:
    size = (
        ["--clips=200", f"--moments={MOMENTS}", "--seconds=60", "--clip-seconds=240"]
        if FULL
        else ["--clips=10", "--moments=1", "--seconds=8", "--clip-seconds=20"]
    )
    seed = os.environ.get("PROOF_SEED", "1")

    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.outages", f"--seed={seed}", *size],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr[-20_000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\noutages: {json.dumps(counts, indent=2)}")
    assert counts["clips"] == counts["submissions"] >= 10
