"""Eden AI's adapter against the contract, against its simulator, and what is its own.

There is no official client of version 3 to hold the simulator against: Eden AI's package edenai-apis is what runs on its
own side.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from PIL import Image

from providers.contract import (
    AccountStanding,
    Cost,
    InputMedia,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    VideoProvider,
    Webhooks,
)
from providers.errors import (
    BadSignature,
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import VideoModel
from providers.http import Client, ClientConfig
from providers.video.edenai import HIGHEST_SEED, MAKERS, MODELS, STATES, EdenAIProvider
from tests.providers import servers
from tests.providers.contract import A_REQUEST, A_VIDEO, BIG, CALLBACK, KEY, TOKEN, VideoProviderContract
from tests.providers.forgeries import Forgery
from tests.providers.sandbox import ended
from tests.providers.servers import RawServer, answers, serving
from tests.vendors.edenai import HANDED_ON, PRICES, PUBLIC_KEY, EdenAI, headers_for, signature, signed
from tests.vendors.video import Fault, clip

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOVA = replace(A_REQUEST, model="amazon/amazon.nova-reel-v1:1", duration_seconds=6)
HAILUO = replace(NOVA, model="minimax/MiniMax-Hailuo-2.3", resolution="768p")
SEEDANCE = replace(NOVA, model="bytedance/seedance-2-0-260128", duration_seconds=5)
OFFERED = [model for model in MODELS if model.retires_at is None]
NOWHERE = "http://127.0.0.1:9"


def picture(kind: str = "PNG", size: tuple[int, int] = (1280, 720)) -> bytes:
    to = io.BytesIO()
    Image.new("RGB", size, "teal").save(to, kind)
    return to.getvalue()


PNG, JPEG = picture(), picture("JPEG")


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


ANOTHER_KEY = rsa.generate_private_key(65_537, 2_048)


class TestEdenAI(VideoProviderContract):
    kind = EdenAIProvider
    words = STATES
    request = NOVA

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return EdenAIProvider(url=url, api_key=KEY, webhook_public_keys=[PUBLIC_KEY], http=http)

    def accepted(self, external_id: str) -> Any:
        return {
            "public_id": external_id,
            "status": "processing",
            "created_at": "2026-11-20T10:00:00Z",
            "provider": "amazon",
        }

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        ends = STATES.get(word) in (RenderState.SUCCEEDED, RenderState.FAILED)
        output = {"video": "QUJD", "video_resource_url": url, "usage": {}} if media else {"usage": {}}
        return {
            "public_id": external_id,
            "status": word,
            "provider": "amazon",
            "model": "amazon.nova-reel-v1:1",
            "feature": "video",
            "subfeature": "generation_async",
            "cost": "0.48" if ends else "0.000",
            "created_at": "2026-11-20T10:00:00Z",
            "finished_at": "2026-11-20T10:02:41Z" if ends else None,
            "output": output if STATES.get(word) is RenderState.SUCCEEDED else None,
            "error": {"message": "vendor-text-CANARY"} if STATES.get(word) is RenderState.FAILED else None,
        }

    def moderated(self, external_id: str) -> Any:
        return self.status(external_id, "fail") | {"error": {"message": "Provider refused the prompt"}}

    def done(self, url: str, size: int) -> Iterable[bytes]:
        """The video is in the answer, and there is no link."""
        yield b'{"public_id": "id-1", "status": "success", "cost": 0.48, "output": {"video": "'
        for _ in range(size // 196_608):
            yield b"AAAA" * 65_536
        rest = base64.b64encode(bytes(size % 196_608))
        yield rest + b'", "usage": {}}, "error": null}'

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        answer = self.status(external_id, word)
        answer["job_id"] = answer.pop("public_id")
        return signed(answer | {"event": "async_job_completed", "user_parameters": {"client_token": TOKEN}})

    def forgeries(self) -> list[Forgery]:
        good, body = self.webhook("id-1", "success")
        message = json.loads(body)
        canonical = json.dumps(message, sort_keys=True, indent=2, ensure_ascii=False).encode()
        digest = hashlib.sha256(canonical).hexdigest()
        right = good["X-Edenai-Signature"]

        def with_signature(value: str) -> dict[str, str]:
            return {**good, "X-Edenai-Signature": value}

        def by(key: rsa.RSAPrivateKey, padding: PKCS1v15 | PSS) -> str:
            return key.sign(digest.encode(), padding, SHA256()).hex()

        pss = PSS(
            mgf=__import__("cryptography").hazmat.primitives.asymmetric.padding.MGF1(SHA256()), salt_length=32
        )
        changed = [
            ("another state", message | {"status": "fail"}),
            ("another job", message | {"job_id": "id-2"}),
            ("another link", message | {"output": {"video_resource_url": "https://evil.example/a.mp4"}}),
            ("a field more", message | {"more": True}),
            ("a field less", {name: value for name, value in message.items() if name != "model"}),
            ("a number instead of its text", message | {"cost": 0.48}),
            ("a list of it", [message]),
        ]
        return [
            Forgery("no headers at all", {}, body),
            *(Forgery(name, good, json.dumps(value).encode()) for name, value in changed),
            Forgery("an empty body", good, b""),
            Forgery("no text", good, b"\xff\xfe" + body),
            Forgery("half of it", good, body[:-20]),
            Forgery("no signature", {k: v for k, v in good.items() if "Signature" not in k}, body),
            Forgery("an empty signature", with_signature(""), body),
            Forgery("no hex", with_signature("zz" + right[2:]), body),
            Forgery("base64 instead", with_signature(base64.b64encode(bytes.fromhex(right)).decode()), body),
            Forgery("cut short", with_signature(right[:-2]), body),
            Forgery("longer", with_signature(right + "00"), body),
            Forgery("spaces in it", with_signature(right[:64] + " " + right[64:]), body),
            Forgery("a bit turned", with_signature(f"{int(right, 16) ^ 1:0{len(right)}x}"), body),
            Forgery("zeros", with_signature("00" * 256), body),
            Forgery("one", with_signature(f"{1:0512x}"), body),
            Forgery("endless", with_signature("ab" * 500_000), body),
            Forgery("hashed once", with_signature(signature(canonical)), body),
            Forgery("the body's own bytes", with_signature(signature(body)), body),
            Forgery("the body's own digest", with_signature(signature(_hex(body).encode())), body),
            Forgery("the digest in upper case", with_signature(signature(digest.upper().encode())), body),
            Forgery("the digest's bytes", with_signature(signature(bytes.fromhex(digest))), body),
            Forgery("unsigned digest", with_signature(digest.rjust(512, "0")), body),
            Forgery("another key", with_signature(by(ANOTHER_KEY, PKCS1v15())), body),
            Forgery("another padding", with_signature(by(ANOTHER_KEY, pss)), body),
            Forgery("another algorithm", {**good, "X-Edenai-Hash-Algorithm": "NONE"}, body),
        ]

    def test_a_video_of_300_megabytes_is_downloaded_in_flat_memory(self) -> None:
        """The look at a finished job reads all of the video too, so it takes longer than the contract's second."""
        with servers.streaming(self.done, BIG) as url:
            http = Client(ClientConfig(allowed_origins=frozenset({url}), read_seconds=5, total_seconds=60))
            adapter = self.adapter(url, http)
            before = servers.reset_peak_memory()
            output = adapter.fetch("id-1").output
            assert output is not None
            assert output.base64_field == "video"
            sink = servers.Sink()
            downloaded = http.download(output, sink, max_bytes=BIG, total_seconds=60)
            assert downloaded.bytes == sink.bytes == BIG
            assert servers.peak_memory() - before < 32 * 2**20

    def test_an_option_the_vendor_cannot_express_is_named_before_anything_is_sent(self) -> None:
        """A start image is uploaded: its bytes are sent and not its address, which is the simulator's to show."""
        media = InputMedia(url="https://store.example/source.mp4", media_type="video/mp4")
        refused = [
            (replace(NOVA, mode=Mode.VIDEO, source_video=media), "video to video"),
            (replace(NOVA, source_video=media), "video to video"),
            (replace(NOVA, mode=Mode.FIRST_LAST, start_image=media, end_image=media), "first and last frame"),
            (replace(NOVA, end_image=media), "first and last frame"),
            (replace(NOVA, mode=Mode.IMAGE), "image to video without an image"),
            (replace(HAILUO, mode=Mode.IMAGE, start_image=media), "a start image with this model"),
            (replace(SEEDANCE, mode=Mode.IMAGE, start_image=media), "a start image with this model"),
            (replace(NOVA, negative_prompt="no rain"), "a negative prompt"),
            (replace(NOVA, style="cinematic"), "styles"),
            (replace(NOVA, audio=True), "audio"),
            (replace(NOVA, enhance=True), "prompt enhancement"),
            (replace(NOVA, controls={"camera": "pan_left"}), "controls"),
            (replace(HAILUO, seed=7), "a seed with this model"),
            (replace(SEEDANCE, seed=7), "a seed with this model"),
            (replace(NOVA, seed=-1), "this seed"),
            (replace(NOVA, seed=HIGHEST_SEED + 1), "this seed"),
            (replace(NOVA, duration_seconds=12), "12 seconds with this model"),
            (replace(SEEDANCE, duration_seconds=10), "10 seconds with this model"),
            (replace(NOVA, resolution="1080p"), "1080p in 16:9 with this model"),
            (replace(HAILUO, ratio="9:16"), "768p in 9:16 with this model"),
            (replace(NOVA, model="minimax"), "this model"),
            (replace(NOVA, model="runwayml"), "this model"),
            (replace(NOVA, model="openai/sora-2"), "this model"),
        ]
        for request, feature in refused:
            with serving(answers(202, self.body(self.accepted("id-1")))) as server:
                with pytest.raises(UnsupportedFeature) as refusal:
                    self.at(server).submit(request, client_token=TOKEN, callback_url=None)
                assert refusal.value.feature == feature
                assert not server.received
        with serving(answers(202, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(replace(NOVA, seed=424_242), client_token=TOKEN, callback_url=None)
        assert json.loads(server.received[0].body)["input"]["seed"] == 424_242

    # --- submissions ---

    @pytest.mark.parametrize(
        ("request_", "model", "asked"),
        [
            (HAILUO, "minimax/MiniMax-Hailuo-2.3", {"duration": 6}),
            (replace(HAILUO, duration_seconds=10), "minimax/MiniMax-Hailuo-2.3", {"duration": 10}),
            (SEEDANCE, "bytedance/seedance-2-0-260128", {"duration": 5, "dimension": "1280x720"}),
            (NOVA, "amazon/amazon.nova-reel-v1:1", {"duration": 6, "dimension": "1280x720"}),
        ],
    )
    def test_a_request_is_what_the_documents_show(
        self, request_: RenderRequest, model: str, asked: dict[str, Any]
    ) -> None:
        with serving(answers(202, self.body(self.accepted("id-1")))) as server:
            receipt = self.at(server).submit(request_, client_token=TOKEN, callback_url=CALLBACK)
        assert receipt.vendor_state == "processing"
        [sent] = server.received
        order = json.loads(sent.body)
        seed = order["input"].pop("seed")
        assert order == {
            "model": f"video/generation_async/{model}",
            "input": {"text": "A paper boat", **asked},
            "show_original_response": False,
            "webhook_receiver": CALLBACK,
            "user_webhook_parameters": {"client_token": TOKEN},
        }
        assert type(seed) is int
        assert sent.line == "POST /v3/universal-ai/async HTTP/1.1"
        assert sent.header("Authorization") == f"Bearer {KEY}"
        assert sent.header("Content-Type") == "application/json"

    def test_nobody_is_called_back_who_did_not_ask(self) -> None:
        with serving(answers(202, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(NOVA, client_token=TOKEN, callback_url=None)
        assert "webhook_receiver" not in json.loads(server.received[0].body)

    def test_each_attempt_has_a_seed_of_its_own_and_always_the_same(self) -> None:
        with serving(answers(202, self.body(self.accepted("id-1")))) as server:
            adapter = self.at(server)
            for number in range(40):
                adapter.submit(HAILUO, client_token=f"attempt-{number % 20}", callback_url=None)
        seeds = [json.loads(call.body)["input"]["seed"] for call in server.received]
        assert seeds[:20] == seeds[20:]
        assert len(set(seeds)) == 20
        assert all(0 <= seed <= HIGHEST_SEED for seed in seeds)

    def test_the_older_name_of_an_id_is_read_too(self) -> None:
        with serving(answers(200, b'{"job_id": "id-7", "status": "pending"}')) as server:
            assert self.at(server).submit(NOVA, client_token=TOKEN, callback_url=None).external_id == "id-7"
            assert self.at(server).fetch("id-7").external_id == "id-7"

    @pytest.mark.parametrize("body", [b'{"public_id": "id-7"}', b'{"public_id": "id-7", "status": null}'])
    def test_an_id_without_a_state_is_a_receipt(self, body: bytes) -> None:
        with serving(answers(202, body)) as server:
            assert self.at(server).submit(NOVA, client_token=TOKEN, callback_url=None).external_id == "id-7"

    def test_an_answer_out_of_the_cache_is_a_receipt_however_long_it_is(self) -> None:
        answer = self.status("id-7", "success")
        answer["output"]["video"] = "QUJD" * 1_000_000
        with serving(answers(200, self.body(answer))) as server:
            receipt = self.at(server).submit(NOVA, client_token=TOKEN, callback_url=None)
        assert (receipt.external_id, receipt.vendor_state) == ("id-7", "success")

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (422, {"detail": [{"loc": ["body", "model"], "msg": "no", "type": "x"}]}, "model_unavailable"),
            (422, {"detail": [{"loc": ["body", "input", "file"], "msg": "no"}]}, "input_unreadable"),
            (422, {"detail": [{"loc": ["body", "input", "seed"], "msg": "no"}]}, "invalid"),
            (422, {"detail": [{"loc": []}]}, "invalid"),
            (422, {"detail": [{"loc": [["model"]]}]}, "invalid"),
            (422, {"detail": []}, "invalid"),
            (422, {"detail": {"error": "invalid", "message": "no"}}, "invalid"),
            (422, {"detail": "no"}, "invalid"),
            (422, {"error": "no"}, "invalid"),
            (422, {"error": {"message": "no"}}, "invalid"),
            (422, {"error": {"message": "Flagged by moderation"}}, "moderated"),
            (422, {"detail": {"error": "x", "message": "Provider refused the prompt"}}, "moderated"),
            (422, {"detail": None}, "invalid"),
            (422, [[{"detail": [1, None]}]], "invalid"),
            (422, "no", "invalid"),
            (400, None, "invalid"),
            (404, {"detail": "Model does not exist"}, "model_unavailable"),
            (451, {"detail": {"error": "region", "message": "not here"}}, "model_unavailable"),
        ],
    )
    def test_a_refusal_is_read_in_every_shape(self, status: int, body: Any, code: str) -> None:
        error = self.submitted(answers(status, self.body(body)))
        assert isinstance(error, RequestRefused)
        assert error.code == code

    def test_a_refusal_of_a_thousand_levels_is_only_a_refusal(self) -> None:
        error = self.submitted(answers(422, b'{"error":' * 900 + b"1" + b"}" * 900))
        assert isinstance(error, RequestRefused)

    def test_an_empty_balance_is_told_apart_from_a_wrong_key(self) -> None:
        assert type(self.submitted(answers(402, b'{"error": "Insufficient credits"}'))) is BalanceUsedUp
        assert type(self.submitted(answers(401))) is CredentialsRefused

    # --- looks ---

    @pytest.mark.parametrize(
        ("cost", "amount"),
        [
            ("0.084", "0.084"),
            (0.084, "0.084"),
            (1, "1"),
            (0, "0"),
            ("1e-05", "0.00001"),
            (None, None),
            ("", None),
            ("free", None),
            ("NaN", None),
            ("Infinity", None),
            (-1, None),
            (True, None),
            ([1], None),
        ],
    )
    def test_a_cost_is_exact_or_none(self, cost: Any, amount: str | None) -> None:
        update = self.fetched(answers(200, self.body(self.status("id-1", "success") | {"cost": cost})))
        assert update.cost == (Cost(amount=Decimal(amount), currency="USD") if amount is not None else None)

    def test_the_cost_of_what_still_runs_is_not_known(self) -> None:
        assert self.fetched(answers(200, self.body(self.status("id-1", "processing")))).cost is None
        failed = self.fetched(answers(200, self.body(self.status("id-1", "fail") | {"cost": "0.000"})))
        assert failed.cost == Cost(amount=Decimal(0), currency="USD")

    def test_a_link_is_preferred_and_no_key_goes_there(self) -> None:
        assert self.fetched(answers(200, self.body(self.status("id-1", "success")))).output == OutputSource(
            url=A_VIDEO
        )

    def test_a_video_without_a_link_is_in_the_answer_itself(self) -> None:
        answer = self.status("id-1", "success")
        for link in (None, ""):
            answer["output"]["video_resource_url"] = link
            with serving(answers(200, self.body(answer))) as server:
                output = self.at(server).fetch("id-1").output
                assert output == OutputSource(
                    url=f"{server.url}/v3/universal-ai/async/id-1",
                    headers={"Authorization": f"Bearer {KEY}"},
                    base64_field="video",
                )
                assert "CANARY" not in repr(output)

    @pytest.mark.parametrize(
        "output", [None, {}, [], "", {"video": ""}, {"video": None, "video_resource_url": ""}, {"video": 1}]
    )
    def test_success_without_a_video_is_none(self, output: Any) -> None:
        update = self.fetched(answers(200, self.body(self.status("id-1", "success") | {"output": output})))
        assert isinstance(update.failure, RenderFailed)
        assert update.failure.code is FailureCode.NO_MEDIA

    @pytest.mark.parametrize(
        ("error", "code", "retryable"),
        [
            ({"message": "Provider refused the prompt"}, "moderated", False),
            ({"message": "Input contains sensitive words"}, "moderated", False),
            ("Blocked by our content filters: CONTENT FILTER", "moderated", False),
            ({"message": "Provider timed out", "error_code": "PROVIDER_ERROR"}, "vendor_fault", True),
            ([{"message": "x"}], "vendor_fault", True),
            ({"message": {"message": ["refused the prompt"]}}, "moderated", False),
            ({"message": None}, "vendor_fault", True),
            (None, "vendor_fault", True),
            (5, "vendor_fault", True),
        ],
    )
    def test_a_failure_inside_a_200_has_our_code(self, error: Any, code: str, retryable: bool) -> None:
        for word in ("fail", "failed", "error"):
            answer = self.status("id-1", word) | {"error": error}
            failure = self.fetched(answers(200, self.body(answer))).failure
            assert isinstance(failure, RenderFailed)
            assert (failure.code, failure.retryable) == (code, retryable)
            self.shows_nothing(failure)

    def test_a_job_of_more_than_seven_days_ago_is_not_found(self) -> None:
        with serving(answers(404, b'{"detail": "Job not found"}')) as server, pytest.raises(JobNotFound):
            self.at(server).fetch("id-1")

    # --- lists ---

    @pytest.mark.parametrize("shape", [{"items": None}, {}, {"items": {}}, {"total": 0}, "x"])
    def test_a_list_that_is_none_proves_nothing(self, shape: Any) -> None:
        with serving(answers(200, self.body(shape))) as server, pytest.raises(ReadFailed):
            self.at(server).find(TOKEN, request=NOVA, since=SINCE)

    @pytest.mark.parametrize(
        ("answer", "balance"),
        [
            ({"credits": 42.5}, "42.5"),
            ({"credits": "42.50"}, "42.50"),
            ({"credits": 0}, "0"),
            ({"credits": None}, None),
            ({"credits": True}, None),
            ({}, None),
            ([], None),
        ],
    )
    def test_the_balance_is_a_number_or_not_known(self, answer: Any, balance: str | None) -> None:
        with serving(answers(200, self.body(answer))) as server:
            if balance is None:
                with pytest.raises(ReadFailed):
                    self.at(server).account()
            else:
                assert self.at(server).account() == AccountStanding(balance=Decimal(balance))
        assert server.received[0].line == "GET /v2/cost_management/credits/ HTTP/1.1"

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_balance_that_is_no_longer_told_is_a_call_that_it_lacks(self, status: int) -> None:
        with serving(answers(status)) as server, pytest.raises(UnsupportedFeature) as refusal:
            self.at(server).account()
        assert refusal.value.feature == "account"

    # --- webhooks ---

    def test_a_webhook_names_our_token_and_repeats_its_id(self) -> None:
        headers, body = self.webhook("id-1", "success")
        [update] = self.at(NOWHERE).read_webhook(headers, body)
        assert update.client_token == TOKEN
        again = json.dumps(json.loads(body), indent=1).encode()
        assert self.at(NOWHERE).read_webhook(headers, again)[0].event_id == update.event_id
        other = self.at(NOWHERE).read_webhook(*self.webhook("id-1", "fail"))[0]
        assert update.event_id
        assert other.event_id != update.event_id

    @pytest.mark.parametrize(
        "message", [[], "x", 5, None, {}, {"job_id": 5, "status": "success"}, {"job_id": "1"}]
    )
    def test_a_signed_webhook_that_makes_no_sense_is_not_obeyed(self, message: Any) -> None:
        with pytest.raises(ReadFailed):
            self.at(NOWHERE).read_webhook(*signed(message))

    def test_headers_are_found_in_any_case(self) -> None:
        headers, body = self.webhook("id-1", "success")
        for change in (str.lower, str.upper):
            assert self.at(NOWHERE).read_webhook({change(k): v for k, v in headers.items()}, body)
        upper = headers | {"X-Edenai-Signature": headers["X-Edenai-Signature"].upper()}
        assert self.at(NOWHERE).read_webhook(upper, body)

    def test_without_a_public_key_the_token_in_our_url_speaks(self) -> None:
        adapter = EdenAIProvider(url=NOWHERE, api_key=KEY)
        _, body = self.webhook("id-1", "success")
        [update] = adapter.read_webhook({}, body)
        assert (update.external_id, update.state) == ("id-1", RenderState.SUCCEEDED)
        for nonsense in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
            with pytest.raises(ReadFailed):
                adapter.read_webhook({}, nonsense)

    def test_a_delivery_of_a_whole_video_is_read(self) -> None:
        message = {"job_id": "id-1", "status": "success", "output": {"video": "QUJD" * 7_000_000}}
        headers, body = signed(message)
        assert 28_000_000 < len(body) < EdenAIProvider.webhook_max_bytes
        assert self.at(NOWHERE).read_webhook(headers, body)[0].state is RenderState.SUCCEEDED


def _hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# What the vendor signs is the message as it would write it with two spaces a level and sorted keys: by hand here.
NUMBERS = [
    "1e-05", "0.10", "1E5", "1.0", "-0", "-0.0", "1e+16", "12345678901234567890", "0.1000000000000000055",
    "3.14e-300", "1.5e308", "9" * 5_000,
]  # fmt: skip
WRITTEN: list[tuple[str, str]] = [
    *(
        (f'{{"job_id":"1","cost":{one},"status":"x"}}', f'{{\n  "cost": {one},\n  "job_id": "1",\n  "status": "x"\n}}')
        for one in NUMBERS
    ),
    (
        '{"status": "x", "job_id": "1", "b": {"z": [1.10, {"y": [], "a": {}}, [[0.0]]], "é": "€ 😀"}, "B": null}',
        ('{\n  "B": null,\n  "b": {\n    "z": [\n      1.10,\n      {\n        "a": {},\n        "y": []\n      },\n'
        '      [\n        [\n          0.0\n        ]\n      ]\n    ],\n    "é": "€ 😀"\n  },\n  "job_id": "1",\n'
        '  "status": "x"\n}'),
    ),
    (
        '{"job_id":"1","status":"x","t":"\\u00e9\\ud83d\\ude00\\/\\n\\t\\"\\\\\\u0007\\u007f","u":true,"v":false}',
        '{\n  "job_id": "1",\n  "status": "x",\n  "t": "é😀/\\n\\t\\"\\\\\\u0007\x7f",\n  "u": true,\n  "v": false\n}',
    ),
    ('\n{ "status" : "x" ,\r\n"job_id" : "1" }\n', '{\n  "job_id": "1",\n  "status": "x"\n}'),
    (
        '{"job_id":"1","status":"x","n":[NaN,Infinity,-Infinity]}',
        '{\n  "job_id": "1",\n  "n": [\n    NaN,\n    Infinity,\n    -Infinity\n  ],\n  "status": "x"\n}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "canonical"), WRITTEN)
def test_what_is_signed_is_written_as_it_was_sent(sent: str, canonical: str) -> None:
    adapter = EdenAIProvider(url=NOWHERE, api_key=KEY, webhook_public_keys=[PUBLIC_KEY])
    if "999" in sent:
        # Longer than Python reads a number: nobody's, and no crash.
        with pytest.raises(BadSignature):
            adapter.read_webhook(headers_for(canonical.encode()), sent.encode())
        return
    [update] = adapter.read_webhook(headers_for(canonical.encode()), sent.encode())
    assert update.external_id == "1"
    with pytest.raises(BadSignature):
        adapter.read_webhook(headers_for(canonical.encode() + b" "), sent.encode())


def test_numbers_that_mean_the_same_are_not_the_same() -> None:
    adapter = EdenAIProvider(url=NOWHERE, api_key=KEY, webhook_public_keys=[PUBLIC_KEY])
    headers = headers_for(b'{\n  "cost": 0.1,\n  "job_id": "1",\n  "status": "x"\n}')
    assert adapter.read_webhook(headers, b'{"job_id": "1", "status": "x", "cost": 0.1}')
    for other in (b"0.10", b"1e-1", b"0.1e0", b'"0.1"'):
        with pytest.raises(BadSignature):
            adapter.read_webhook(headers, b'{"job_id": "1", "status": "x", "cost": ' + other + b"}")


def test_text_that_no_utf8_can_hold_was_not_signed() -> None:
    adapter = EdenAIProvider(url=NOWHERE, api_key=KEY, webhook_public_keys=[PUBLIC_KEY])
    with pytest.raises(BadSignature):
        adapter.read_webhook(headers_for(b"{}"), b'{"job_id": "\\ud800", "status": "x"}')


def test_while_keys_rotate_each_of_them_counts() -> None:
    message = {"job_id": "1", "status": "success"}
    theirs, body = signed(message)
    canonical = json.dumps(message, sort_keys=True, indent=2).encode()
    text = hashlib.sha256(canonical).hexdigest().encode()
    ours = theirs | {"X-Edenai-Signature": ANOTHER_KEY.sign(text, PKCS1v15(), SHA256()).hex()}
    both = PUBLIC_KEY + pem(ANOTHER_KEY)
    for keys, good, bad in [
        (both, [theirs, ours], []),
        (both.replace("\n", "\\n"), [theirs, ours], []),
        (f"\n# old\n{both}", [theirs, ours], []),
        (PUBLIC_KEY, [theirs], [ours]),
        (pem(ANOTHER_KEY), [ours], [theirs]),
    ]:
        values = {"EDENAI_API_KEY": KEY, "EDENAI_URL": NOWHERE, "EDENAI_WEBHOOK_PUBLIC_KEY": keys}
        adapter = EdenAIProvider.from_settings(values)
        for headers in good:
            assert adapter.read_webhook(headers, body)
        for headers in bad:
            with pytest.raises(BadSignature):
                adapter.read_webhook(headers, body)


@pytest.mark.parametrize(
    "text",
    [
        "whsec_abc",
        PUBLIC_KEY.replace("MIIB", "XXXX"),
        pem(ec.generate_private_key(ec.SECP256R1())),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    ],
    ids=["no PEM", "broken", "not RSA", "empty"],
)
def test_a_key_that_is_none_is_refused_by_the_settings_name(text: str) -> None:
    values = {"EDENAI_API_KEY": KEY, "EDENAI_URL": NOWHERE, "EDENAI_WEBHOOK_PUBLIC_KEY": text}
    with pytest.raises(ValueError, match="EDENAI_WEBHOOK_PUBLIC_KEY") as refusal:
        EdenAIProvider.from_settings(values)
    assert text not in str(refusal.value)


def test_an_empty_key_is_no_key() -> None:
    values = {"EDENAI_API_KEY": KEY, "EDENAI_URL": NOWHERE, "EDENAI_WEBHOOK_PUBLIC_KEY": ""}
    assert EdenAIProvider.from_settings(values).read_webhook({}, b'{"job_id": "1", "status": "x"}')
    assert EdenAIProvider.webhooks is Webhooks.SIGNED


# --- against the simulator ---


@pytest.fixture
def eden() -> Iterator[EdenAI]:
    with EdenAI(seconds=0.05) as simulator:
        yield simulator


@pytest.fixture
def pictures() -> Iterator[RawServer]:
    """Our store: a picture of the size that Nova Reel wants."""
    with serving(answers(200, PNG, Content_Type="image/png")) as server:
        yield server


# One for all: each client has a thread of its own.
HTTP = Client(ClientConfig(allow_loopback=True))
IMPATIENT = Client(ClientConfig(allow_loopback=True, read_seconds=0.5))


def adapter_of(eden: EdenAI, *, key: str | None = None, http: Client = HTTP) -> EdenAIProvider:
    return EdenAIProvider(url=eden.url, api_key=key or eden.key, webhook_public_keys=[PUBLIC_KEY], http=http)


def submitted(eden: EdenAI, request: RenderRequest = HAILUO, **options: Any) -> str:
    given = {"client_token": TOKEN, "callback_url": None, **options}
    return adapter_of(eden).submit(request, **given).external_id


def downloaded(output: OutputSource | None) -> bytes:
    assert output is not None
    to = io.BytesIO()
    HTTP.download(output, to, max_bytes=1 << 24)
    return to.getvalue()


def requests_for(model: VideoModel, pictures: RawServer) -> Iterator[RenderRequest]:
    """Every mode and option of a model."""
    image = InputMedia(url=f"{pictures.url}/start.png?signature=CANARY", media_type="image/png")
    for mode in sorted(model.modes):
        for resolution in model.resolutions:
            for seconds in model.durations_for(mode, resolution):
                for ratio in model.ratios:
                    for seed in (None, 0, HIGHEST_SEED) if model.seed else (None,):
                        yield RenderRequest(
                            model=model.vendor_model,
                            mode=mode,
                            prompt="x" * model.max_prompt_length,
                            duration_seconds=seconds,
                            resolution=resolution,
                            ratio=ratio,
                            start_image=image if mode is Mode.IMAGE else None,
                            seed=seed,
                        )


@pytest.mark.parametrize("model", OFFERED, ids=lambda model: model.id)
def test_every_mode_and_option_of_a_model_is_accepted_and_handed_on(
    model: VideoModel, eden: EdenAI, pictures: RawServer
) -> None:
    provider = adapter_of(eden)
    wishes = list(requests_for(model, pictures))
    assert wishes
    for number, request in enumerate(wishes):
        receipt = provider.submit(request, client_token=f"attempt-{number}", callback_url=None)
        update = ended(provider, receipt.external_id)
        assert update.state is RenderState.SUCCEEDED
        assert downloaded(update.output) == clip()
        job = eden.jobs[receipt.external_id]
        assert not job.more["complaint"]
        assert not job.more["cached"]
        # Wishes that come true by themselves, and the seed that only the cache sees.
        dropped = {"seed", "duration", "dimension"} - ({"seed"} if model.seed else set())
        assert job.more["dropped"] <= dropped
        assert ("file" in job.more["handed_on"]) == (request.mode is Mode.IMAGE)
        assert update.cost is not None
        assert update.cost.amount == Decimal(PRICES[model.vendor_model][0]) * (
            request.duration_seconds if PRICES[model.vendor_model][1] == "second" else 1
        )


def test_what_is_offered_is_what_the_vendor_has_and_hands_on() -> None:
    """Two lists: what we believe of it, and what it does."""
    for model in OFFERED:
        maker = model.vendor_model.partition("/")[0]
        assert model.vendor_model in PRICES
        assert model.seed == MAKERS[maker].seed == ("seed" in HANDED_ON[maker])
        assert (Mode.IMAGE in model.modes) == ("file" in HANDED_ON[maker]) or maker == "minimax"
        assert tuple(model.durations) == tuple(MAKERS[maker].durations)
        assert {(one, ratio) for one in model.resolutions for ratio in model.ratios} == set(
            MAKERS[maker].sizes
        )
    assert [model.id for model in MODELS][-2:] == ["edenai/runway-gen-3", "edenai/kling-2.5"]


@pytest.mark.parametrize(("content", "kind"), [(PNG, "png"), (JPEG, "jpeg")], ids=["PNG", "JPEG"])
def test_a_start_image_is_uploaded_and_named_by_its_id(eden: EdenAI, content: bytes, kind: str) -> None:
    with serving(answers(200, content)) as pictures:
        image = InputMedia(url=f"{pictures.url}/a?signature=CANARY", media_type=f"image/{kind}")
        external_id = submitted(eden, replace(NOVA, mode=Mode.IMAGE, start_image=image))
    upload, order = eden.requests
    assert (upload.method, upload.path) == ("POST", "/v3/upload")
    assert b'name="purpose"' in upload.body
    assert f"image/{kind}".encode() in upload.body
    assert f'filename="first-frame.{kind}"'.encode() in upload.body
    [(file_id, uploaded)] = eden.uploads.items()
    assert uploaded == content
    assert order.json["input"]["file"] == file_id
    assert b"CANARY" not in upload.body + order.body
    assert ended(adapter_of(eden), external_id).state is RenderState.SUCCEEDED


@pytest.mark.parametrize(
    ("content", "feature"),
    [
        (picture(size=(1281, 720)), "a start image that does not have 1280x720 pixels"),
        (picture("JPEG", (720, 1280)), "a start image that does not have 1280x720 pixels"),
        (picture("WEBP"), "a start image that is neither JPEG nor PNG"),
        (picture("GIF"), "a start image that is neither JPEG nor PNG"),
        (b"<svg/>", "a start image that is neither JPEG nor PNG"),
        (b"", "a start image that is neither JPEG nor PNG"),
        (PNG[:20], "a start image that is neither JPEG nor PNG"),
    ],
)
def test_an_image_that_the_vendor_would_refuse_is_not_sent(
    eden: EdenAI, content: bytes, feature: str
) -> None:
    with serving(answers(200, content)) as pictures:
        image = InputMedia(url=pictures.url, media_type="image/png")
        with pytest.raises(UnsupportedFeature) as refusal:
            submitted(eden, replace(NOVA, mode=Mode.IMAGE, start_image=image))
    assert refusal.value.feature == feature
    assert not eden.requests


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (answers(413, b'{"detail": "CANARY"}'), RequestRefused),
        (answers(415), RequestRefused),
        (answers(422), RequestRefused),
        (answers(401), CredentialsRefused),
        (answers(402), BalanceUsedUp),
        (answers(429, Retry_After="3"), RateLimited),
        (answers(500), NotSent),
        (answers(404), NotSent),
        (answers(200, b"{}"), NotSent),
        (answers(200, b'{"file_id": ""}'), NotSent),
        (answers(200, b"<html>"), NotSent),
        (servers.closes, NotSent),
        (servers.resets, NotSent),
    ],
)
def test_a_failed_upload_has_cost_nothing(
    pictures: RawServer, behaviour: servers.Behaviour, kind: type[ProviderError]
) -> None:
    image = InputMedia(url=pictures.url, media_type="image/png")
    with serving(behaviour) as vendor:
        with pytest.raises(ProviderError) as failure:
            EdenAIProvider(url=vendor.url, api_key=KEY, http=HTTP).submit(
                replace(NOVA, mode=Mode.IMAGE, start_image=image), client_token=TOKEN, callback_url=None
            )
        assert [call.line for call in vendor.received] == ["POST /v3/upload HTTP/1.1"]
    assert type(failure.value) is kind
    assert "CANARY" not in f"{failure.value} {vars(failure.value)}"
    if isinstance(failure.value, RequestRefused):
        assert failure.value.code is FailureCode.INPUT_UNREADABLE


def test_an_image_that_our_store_does_not_give_is_not_sent(eden: EdenAI) -> None:
    with serving(answers(403)) as pictures:
        image = InputMedia(url=pictures.url, media_type="image/png")
        with pytest.raises(NotSent):
            submitted(eden, replace(NOVA, mode=Mode.IMAGE, start_image=image))
    assert not eden.requests


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.RATE_LIMITED, RateLimited),
        (Fault.WRONG_KEY, CredentialsRefused),
        (Fault.NO_BALANCE, BalanceUsedUp),
        (Fault.REFUSED, RequestRefused),
        (Fault.SERVER_ERROR, OutcomeUnknown),
        (Fault.SERVER_ERROR_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.SILENCE_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.HANG_UP_AFTER_ACCEPTING, OutcomeUnknown),
        (Fault.GARBAGE_AFTER_ACCEPTING, OutcomeUnknown),
    ],
)
def test_a_submission_that_fails_says_what_became_of_it(
    eden: EdenAI, fault: Fault, kind: type[ProviderError]
) -> None:
    eden.fault = fault
    with pytest.raises(ProviderError) as failure:
        adapter_of(eden, http=IMPATIENT).submit(HAILUO, client_token=TOKEN, callback_url=None)
    assert type(failure.value) is kind
    assert len(eden.requests) == 1
    assert bool(eden.jobs) == fault.value.endswith("after_accepting")


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.FAILED, "vendor_fault"), (Fault.MODERATED, "moderated"), (Fault.NO_MEDIA, "no_media")],
)
def test_a_job_that_ends_badly_says_why(eden: EdenAI, fault: Fault, code: str) -> None:
    eden.fault = fault
    update = ended(adapter_of(eden), submitted(eden))
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code == code


