"""Every fault of every vendor against the money: nothing is charged without delivery, nothing is submitted twice, and
every unknown ends by its deadline.

All of a vendor's faults happen at once, to clips of one owner: what one does to another's clip would be seen.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tiers import tiers
from credits import ledger
from credits.models import Entry, Hold
from credits.verification import verify
from generations.models import AccountHealth, Asset, Attempt
from generations.stages import submit
from providers import registry
from providers.catalogue import MODELS
from providers.contract import Mode, Webhooks
from tests.generations.conftest import Worker, get, post
from tests.generations.vendors.conftest import by_mode, wish
from tests.vendors import VIDEO_VENDORS
from tests.vendors.video import AFTER_ACCEPTING, OF_WEBHOOKS, Fault, VideoVendor
from workers.models import Job

EACH = pytest.mark.parametrize("vendor", list(VIDEO_VENDORS), indirect=True)
TOLD = pytest.mark.parametrize(
    "vendor",
    [name for name in VIDEO_VENDORS if registry.kind(name).webhooks is not Webhooks.NONE],
    indirect=True,
)
# What stands in the way of the whole account.
OF_ACCOUNT = (Fault.WRONG_KEY, Fault.NO_BALANCE, Fault.RATE_LIMITED)
# What a clip survives.
HARMLESS = {
    Fault.UNKNOWN_WORD,
    Fault.STATUS_ERROR,
    Fault.STATUS_GARBAGE,
    Fault.STATUS_RATE_LIMITED,
    Fault.LINK_EXPIRED,
    Fault.RATE_LIMITED,
    *OF_WEBHOOKS,
}
# Nobody has confirmed that its list says whose a render is; as long as it doesn't, only its own call finds one.
LISTS_WITHOUT_TOKENS = {"edenai"}
# Never accepted, as far as the vendor is concerned.
NEVER_ACCEPTED = {
    Fault.WRONG_KEY,
    Fault.NO_BALANCE,
    Fault.REFUSED,
    Fault.MODERATED_AT_SUBMIT,
    Fault.SERVER_ERROR,
}


@pytest.fixture(autouse=True)
def impatient(settings: Settings, owner: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Deadlines of seconds. The breaker has tests of its own: here it would keep the faults from happening."""
    settings.RECONCILE_WITHIN = timedelta(seconds=4)
    settings.RENDER_DEADLINE = timedelta(seconds=5)
    wide = {"concurrent": 100, "per_minute": 1_000}
    settings.PROVIDER_LIMITS = dict.fromkeys([*VIDEO_VENDORS, *MODELS], wide)
    settings.TIERS = {
        "free": {
            "creates_per_minute": 1_000,
            "running_jobs": 100,
            "queued_jobs": 100,
            "credits_per_day": 10_000_000,
        }
    }
    tiers.cache_clear()
    with transaction.atomic():
        ledger.grant(owner_id=owner.pk, amount=1_000_000, key="for many clips")
    pause = timedelta(seconds=0.5)
    monkeypatch.setattr("generations.vendor_accounts.OPENS_AFTER", 1_000)
    monkeypatch.setattr("generations.vendor_health.REFUSED_PAUSE", pause)
    monkeypatch.setattr(submit, "REFUSED_PAUSE", pause)
    monkeypatch.setattr(submit, "UNREACHABLE_FOR", timedelta(seconds=2))
    yield
    tiers.cache_clear()


