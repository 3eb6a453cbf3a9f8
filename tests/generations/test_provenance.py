"""Content credentials: every clip says what made it, in a way that nobody can change unseen."""

import hashlib
import logging
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.core.checks import run_checks
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from generations import certificates, inspection, provenance
from generations.models import Asset
from generations.provenance import SOURCE_TYPES, Claim, SigningFailed
from generations.stages import deliver
from tests.certificates import ORGANISATION, Key, Pair, issue
from tests.generations.storage.conftest import ffmpeg
from workers import clock
from workers.models import Job

from .conftest import Worker, followed
from .held import FIRST, held_clip
from .test_life_of_a_clip import Clip, entries_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("provenance") / "clip.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc=s=320x180:r=24:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    ffmpeg(*picture, "-movflags", "+faststart", path)
    return path


@pytest.fixture
def video(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "video.mp4"))


def use(settings: Settings, pair: Pair, algorithm: str = "es256") -> None:
    settings.C2PA_CERTIFICATE_CHAIN, settings.C2PA_PRIVATE_KEY = pair
    settings.C2PA_ALGORITHM = algorithm


def a_claim(kind: provenance.Kind = "clip", *models: str) -> Claim:
    return Claim(title="A paper boat", kind=kind, models=models or (FIRST,), created_at=datetime.now(UTC))


def found() -> list[str | None]:
    messages = run_checks(include_deployment_checks=True)
    return [message.id for message in messages if str(message.id).startswith("generations.")]