def looks(eden: EdenAI, external_id: str) -> list[RenderUpdate | type[ProviderError]]:
    """What each look says, until the end."""
    found: list[RenderUpdate | type[ProviderError]] = []
    while (
        not found or not isinstance(found[-1], RenderUpdate) or found[-1].state is not RenderState.SUCCEEDED
    ):
        try:
            found.append(adapter_of(eden).fetch(external_id))
        except ProviderError as error:
            found.append(type(error))
        assert len(found) < 5_000
    return found


@pytest.mark.parametrize(
    ("fault", "first"),
    [
        (Fault.STATUS_ERROR, [ReadFailed, ReadFailed]),
        (Fault.STATUS_GARBAGE, [ReadFailed, ReadFailed]),
        (Fault.STATUS_RATE_LIMITED, [RateLimited]),
        (Fault.UNKNOWN_WORD, [RenderState.UNKNOWN, RenderState.UNKNOWN]),
    ],
)
def test_a_look_that_fails_is_followed_by_one_that_does_not(
    eden: EdenAI, fault: Fault, first: list[object]
) -> None:
    eden.fault = fault
    found = looks(eden, submitted(eden))
    assert [one.state if isinstance(one, RenderUpdate) else one for one in found[: len(first)]] == first


def test_what_the_vendor_has_lost_is_not_found(eden: EdenAI) -> None:
    eden.fault, eden.seconds = Fault.LOST, 0.0
    external_id = submitted(eden)
    with pytest.raises(JobNotFound):
        adapter_of(eden).fetch(external_id)


