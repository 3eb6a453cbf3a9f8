"""The sandbox's adapter against the contract, and what is its own."""

import base64
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from providers.contract import CancelOutcome, Cost, Mode, RenderState, VideoProvider
from providers.errors import FailureCode, ReadFailed, RenderFailed, RequestRefused
from providers.http import Client
from providers.video.sandbox import STATES, SandboxProvider

from . import contract
from .contract import A_REQUEST, A_VIDEO, CALLBACK, KEY, TOKEN, VideoProviderContract
from .forgeries import Forgery, signed, standard_webhook_forgeries
from .sandbox import SINCE
from .servers import answers, serving

SECRET = "whsec_" + base64.b64encode(b"the sandbox's secret, 32 bytes..").decode()


class TestSandbox(VideoProviderContract):
    kind = SandboxProvider
    words = STATES

    def adapter(self, url: str, http: Client) -> VideoProvider:
        return SandboxProvider(url=url, api_key=KEY, webhook_secrets=[SECRET], http=http)

    def accepted(self, external_id: str) -> Any:
        return self.status(external_id, "accepted")

    def status(self, external_id: str, word: str, *, media: bool = True, url: str = A_VIDEO) -> Any:
        link = {"url": url, "expires_at": "2026-11-21T03:11:38+00:00"}
        return {
            "id": external_id,
            "status": word,
            "progress": 100 if word == "done" else 40,
            "client_reference": TOKEN,
            "video": link if word == "done" and media else None,
            "error": {"code": "content_policy"} if word == "error" else None,
            "cost": {"amount": "0.0500", "currency": "USD"} if word == "done" else None,
        }

    def webhook(self, external_id: str, word: str) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"type": f"video.{word}", "data": self.status(external_id, word)}).encode()
        return signed(SECRET, body, message_id="msg_9"), body

    def forgeries(self) -> list[Forgery]:
        _, body = self.webhook("id-1", "done")
        return list(standard_webhook_forgeries(SECRET, body))

    def test_the_client_token_comes_back(self) -> None:
        update = self.fetched(answers(200, self.body(self.status("id-1", "rendering"))))
        assert update.client_token == TOKEN
        assert update.progress == 40

    def test_the_vendors_cost_is_exact(self) -> None:
        update = self.fetched(answers(200, self.body(self.status("id-1", "done"))))
        assert update.cost == Cost(amount=Decimal("0.0500"), currency="USD")

    @pytest.mark.parametrize("progress", [-1, 101, "50", None, 3.5, [], True])
    def test_an_odd_percent_is_no_percent(self, progress: object) -> None:
        answer = self.status("id-1", "rendering") | {"progress": progress}
        assert self.fetched(answers(200, self.body(answer))).progress is None

    @pytest.mark.parametrize(
        ("code", "ours", "retryable"),
        [
            ("content_policy", FailureCode.MODERATED, False),
            ("internal", FailureCode.VENDOR_FAULT, True),
            ("input_unreadable", FailureCode.INPUT_UNREADABLE, False),
            ("a_new_code", FailureCode.VENDOR_FAULT, False),
        ],
    )
    def test_a_failure_has_our_code(self, code: str, ours: FailureCode, retryable: bool) -> None:
        answer = self.status("id-1", "error") | {"error": {"code": code}}
        failure = self.fetched(answers(200, self.body(answer))).failure
        assert isinstance(failure, RenderFailed)
        assert (failure.code, failure.retryable) == (ours, retryable)

    @pytest.mark.parametrize(
        ("code", "ours"),
        [
            ("content_policy", FailureCode.MODERATED),
            ("model_retired", FailureCode.MODEL_UNAVAILABLE),
            ("invalid_request", FailureCode.INVALID),
        ],
    )
    def test_a_refusal_has_our_code(self, code: str, ours: FailureCode) -> None:
        error = self.submitted(answers(422, self.body({"error": {"code": code}})))
        assert isinstance(error, RequestRefused)
        assert error.code is ours

    def test_a_cancel_that_comes_too_late_is_no_error(self) -> None:
        with serving(answers(409)) as server:
            assert self.at(server).cancel("id-1") is CancelOutcome.TOO_LATE

    def test_a_lost_submission_is_found_by_its_token(self) -> None:
        page = {"results": [self.status("id-1", "rendering")], "next_cursor": None}
        with serving(answers(200, self.body(page))) as server:
            found = self.at(server).find(TOKEN, request=A_REQUEST, since=SINCE)
        assert found is not None
        assert (found.external_id, found.state) == ("id-1", RenderState.RUNNING)
        assert server.received[0].line == f"GET /v1/videos?client_reference={TOKEN} HTTP/1.1"

    def test_what_was_never_accepted_is_not_found(self) -> None:
        with serving(answers(200, b'{"results": []}')) as server:
            assert self.at(server).find(TOKEN, request=A_REQUEST, since=SINCE) is None

    def test_a_look_up_that_makes_no_sense_is_not_proof_of_absence(self) -> None:
        with serving(answers(200, b'{"error": "busy"}')) as server, pytest.raises(ReadFailed):
            self.at(server).find(TOKEN, request=A_REQUEST, since=SINCE)

    def test_a_webhook_has_its_deliverys_id(self) -> None:
        headers, body = self.webhook("id-1", "done")
        [update] = self.at("http://127.0.0.1:9").read_webhook(headers, body)
        assert update.event_id == "msg_9"

    @pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"data": 1}', b'{"data": {"id": 5}}'])
    def test_a_signed_webhook_that_makes_no_sense_is_not_obeyed(self, body: bytes) -> None:
        with pytest.raises(ReadFailed):
            self.at("http://127.0.0.1:9").read_webhook(signed(SECRET, body), body)

    def test_controls_of_the_sandbox_go_beside_its_options(self) -> None:
        request = replace(
            A_REQUEST,
            mode=Mode.FIRST_LAST,
            start_image=contract.IMAGE,
            end_image=replace(contract.IMAGE, url="https://store.example/end.png"),
            controls={"camera": "pan_left", "motion_strength": 0.2, "fault": "slow", "seconds": 3},
        )
        with serving(answers(201, self.body(self.accepted("id-1")))) as server:
            self.at(server).submit(request, client_token=TOKEN, callback_url=CALLBACK)
        sent = json.loads(server.received[0].body)
        assert sent["sandbox"] == {"fault": "slow", "seconds": 3}
        assert (sent["camera"], sent["motion_strength"]) == ("pan_left", 0.2)
        assert (sent["first_frame"], sent["last_frame"]) == (
            contract.IMAGE.url,
            "https://store.example/end.png",
        )
        assert (sent["client_reference"], sent["callback_url"]) == (TOKEN, CALLBACK)
