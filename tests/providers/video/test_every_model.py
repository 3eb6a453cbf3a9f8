"""Whatever a living model claims in the catalogue, its vendor takes, makes and delivers; and nothing else is sent.

By our own adapters as the registry makes them, against the vendors' simulators, which are as strict as the vendors.
"""

import io
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import pytest
from pytest_django import Settings

from providers import http, registry
from providers.catalogue import MODELS, ChoiceControl, Control, NumberControl, VideoModel
from providers.contract import ControlValue, InputMedia, Mode, RenderRequest, RenderState, VideoProvider
from providers.errors import RateLimited, UnsupportedFeature
from providers.http import ClientConfig
from providers.vendors import VIDEO_PROVIDERS
from tests.providers.servers import answers, serving
from tests.vendors import VIDEO_VENDORS
from tests.vendors.video import VideoVendor, clip

NOW = datetime.now(UTC)
LIVING = [model for model in MODELS.values() if model.provider in VIDEO_VENDORS and model.is_available(NOW)]
EACH = pytest.mark.parametrize("model", LIVING, ids=[model.id for model in LIVING])
# Requests of one model, all modes together; a few more where an option is tried alone.
MOST = 40
# Whole, within what the API takes, and 12,345 within what every vendor takes.
SEEDS = (12_345, 0, 2**31 - 1)
SENTENCE = "A paper boat crosses a puddle in the rain. "
UNFINISHED = (RenderState.QUEUED, RenderState.RUNNING)


@cache
def _png(ratio: str) -> bytes:
    """A real picture of this shape; its shorter side has 720 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    across, _, down = ratio.partition(":")
    shape = (int(across), int(down)) if across.isdecimal() and down.isdecimal() else (16, 9)
    width, height = (round(720 * side / min(shape)) for side in shape)
    rows = b"".join(b"\x00" + bytes((row % 256, 96, 160)) * width for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    """Where inputs lie, for HEAD and GET: `a.mp4`, and pictures as `16:9/first.png`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            is_film = path == "/a.mp4"
            media_type, content = (
                ("video/mp4", clip()) if is_film else ("image/png", _png(path.split("/")[1]))
            )
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                with suppress(OSError):
                    self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def callback() -> Iterator[str]:
    with serving(answers(204, b"")) as server:
        yield f"{server.url}/webhooks/attempt-1/"


@pytest.fixture(scope="module", autouse=True)
def loopback() -> Iterator[None]:
    """The process's client may reach this machine, as long as these tests run."""
    before = http._config
    http.configure(ClientConfig(allow_loopback=True, allowed_origins=before.allowed_origins))
    yield
    http.configure(before)


@dataclass
class Bench:
    """One vendor's simulator at a time, and the adapter that leads to it."""

    model: VideoModel
    settings: Settings
    shelf: str
    callback: str
    _stack: ExitStack

    def __post_init__(self) -> None:
        self.fresh()

    def fresh(self) -> None:
        """Another simulator, that has counted no request yet."""
        self._stack.close()
        self.vendor: VideoVendor = self._stack.enter_context(VIDEO_VENDORS[self.model.provider]())
        self.vendor.seconds = 0.004
        for name, value in self.vendor.environment().items():
            setattr(self.settings, name, value)
        self.adapter: VideoProvider = registry.provider(self.model.provider)
        self.earlier = ""

    def picture(self, name: str, ratio: str) -> InputMedia:
        return InputMedia(url=f"{self.shelf}/{quote(ratio)}/{name}.png?signature=1", media_type="image/png")

    def film(self) -> InputMedia:
        """A source video, that the vendor has made earlier too."""
        return InputMedia(
            url=f"{self.shelf}/a.mp4?signature=1",
            media_type="video/mp4",
            vendor_id=self.earlier or "earlier-1",
        )

    def plain(
        self, model: VideoModel, mode: Mode, resolution: str, ratio: str, seconds: int
    ) -> RenderRequest:
        """A request without options."""
        return RenderRequest(
            model=model.vendor_model,
            mode=mode,
            prompt=SENTENCE[: model.max_prompt_length].strip(),
            duration_seconds=seconds,
            resolution=resolution,
            ratio=ratio,
            start_image=self.picture("first", ratio) if mode in (Mode.IMAGE, Mode.FIRST_LAST) else None,
            end_image=self.picture("last", ratio) if mode is Mode.FIRST_LAST else None,
            source_video=self.film() if mode is Mode.VIDEO else None,
        )

    def delivered(self, request: RenderRequest, *, webhook: bool) -> str:
        """Ask for it, follow it to its end and download it; its id at the vendor. Raises UnsupportedFeature."""
        try:
            external_id = self._submitted(request, webhook=webhook)
        except RateLimited:
            # As many in a minute as the vendor takes.
            self.fresh()
            external_id = self._submitted(request, webhook=webhook)
        update = self.adapter.fetch(external_id)
        deadline = time.monotonic() + 10
        while update.state in UNFINISHED:
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.002)
            update = self.adapter.fetch(external_id)
        assert (update.state, update.failure) == (RenderState.SUCCEEDED, None), request
        assert update.output is not None
        content = io.BytesIO()
        http.client().download(update.output, content, max_bytes=10_000_000)
        assert content.getvalue()[4:8] == b"ftyp"
        return external_id

    def _submitted(self, request: RenderRequest, *, webhook: bool) -> str:
        if request.source_video is not None:
            self._make_one_earlier()
            request = replace(request, source_video=self.film())
        asked = len(self.vendor.requests)
        try:
            return self.adapter.submit(
                request,
                client_token=f"{self.vendor.number():032x}",
                callback_url=self.callback if webhook else None,
            ).external_id
        except UnsupportedFeature:
            assert len(self.vendor.requests) == asked, "refused, but something was sent"
            raise

    def _make_one_earlier(self) -> None:
        if self.earlier:
            return
        for model in sorted(LIVING, key=lambda one: one is not self.model):
            if model.provider == self.model.provider:
                for mode in (Mode.TEXT, Mode.IMAGE):
                    shape = next(_shapes(model, mode), None) if mode in model.modes else None
                    if shape is not None:
                        request = self.plain(model, mode, *shape)
                        self.earlier = self.delivered(request, webhook=model.webhook_expected)
                        return