def test_what_hangs_runs(eden: EdenAI) -> None:
    eden.fault, eden.seconds = Fault.STUCK, 0.0
    assert adapter_of(eden).fetch(submitted(eden)).state is RenderState.RUNNING


def test_a_link_that_has_expired_is_good_the_next_time(eden: EdenAI) -> None:
    eden.fault = Fault.LINK_EXPIRED
    update = ended(adapter_of(eden), submitted(eden))
    with pytest.raises(Exception, match="403"):
        downloaded(update.output)
    assert downloaded(update.output) == clip()


@pytest.mark.parametrize("link", [True, False])
def test_half_a_video_is_half_a_video(eden: EdenAI, link: bool) -> None:
    eden.fault, eden.link_given = Fault.TRUNCATED, link
    update = ended(adapter_of(eden), submitted(eden))
    assert downloaded(update.output) == clip()[: len(clip()) // 2]


@pytest.mark.parametrize("old_words", [False, True])
@pytest.mark.parametrize("cost_as_text", [False, True])
def test_whatever_is_unconfirmed_about_answers_is_read(
    eden: EdenAI, old_words: bool, cost_as_text: bool
) -> None:
    eden.old_words, eden.cost_as_text, eden.link_given = old_words, cost_as_text, False
    external_id = submitted(eden)
    update = ended(adapter_of(eden), external_id)
    assert update.external_id == external_id
    assert update.cost == Cost(amount=Decimal("0.084"), currency="USD")
    assert update.output is not None
    assert update.output.base64_field == "video"
    assert downloaded(update.output) == clip()


def test_two_customers_with_the_same_wish_get_two_clips(eden: EdenAI) -> None:
    """The cache would give the second what the first has."""
    ids = [submitted(eden, client_token=f"attempt-{number}") for number in range(5)]
    assert len(set(ids)) == 5
    assert not any(job.more["cached"] for job in eden.jobs.values())
    submitted(eden, client_token="attempt-0")
    assert [job.more["cached"] for job in eden.jobs.values()] == [False] * 5 + [True]


def test_what_cannot_be_told_here_is_refused(eden: EdenAI) -> None:
    provider = adapter_of(eden)
    with pytest.raises(UnsupportedFeature):
        provider.cancel("id-1")
    assert not EdenAIProvider.offers("cancel")
    assert EdenAIProvider.find_is_authoritative_after is None


def test_another_key_is_refused_everywhere(eden: EdenAI) -> None:
    provider = adapter_of(eden, key="wrong")
    calls: list[Callable[[], object]] = [
        lambda: provider.submit(HAILUO, client_token=TOKEN, callback_url=None),
        lambda: provider.fetch("id-1"),
        lambda: provider.listed(SINCE),
        provider.account,
    ]
    for call in calls:
        with pytest.raises(CredentialsRefused):
            call()


def test_the_tenth_request_of_a_second_is_the_last(eden: EdenAI) -> None:
    eden.requests_a_second = 10
    provider = adapter_of(eden)
    for _ in range(10):
        provider.account()
    with pytest.raises(RateLimited):
        provider.account()


def test_the_account_is_told(eden: EdenAI) -> None:
    assert adapter_of(eden).account() == AccountStanding(balance=Decimal("42.5"), currency="USD")


def test_the_settings_lead_to_the_vendor(eden: EdenAI) -> None:
    values = eden.environment()
    assert values.keys() == {*EdenAIProvider.settings, *EdenAIProvider.optional}
    adapter = EdenAIProvider.from_settings(values)
    assert adapter.read_webhook(*signed({"job_id": "1", "status": "success"}))
    assert EdenAIProvider.defaults == {"EDENAI_URL": "https://api.edenai.run"}


GOOD = {
    "model": f"video/generation_async/{HAILUO.model}",
    "input": {"text": "A boat", "duration": 6, "seed": 1},
}


def asked(**changes: Any) -> dict[str, Any]:
    return GOOD | {"input": {"text": "A boat"} | changes}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": {"text": "A boat"}}, "model"),
        ({"model": GOOD["model"]}, "input"),
        (GOOD | {"model": "video/generation_async/openai/sora-9"}, "model"),
        (GOOD | {"model": HAILUO.model}, "model"),
        (GOOD | {"prompt": "A boat"}, "prompt"),
        (GOOD | {"fallbacks": ["a", "b", "c", "d"]}, "fallbacks"),
        (GOOD | {"show_original_response": "no"}, "show_original_response"),
        (GOOD | {"webhook_receiver": "http://studio.example/"}, "webhook_receiver"),
        (GOOD | {"user_webhook_parameters": "x"}, "user_webhook_parameters"),
        (GOOD | {"users_webhook_parameters": {}}, "users_webhook_parameters"),
        (asked(text=""), "text"),
        (asked(text=5), "text"),
        (asked(fps=24), "fps"),
        (asked(negative_prompt="rain"), "negative_prompt"),
        (asked(duration="6"), "duration"),
        (asked(duration=6.0), "duration"),
        (asked(duration=True), "duration"),
        (asked(seed=-1), "seed"),
        (asked(seed=2_147_483_647), "seed"),
        (asked(dimension="720p"), "dimension"),
    ],
)
def test_the_simulator_is_as_strict_as_the_documents(eden: EdenAI, body: dict[str, Any], field: str) -> None:
    headers = {"Authorization": f"Bearer {eden.key}"}
    url = f"{eden.url}/v3/universal-ai/async"
    answer = HTTP.request("POST", url, json=body, headers=headers)
    assert answer.status == 422
    assert answer.json()["detail"][0]["loc"][-1] == field
    assert not eden.jobs
    assert HTTP.request("POST", url, json=GOOD, headers=headers).status == 202
    assert HTTP.request("POST", url, json=GOOD, headers={"X-Key": eden.key}).status == 401
    assert HTTP.request("PUT", url, json=GOOD, headers=headers).status == 405


