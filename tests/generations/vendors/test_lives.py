"""A clip from the request to the stored file at every vendor, found by asking and by being told."""

from typing import Any

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from credits.models import Entry
from generations import receiving
from generations.models import Asset, Attempt, WebhookDelivery
from generations.stages import poll, submit
from providers import registry
from providers.catalogue import VideoModel
from providers.contract import Mode, Webhooks
from tests.generations.conftest import Worker, get
from tests.generations.vendors.conftest import by_mode, made, wish
from tests.vendors import VIDEO_VENDORS
from tests.vendors.openai import OpenAIVideos
from tests.vendors.video import VideoVendor

EVERY_WAY = [
    pytest.param(name, mode, model, id=f"{model.id}-{mode}")
    for name in VIDEO_VENDORS
    for mode, model in by_mode(name).items()
]
TOLD = [
    pytest.param(name, *next(iter(by_mode(name).items())), id=name)
    for name in VIDEO_VENDORS
    if registry.kind(name).webhooks is not Webhooks.NONE
]


def stored(api: Client, clip: dict[str, Any], vendor: VideoVendor, *, jobs: int = 1) -> None:
    """The clip is delivered, paid for once, and was made by one job at the vendor."""
    assert clip["status"] == "completed", clip["error"]
    assert list(
        Entry.objects.filter(subject_id=clip["id"]).order_by("id").values_list("kind", flat=True)
    ) == [
        "hold",
        "capture",
    ]
    assert clip["credits"]["used"] == clip["credits"]["quoted"] > 0
    assert len(vendor.jobs) == jobs
    attempt = Attempt.objects.get(generation_id=clip["id"])
    assert (attempt.state, attempt.account) == ("succeeded", "main")
    assert (attempt.cost_amount is not None) == registry.kind(vendor.name).reports_cost
    download = get(api, f"generations/{clip['id']}/download/")
    assert download.status_code == 302
    content = requests.get(download["Location"], timeout=10).content
    assert content[4:8] == b"ftyp"
    asset = Asset.objects.get(id=clip["video"]["id"])
    assert (asset.bytes, asset.video_codec) == (len(content), "h264")


@pytest.mark.parametrize(("vendor", "mode", "model"), EVERY_WAY, indirect=["vendor"])
def test_a_clip_is_found_by_asking_and_stored(
    vendor: VideoVendor, mode: Mode, model: VideoModel, api: Client, polling: Worker, files: dict[str, str]
) -> None:
    before = by_mode(vendor.name).get(Mode.TEXT) if mode is Mode.VIDEO else None
    if before is not None:
        # Some only go on with what they made themselves.
        files = files | {"video": made(api, polling, wish(before, Mode.TEXT, files))["video"]["id"]}
    stored(api, made(api, polling, wish(model, mode, files)), vendor, jobs=1 if before is None else 2)
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(("vendor", "mode", "model"), TOLD, indirect=["vendor"])
def test_a_clip_is_stored_because_the_vendor_told_us(
    vendor: VideoVendor,
    mode: Mode,
    model: VideoModel,
    api: Client,
    listening: Worker,
    files: dict[str, str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isinstance(vendor, OpenAIVideos):
        # Its owner tells the vendor one address for all; without one it would be asked again and again.
        vendor.endpoint = f"{settings.PUBLIC_URL}/webhooks/openai/{receiving.OF_ACCOUNT}/"
        for module in (submit, poll):
            monkeypatch.setattr(module, "safety_interval", lambda generation: settings.SAFETY_POLL_SECONDS)
    stored(api, made(api, listening, wish(model, mode, files)), vendor)
    assert WebhookDelivery.objects.filter(verified=True, effect="hinted").exists()
    assert {status for _, status in vendor.told} == {200}