@pytest.fixture
def bench(model: VideoModel, settings: Settings, shelf: str, callback: str) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(model, settings, shelf, callback, stack)


def _shapes(model: VideoModel, mode: Mode) -> Iterator[tuple[str, str, int]]:
    """Each resolution, ratio and extreme of length together; where MOST forbids that, they take turns."""
    offered = [one for one in model.resolutions if model.durations_for(mode, one)]
    share = MOST // len(model.modes)
    for row, resolution in enumerate(offered):
        lengths = model.durations_for(mode, resolution)
        extremes = sorted({lengths[0], lengths[-1]})
        ratios = list(model.ratios)
        if len(offered) * len(ratios) * len(extremes) <= share:
            yield from ((resolution, ratio, seconds) for ratio in ratios for seconds in extremes)
            continue
        if len(offered) * len(ratios) > share:
            ratios = ratios[row % len(ratios) :: len(offered)]
        for column in range(max(len(extremes), len(ratios))):
            yield resolution, ratios[column % len(ratios)], extremes[(row + column) % len(extremes)]


Option = tuple[str, str, ControlValue]
"""A field of the request, the control's name if it is `controls`, and its value."""


def _axes(model: VideoModel) -> Sequence[Sequence[Option]]:
    """The options that the model claims, and of each all values, or its extremes."""
    axes: list[list[Option]] = []
    if model.styles:
        axes.append([("style", "", style) for style in model.styles])
    if model.negative_prompt:
        axes.append([("negative_prompt", "", "rain, crowds")])
    axes += [[(name, "", True)] for name in ("audio", "enhance") if getattr(model, name)]
    if model.seed:
        axes.append([("seed", "", seed) for seed in SEEDS])
    axes += [
        [("controls", control.name, value) for value in _extremes(control)] for control in model.controls
    ]
    return axes


def _extremes(control: Control) -> Sequence[ControlValue]:
    match control:
        case ChoiceControl():
            return control.choices
        case NumberControl():
            return [control.read(control.minimum), control.read(control.maximum)]
        case _:
            return [True, False]


def _with(request: RenderRequest, options: Sequence[Option]) -> RenderRequest:
    fields: dict[str, Any] = {field: value for field, _, value in options if field != "controls"}
    controls = {name: value for field, name, value in options if field == "controls"}
    return replace(request, **fields, controls=controls)


