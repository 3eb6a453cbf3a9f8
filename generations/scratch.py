"""Folders for files that are on their way, on this machine."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings

# Longer than anything that uses a folder takes.
LEFT_AFTER = timedelta(hours=2)


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A folder for one delivery or upload, gone afterwards; what a crash leaves is swept by age."""
    root = Path(settings.SCRATCH_DIR)
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left() -> int:
    """Remove the folders of this machine that a crash left; how many."""
    root, removed = Path(settings.SCRATCH_DIR), 0
    if root.is_dir():
        for folder in root.iterdir():
            # Another sweep may be at the same one.
            with suppress(FileNotFoundError):
                if folder.stat().st_mtime < time.time() - LEFT_AFTER.total_seconds():
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
    return removed