def test_the_simulator_deletes_lists_and_tells_its_models(eden: EdenAI) -> None:
    headers = {"Authorization": f"Bearer {eden.key}"}
    url = f"{eden.url}/v3/universal-ai/async"
    external_id = submitted(eden)
    assert HTTP.get_json(url, headers=headers)["items"][0]["public_id"] == external_id
    assert HTTP.request("GET", f"{url}?limit=1001", headers=headers).status == 422
    assert HTTP.request("DELETE", f"{url}/{external_id}", headers=headers).status == 204
    assert HTTP.request("DELETE", f"{url}/{external_id}", headers=headers).status == 404
    assert HTTP.request("GET", f"{url}/{external_id}", headers=headers).status == 404
    assert HTTP.get_json(f"{eden.url}/v3/info/video/generation_async")["models"]
    assert HTTP.request("POST", f"{eden.url}/v3/upload", body=b"x", headers=headers).status == 422


@pytest.mark.parametrize("told", ["a file that nobody uploaded", "http://127.0.0.1:9/a.png", "https:///"])
def test_the_simulator_reads_its_inputs(eden: EdenAI, told: str) -> None:
    body = asked(file=told) | {"model": f"video/generation_async/{NOVA.model}"}
    headers = {"Authorization": f"Bearer {eden.key}"}
    answer = HTTP.request("POST", f"{eden.url}/v3/universal-ai/async", json=body, headers=headers)
    assert answer.status == 422
    assert answer.json()["detail"]["error"] == "invalid_file"