def _rows(model: VideoModel, shapes: Mapping[Mode, int]) -> Iterator[tuple[Mode, Sequence[Option]]]:
    """The options of each request: each axis has a turn without, and none goes along with another always."""
    axes = _axes(model)
    longest = max((len(axis) + 1 for axis in axes), default=1)
    number = 0
    for mode in sorted(model.modes):
        share = min(MOST // len(model.modes), max(shapes[mode], -(-longest // len(model.modes))))
        for _ in range(max(shapes[mode], share)):
            chosen: list[Option] = []
            for place, axis in enumerate(axes):
                turn = (number + (number // (len(axis) + 1)) * (place + 1)) % (len(axis) + 1)
                chosen += [axis[turn]] if turn < len(axis) else []
            yield mode, chosen
            number += 1


@EACH
def test_everything_that_a_model_claims_is_taken_made_and_delivered(bench: Bench, model: VideoModel) -> None:
    """Options that don't go together may be refused by name; then the same goes without, and each alone."""
    shapes = {mode: list(_shapes(model, mode)) for mode in model.modes}
    taken: set[Option] = set()
    places = dict.fromkeys(model.modes, 0)
    for mode, options in _rows(model, {mode: len(found) for mode, found in shapes.items()}):
        shape = shapes[mode][places[mode] % len(shapes[mode])]
        plain = bench.plain(model, mode, *shape)
        if places[mode] == 0:
            plain = replace(plain, prompt=_longest_prompt(model, shape[2]))
        places[mode] += 1
        if options:
            try:
                bench.delivered(_with(plain, options), webhook=model.webhook_expected)
                taken.update(options)
                continue
            except UnsupportedFeature:
                pass
        bench.delivered(plain, webhook=model.webhook_expected)
    for axis in _axes(model):
        for option in axis:
            if option not in taken and _alone(bench, model, shapes, option):
                taken.add(option)
    missing = {option for axis in _axes(model) for option in axis} - taken
    # A seed may be out of a vendor's range; that it takes seeds is claimed.
    assert {option for option in missing if option[0] != "seed" or option[2] == SEEDS[0]} == set()


@EACH
def test_an_end_image_alone_is_taken_where_it_is_claimed(bench: Bench, model: VideoModel) -> None:
    if Mode.FIRST_LAST not in model.modes:
        return
    request = replace(
        bench.plain(model, Mode.FIRST_LAST, *next(_shapes(model, Mode.FIRST_LAST))), start_image=None
    )
    if model.end_image_alone:
        bench.delivered(request, webhook=model.webhook_expected)
    else:
        _refused(bench, request)


@EACH
def test_what_a_model_does_not_claim_is_refused_by_name_before_anything_is_sent(
    bench: Bench, model: VideoModel
) -> None:
    for mode in sorted(model.modes):
        plain = bench.plain(model, mode, *next(_shapes(model, mode)))
        for claimed, options in (
            (model.negative_prompt, {"negative_prompt": "rain"}),
            (model.audio, {"audio": True}),
            (model.enhance, {"enhance": True}),
            (model.seed, {"seed": SEEDS[0]}),
            (model.styles, {"style": "cinematic"}),
            (False, {"style": "a style of nobody's"}),
            (False, {"controls": {"a control of nobody's": 1}}),
        ):
            if not claimed:
                _refused(bench, replace(plain, **options))
    known = next(_shapes(model, sorted(model.modes)[0]))
    for mode in sorted(set(Mode) - model.modes):
        _refused(bench, bench.plain(model, mode, *known))


@pytest.mark.parametrize("name", sorted(VIDEO_VENDORS))
def test_a_vendor_with_a_simulator_has_models(name: str) -> None:
    assert VIDEO_VENDORS[name].name == name
    assert any(model.provider == name for model in MODELS.values())


def test_every_vendor_of_the_table_has_a_simulator(settings: Settings) -> None:
    """But the sandbox, which is one."""
    assert VIDEO_PROVIDERS.keys() - {"sandbox"} - settings.MORE_VIDEO_PROVIDERS.keys() == VIDEO_VENDORS.keys()


def _alone(
    bench: Bench, model: VideoModel, shapes: Mapping[Mode, Sequence[tuple[str, str, int]]], option: Option
) -> bool:
    """Whether some mode takes the option with nothing else."""
    for mode in sorted(model.modes):
        for shape in (shapes[mode][0], shapes[mode][-1]):
            with suppress(UnsupportedFeature):
                bench.delivered(
                    _with(bench.plain(model, mode, *shape), [option]), webhook=model.webhook_expected
                )
                return True
    return False


def _refused(bench: Bench, request: RenderRequest) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        bench.adapter.submit(request, client_token="0" * 32, callback_url=None)
    assert refusal.value.feature
    assert bench.vendor.requests == [], refusal.value.feature


def _longest_prompt(model: VideoModel, seconds: int) -> str:
    limit = model.max_prompt_length
    if model.spoken_characters_per_second is not None:
        limit = min(limit, seconds * model.spoken_characters_per_second)
    repeated = (SENTENCE * (limit // len(SENTENCE) + 1))[:limit]
    return repeated[:-1] + "." if repeated else ""
