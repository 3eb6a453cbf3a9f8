"""The cast of the storage tests: real media, made once, and a client that sends real files."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg
import pytest
from django.conf import settings as django_settings
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import UserFactory, api_key
from tests.generations.storage.files import Stored
from workers import clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def owner(db: None) -> User:
    return UserFactory.create(name="Ana")


@pytest.fixture
def stranger(db: None) -> User:
    return UserFactory.create(name="Sten")


@pytest.fixture
def client(owner: User, empty_redis: Redis) -> APIClient:
    """The owner's."""
    return client_of(owner)


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {api_key(user).secret}")
    return client


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, settings: Settings) -> Path:
    """Where files on their way are; nothing may be left there."""
    settings.SCRATCH_DIR = str(tmp_path / "scratch")
    return tmp_path / "scratch"


@pytest.fixture
def moved_clock(db: None) -> Iterator[None]:
    """The clock may be moved, and stands right again afterwards."""
    yield
    clock.reset()


@pytest.fixture
def stored(bucket: "S3Client") -> Stored:
    return Stored(bucket, django_settings.S3_BUCKET)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small real files: clip.mp4, turned.mov, clip.webm, sound.mp3, song.m4a, wide.png, photo.jpg …"""
    folder = tmp_path_factory.mktemp("media")
    moving = ["-f", "lavfi", "-i", "testsrc=s=320x180:r=24:d=3"]
    sound = ["-f", "lavfi", "-i", "sine=d=3"]
    still = ["-f", "lavfi", "-i", "testsrc=s=640x360", "-frames:v", "1"]
    h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"]
    ffmpeg(*moving, *sound, *h264, "-c:a", "aac", "-movflags", "+faststart", folder / "clip.mp4")
    ffmpeg(*moving, *h264, folder / "slow-start.mp4")
    ffmpeg("-display_rotation", "90", "-i", folder / "clip.mp4", "-c", "copy", folder / "turned.mov")
    ffmpeg(*moving, "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", folder / "clip.webm")
    ffmpeg(*moving, "-c:v", "mpeg2video", folder / "old.mp4")
    for name in ("sound.mp3", "sound.wav", "sound.flac", "sound.ogg"):
        ffmpeg(*sound, folder / name)
    for name in ("wide.png", "photo.jpg", "photo.webp"):
        ffmpeg(*still, folder / name)
    cover = ["-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic"]
    ffmpeg("-i", folder / "sound.mp3", "-i", folder / "photo.jpg", *cover, folder / "song.m4a")
    return folder


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