def test_a_delivered_clip_says_that_its_model_made_it_and_still_plays_while_it_loads(
    clip: Clip, store: "S3Client", settings: Settings, tmp_path: Path
) -> None:
    made = clip()
    asset = Asset.objects.get(id=made["video"]["id"])
    path, pictures = tmp_path / "video.mp4", tmp_path / "pictures"
    store.download_file(settings.S3_BUCKET, asset.key, str(path))

    credentials = provenance.read(path)

    assert credentials is not None
    assert (credentials.sound, credentials.trusted, credentials.problems) == (True, True, ())
    assert (credentials.kind, credentials.models) == ("clip", (FIRST,))
    assert credentials.source_type.endswith("/trainedAlgorithmicMedia")
    assert FIRST in credentials.software
    assert UUID(credentials.generation_id or "") == UUID(made["id"])
    assert (credentials.title, credentials.earlier) == (asset.name, 0)
    # What was hashed and counted is what was stored.
    assert (asset.bytes, asset.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    pictures.mkdir()
    facts = inspection.inspect(path, pictures).facts
    assert (facts.faststart, facts.duration_seconds, facts.video_codec) == (
        True,
        asset.duration_seconds,
        "h264",
    )


def test_a_film_says_from_which_plan_it_was_put_together(video: Path) -> None:
    project = uuid4()
    provenance.sign(
        video,
        Claim(
            title="The film",
            kind="film",
            models=("a/one", "b/two"),
            created_at=datetime.now(UTC),
            project_id=project,
            plan_version=3,
        ),
    )
    credentials = provenance.read(video)
    assert credentials is not None
    assert (credentials.sound, credentials.kind, credentials.models) == (True, "film", ("a/one", "b/two"))
    assert credentials.source_type == SOURCE_TYPES["film"]
    assert (credentials.project_id, credentials.plan_version) == (str(project), 3)
    assert credentials.generation_id is None


def test_one_changed_byte_anywhere_is_seen(video: Path, tmp_path: Path) -> None:
    provenance.sign(video, a_claim())
    signed = video.read_bytes()
    changed = tmp_path / "changed.mp4"
    for position in (
        signed.index(b"A paper boat"),
        signed.index(b"moov") + 20,
        len(signed) // 2,
        len(signed) - 1,
    ):
        forged = bytearray(signed)
        forged[position] ^= 1
        changed.write_bytes(forged)
        credentials = provenance.read(changed)
        assert credentials is not None
        assert not credentials.sound, position
        assert credentials.problems


def test_a_file_without_credentials_has_none(video: Path) -> None:
    assert provenance.read(video) is None


def test_what_the_maker_stated_is_carried_on(video: Path) -> None:
    provenance.sign(video, a_claim("clip", "its/maker"))
    provenance.sign(video, a_claim())
    credentials = provenance.read(video)
    assert credentials is not None
    assert (credentials.sound, credentials.models, credentials.earlier) == (True, (FIRST,), 1)
    assert b"its/maker" in video.read_bytes()


def test_a_file_that_cant_be_signed_stays_as_it_was(tmp_path: Path) -> None:
    text = tmp_path / "video.mp4"
    text.write_text("no video")
    with pytest.raises(SigningFailed) as raised:
        provenance.sign(text, a_claim())
    assert not raised.value.unusable
    assert text.read_text() == "no video"
    assert list(tmp_path.iterdir()) == [text]


def test_a_time_stamp_authority_that_is_away_is_no_fault_of_the_file(
    video: Path, settings: Settings, tmp_path: Path
) -> None:
    use(settings, issue(tmp_path / "certificate"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.C2PA_TIMESTAMP_URL = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        with pytest.raises(SigningFailed) as raised:
            provenance.sign(video, a_claim())
    assert raised.value.unusable
    assert provenance.read(video) is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("es256", ec.generate_private_key(ec.SECP256R1())),
        ("ps256", rsa.generate_private_key(65537, 2048)),
        ("ed25519", ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_an_operators_certificate_signs_and_others_neednt_trust_it(
    video: Path, settings: Settings, tmp_path: Path, algorithm: str, key: Key
) -> None:
    use(settings, issue(tmp_path / "certificate", key), algorithm)
    assert found() == []
    provenance.sign(video, a_claim())
    mine = provenance.read(video)
    use(settings, Pair("", ""), "es256")
    elsewhere = provenance.read(video)
    assert mine is not None
    assert elsewhere is not None
    assert (mine.signed_by, mine.sound, mine.trusted) == (ORGANISATION, True, True)
    assert (elsewhere.signed_by, elsewhere.sound, elsewhere.trusted) == (ORGANISATION, True, False)


def test_every_process_of_an_installation_signs_with_the_same_certificate_and_no_other_does(
    settings: Settings,
) -> None:
    ours = certificates.signatory()
    certificates._made.cache_clear()
    assert certificates.signatory() == ours
    settings.SECRET_KEY = "another installation's, as long as it has to be"
    assert certificates.signatory().chain != ours.chain


def test_a_test_certificate_is_a_warning_at_deployment() -> None:
    assert found() == ["generations.W001"]


def test_a_certificate_that_cant_sign_is_an_error(settings: Settings, tmp_path: Path) -> None:
    sound, other = issue(tmp_path / "sound"), issue(tmp_path / "other")
    lapsed = issue(tmp_path / "lapsed", days=-1)
    for_servers = issue(tmp_path / "servers", usage=ExtendedKeyUsageOID.SERVER_AUTH)
    garbled = tmp_path / "garbled.pem"
    garbled.write_text("no certificate")
    for pair, algorithm in (
        (Pair(sound.chain, ""), "es256"),
        (Pair(sound.chain, "/nowhere/key.pem"), "es256"),
        (Pair(str(garbled), sound.key), "es256"),
        (Pair(sound.chain, str(garbled)), "es256"),
        (Pair(sound.chain, other.key), "es256"),
        (sound, "ed25519"),
        (lapsed, "es256"),
        (for_servers, "es256"),
    ):
        use(settings, pair, algorithm)
        assert found() == ["generations.E001"], pair
        with pytest.raises(SigningFailed) as raised:
            provenance.prove_signing()
        assert "PRIVATE KEY" not in str(raised.value)
    use(settings, sound)
    assert found() == []


def test_a_clip_waits_while_nothing_can_be_signed_and_is_delivered_once_that_is_mended(
    owner: User,
    api: Client,
    workers: Worker,
    settings: Settings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliver, "TRIES", 1)
    use(settings, Pair("/nowhere/chain.pem", "/nowhere/key.pem"))
    with caplog.at_level(logging.ERROR):
        clip = held_clip(owner)
        workers.until(lambda: any(record.__dict__.get("alarm") == "not_signed" for record in caplog.records))
        workers.until(lambda: Job.objects.filter(stage="deliver", lease_until=None).exists())
    assert entries_of(str(clip)) == ["hold"]
    use(settings, issue(tmp_path / "certificate"))
    Job.objects.update(due_at=clock.now())
    ended = followed(api, workers, str(clip))
    assert ended["status"] == "completed"
    assert entries_of(str(clip)) == ["hold", "capture"]


def grown(original: Path, path: Path, size: int, *, boxes: int = 1) -> Path:
    """A copy whose media are `size` bytes more, most of them a hole on the disk, in so many boxes."""
    content = bytearray(original.read_bytes())
    media = content.rindex(b"mdat") - 4
    if boxes == 1:
        content[media : media + 4] = (len(content) - media + size).to_bytes(4)
    else:
        content += size.to_bytes(4) + b"mdat"
        size -= 8
    path.write_bytes(content)
    with path.open("ab") as file:
        file.truncate(len(content) + size)
    return path


def test_signing_a_large_file_takes_little_memory(original: Path, tmp_path: Path) -> None:
    large = grown(original, tmp_path / "large.mp4", 100_000_000)
    program = (
        "import django, resource, sys; django.setup()\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from generations.provenance import Claim, read, sign\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "path = Path(sys.argv[1])\n"
        "sign(path, Claim(title='', kind='clip', models=(), created_at=datetime.now(UTC)))\n"
        "assert read(path).sound\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(large)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert large.stat().st_size > 100_000_000
    # Megabytes.
    assert int(told.stdout) < 50
    # And one byte in the middle counts as it does in a small file.
    with large.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"x")
    changed = provenance.read(large)
    assert changed is not None
    assert (changed.sound, changed.problems) == (False, ("assertion.bmffHash.mismatch",))


def test_a_large_file_of_several_boxes_of_media_is_signed_too(original: Path, tmp_path: Path) -> None:
    large = grown(original, tmp_path / "large.mp4", provenance.LARGE, boxes=2)
    provenance.sign(large, a_claim())
    credentials = provenance.read(large)
    assert credentials is not None
    assert credentials.sound