@pytest.mark.parametrize(
    ("change", "size"),
    [({"duration": 12}, (1280, 720)), ({"dimension": "1920x1080"}, (1280, 720)), ({}, (640, 360))],
)
def test_what_a_maker_does_not_make_is_taken_and_fails(
    eden: EdenAI, change: dict[str, Any], size: tuple[int, int]
) -> None:
    eden.uploads["an-id"] = picture(size=size)
    body = asked(file="an-id", **change) | {"model": f"video/generation_async/{NOVA.model}"}
    headers = {"Authorization": f"Bearer {eden.key}"}
    receipt = HTTP.post_json(f"{eden.url}/v3/universal-ai/async", body, headers=headers)
    update = ended(adapter_of(eden), receipt["public_id"])
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.VENDOR_FAULT


# --- lists ---

SHAPES = pytest.mark.parametrize("shape", ["items", "results", "data", None])
PAGED = pytest.mark.parametrize("paged", [True, False])


@SHAPES
@PAGED
def test_a_lost_submission_is_found_by_its_token_where_the_list_shows_it(
    eden: EdenAI, shape: str | None, paged: bool
) -> None:
    eden.list_shape, eden.list_has_pages, eden.list_shows_parameters = shape, paged, True
    eden.fault = Fault.HANG_UP_AFTER_ACCEPTING
    with pytest.raises(OutcomeUnknown):
        submitted(eden)
    [lost] = eden.jobs
    eden.fault = None
    for number in range(3):
        submitted(eden, client_token=f"attempt-{number}")
    found = adapter_of(eden).find(TOKEN, request=HAILUO, since=datetime.now(UTC))
    assert found is not None
    assert found.external_id == lost
    assert adapter_of(eden).find("nobody", request=HAILUO, since=datetime.now(UTC)) is None