def asked(api: Client, vendor: VideoVendor, fault: Fault, files: dict[str, str]) -> str:
    """The id of a clip to which this happens."""
    models = by_mode(vendor.name)
    # From words, where it can: some can't find again what was made from a picture, which they don't keep.
    mode = Mode.TEXT if Mode.TEXT in models else next(iter(models))
    model = models[mode]
    body = wish(model, mode, files) | {"prompt": f"A boat fault:{fault.value}"}
    answer = post(api, "generations/", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def ended(api: Client, worker: Worker, ids: Sequence[str]) -> list[dict[str, Any]]:
    worker.until(lambda: not Job.objects.filter(kind="generation", ended_at=None).exists(), within=60)
    return [get(api, f"generations/{one}/").json() for one in ids]


def judged(vendor: VideoVendor, fault: Fault, clip: dict[str, Any], *, survives: bool) -> list[str]:
    """What is wrong with how it ended."""
    wrong = []
    entries = [one.kind for one in Entry.objects.filter(subject_id=clip["id"]).order_by("id")]
    stored = Asset.objects.filter(made_by__id=clip["id"], state="ready").exists()
    if clip["status"] != ("completed" if survives else "failed"):
        wrong.append(f"it is {clip['status']}: {clip['error']}")
    if stored != (clip["status"] == "completed"):
        wrong.append(f"its video is {'there' if stored else 'not there'}")
    if entries != ["hold", "capture" if clip["status"] == "completed" else "release"]:
        wrong.append(f"the ledger says {entries}")
    if Hold.objects.filter(subject_id=clip["id"], state=Hold.State.OPEN).exists():
        wrong.append("its hold is open")
    accepted = [job for job in vendor.jobs.values() if job.fault is fault]
    if len(accepted) > (0 if fault in NEVER_ACCEPTED else 1):
        wrong.append(f"the vendor accepted it {len(accepted)} times")
    return [f"{fault}: {one}" for one in wrong]


@EACH
def test_whatever_a_vendor_does_nobody_pays_for_what_was_not_delivered(
    vendor: VideoVendor, owner: User, api: Client, polling: Worker, files: dict[str, str]
) -> None:
    faults = [one for one in Fault if one not in {*vendor.cannot, *OF_ACCOUNT, *OF_WEBHOOKS}]
    found_again = registry.kind(vendor.name).offers("find") and vendor.name not in LISTS_WITHOUT_TOKENS
    ids = [asked(api, vendor, fault, files) for fault in faults]
    clips = ended(api, polling, ids)
    wrong = [
        problem
        for fault, clip in zip(faults, clips, strict=True)
        for problem in judged(
            vendor, fault, clip, survives=fault in HARMLESS or (found_again and fault in AFTER_ACCEPTING)
        )
    ]
    assert not wrong, "\n".join(wrong)
    assert verify(owner.pk).agrees
    # What is unknown for good stays on record, and nothing else is open.
    open_states = Counter(Attempt.objects.exclude(ended_at__isnull=False).values_list("state", flat=True))
    assert set(open_states) <= {"unknown"}


@EACH
@pytest.mark.parametrize("fault", OF_ACCOUNT)
def test_an_account_that_is_refused_is_left_alone_and_the_clip_is_not_lost(
    vendor: VideoVendor,
    fault: Fault,
    owner: User,
    api: Client,
    polling: Worker,
    files: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    if fault in vendor.cannot:
        return
    with caplog.at_level(logging.ERROR):
        [clip] = ended(api, polling, [asked(api, vendor, fault, files)])
    wrong = judged(vendor, fault, clip, survives=fault is Fault.RATE_LIMITED)
    assert not wrong, "\n".join(wrong)
    health = AccountHealth.objects.get(provider=vendor.name, account="main", model="")
    if fault is not Fault.RATE_LIMITED:
        assert health.last_error == "provider_unavailable"
        assert any(getattr(one, "alarm", "") == "credentials_refused" for one in caplog.records)
    assert vendor.key not in caplog.text
    assert verify(owner.pk).agrees


@TOLD
def test_a_lost_answer_is_made_good_by_the_vendors_own_call(
    vendor: VideoVendor, owner: User, api: Client, listening: Worker, files: dict[str, str]
) -> None:
    # One address for the whole account: a call there names the vendor's job, and not yet whose it is.
    lost = () if registry.kind(vendor.name).webhooks_of_account else AFTER_ACCEPTING
    faults = [one for one in (*lost, *OF_WEBHOOKS) if one not in {*vendor.cannot, Fault.NO_WEBHOOK}]
    ids = [asked(api, vendor, fault, files) for fault in faults]
    clips = ended(api, listening, ids)
    wrong = [
        problem
        for fault, clip in zip(faults, clips, strict=True)
        for problem in judged(vendor, fault, clip, survives=True)
    ]
    assert not wrong, "\n".join(wrong)
    assert verify(owner.pk).agrees