def test_by_model_and_time_alone_nothing_is_found(eden: EdenAI) -> None:
    """It could be another customer's video."""
    submitted(eden)
    assert adapter_of(eden).find(TOKEN, request=HAILUO, since=datetime.now(UTC)) is None


@SHAPES
@PAGED
def test_the_list_is_read_to_its_end_newest_first(eden: EdenAI, shape: str | None, paged: bool) -> None:
    eden.list_shape, eden.list_has_pages, eden.list_shows_parameters = shape, paged, True
    eden.fault = Fault.STUCK
    for number in range(130):
        submitted(eden, client_token=f"attempt-{number}")
    now = datetime.now(UTC)
    found = adapter_of(eden).listed(now)
    assert [one.client_token for one in found] == [f"attempt-{number}" for number in reversed(range(130))]
    assert {one.state for one in found} == {RenderState.RUNNING}
    assert all(one.created_at and abs(one.created_at - now) < timedelta(minutes=1) for one in found)


def test_what_was_before_is_not_listed_and_not_read(eden: EdenAI) -> None:
    for number in range(250):
        submitted(eden, client_token=f"attempt-{number}")
    for number, job in enumerate(eden.jobs.values()):
        job.created_at -= (250 - number) * 60
    begun = len(eden.requests)
    found = adapter_of(eden).listed(datetime.now(UTC) - timedelta(minutes=20))
    assert 20 <= len(found) <= 23, "and what another clock puts a little earlier"
    pages = [request.query["page"] for request in eden.requests[begun:]]
    assert pages == [["1"], ["2"]], "the second has nothing that counts"


def test_a_list_of_more_than_a_thousand_is_read_for_a_thousand() -> None:
    job = {"status": "success", "created_at": "2026-11-20T10:00:00Z"}
    counter = iter(range(10**6))

    def endless(connection: Any, request: Any) -> None:
        items = [job | {"public_id": str(next(counter))} for _ in range(100)]
        answers(200, json.dumps({"items": items}).encode())(connection, request)

    with serving(endless) as server:
        found = EdenAIProvider(url=server.url, api_key=KEY, http=HTTP).listed(SINCE)
    assert len(found) == 1_000
    assert len(server.received) == 10


def test_behind_the_last_page_there_may_be_a_404() -> None:
    def paged(connection: Any, request: Any) -> None:
        item = b'{"items": [{"public_id": "1", "status": "success"}, {"status": "success"}, 5]}'
        (answers(200, item) if "page=1&" in request.line else answers(404))(connection, request)

    with serving(paged) as server:
        [only] = EdenAIProvider(url=server.url, api_key=KEY, http=HTTP).listed(SINCE)
    assert (only.external_id, only.created_at) == ("1", None)


# --- webhooks of the simulator ---


@pytest.mark.parametrize(
    ("fault", "deliveries", "believed"),
    [
        (None, 1, 1),
        (Fault.FAILED, 1, 1),
        (Fault.WEBHOOK_TWICE, 2, 2),
        (Fault.WEBHOOK_EARLY, 1, 1),
        (Fault.WEBHOOK_FORGED, 2, 1),
        (Fault.NO_WEBHOOK, 0, 0),
    ],
)
def test_webhooks_are_believed_when_they_are_signed(
    eden: EdenAI, fault: Fault | None, deliveries: int, believed: int
) -> None:
    eden.fault = fault
    with serving(answers(200)) as receiver:
        external_id = submitted(eden, callback_url=f"{receiver.url}/webhooks/edenai/token/")
        provider = adapter_of(eden)
        update = ended(provider, external_id)
        for _ in range(500):
            if len(receiver.received) >= deliveries:
                break
            eden.wait_closing(0.01)
        assert len(receiver.received) == deliveries
        updates = []
        for call in receiver.received:
            headers = dict(
                line.decode().split(": ", 1) for line in call.head.split(b"\r\n")[1:] if b": " in line
            )
            try:
                updates += provider.read_webhook(headers, call.body)
            except BadSignature:
                continue
    assert len(updates) == believed
    for one in updates:
        assert (one.external_id, one.state) == (external_id, update.state)
        assert one.client_token == TOKEN
    assert len({one.event_id for one in updates}) <= 2
