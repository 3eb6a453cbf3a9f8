"""The sandbox renders real video: what was asked for, in any script, and nothing else."""

import re
from dataclasses import replace
from io import BytesIO
from typing import Any

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from providers import http
from providers.contract import ControlValue, InputMedia, Mode, RenderRequest, RenderState, VideoProvider
from providers.errors import FailureCode, RenderFailed
from providers.sandbox.captions import LONGEST, caption_file
from providers.sandbox.orders import Order

from .sandbox import A_REQUEST, a_token, ended
from .servers import answers, serving


def rendered(sandbox: VideoProvider, request: RenderRequest) -> bytes:
    submission = sandbox.submit(request, client_token=a_token(), callback_url=None)
    update = ended(sandbox, submission.external_id, seconds=60)
    assert update.state is RenderState.SUCCEEDED, update.failure
    assert update.output is not None
    assert update.progress == 100
    file = BytesIO()
    downloaded = http.client().download(update.output, file, max_bytes=100 << 20)
    assert downloaded.media_type == "video/mp4"
    return file.getvalue()


def frames(content: bytes) -> list[Image.Image]:
    with av.open(BytesIO(content), mode="r") as container:
        return [frame.to_image() for frame in container.decode(video=0)]  # type: ignore[no-untyped-call]


def mean(image: Image.Image) -> tuple[float, ...]:
    """The colour of a picture, from 0 to 255 each of red, green and blue."""
    pixel: Any = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return tuple(pixel)


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("16:9", "480p", (854, 480)),
        ("9:16", "480p", (480, 854)),
        ("1:1", "480p", (480, 480)),
        ("4:5", "480p", (480, 600)),
        ("16:9", "720p", (1280, 720)),
        ("9:16", "1080p", (1080, 1920)),
        ("16:9", "4K", (3840, 2160)),
    ],
)
def test_the_picture_has_the_asked_ratio_and_resolution(
    sandbox: VideoProvider, ratio: str, resolution: str, size: tuple[int, int]
) -> None:
    content = rendered(sandbox, replace(A_REQUEST, ratio=ratio, resolution=resolution))
    with av.open(BytesIO(content), mode="r") as container:
        picture = container.streams.video[0]
        assert (picture.width, picture.height) == size
        assert (picture.codec_context.name, picture.profile, picture.pix_fmt) == ("h264", "High", "yuv420p")
        assert picture.average_rate == 24
        assert not container.streams.audio
    assert content.index(b"moov") < content.index(b"mdat"), "it plays before it is all there"


@pytest.mark.parametrize("seconds", [2, 5, 15])
@pytest.mark.parametrize("audio", [True, False])
def test_the_film_has_the_asked_length_and_sound(sandbox: VideoProvider, seconds: int, audio: bool) -> None:
    content = rendered(sandbox, replace(A_REQUEST, duration_seconds=seconds, audio=audio))
    with av.open(BytesIO(content), mode="r") as container:
        assert container.duration is not None
        assert abs(container.duration / 1_000_000 - seconds) <= 0.1
        assert [stream.codec_context.name for stream in container.streams.audio] == (["aac"] if audio else [])
        assert len(list(container.decode(video=0))) == seconds * 24


def test_the_picture_moves_and_carries_the_prompt(sandbox: VideoProvider) -> None:
    request = replace(A_REQUEST, prompt="READ ME", seed=7, controls={"seconds": 0, "motion_strength": 1})
    film = frames(rendered(sandbox, request))
    other = frames(rendered(sandbox, replace(request, prompt="another text, and a longer one")))
    assert mean_difference(film[6], film[-1]) > 2
    assert mean_difference(film[24], other[24]) > 0.5
    assert ImageStat.Stat(film[24].convert("L")).extrema[0][1] > 230, "white letters"


def mean_difference(first: Image.Image, second: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3


HARD_PROMPTS = [
    "it's \"quoted\" 'twice' and `back`",
    "drawtext=textfile=/etc/passwd:expansion=normal",
    "%{pts} %{file:/etc/passwd} \\N \\h \\n {\\b0\\p1} m 0 0 l 100 100 {\\r}",
    "a:b;c,d[e]f=g\\h|i&j$k(l)",
    "مرحبا بالعالم كيف حالك",
    "你好，世界。短い動画を作ってください。" * 12,
    "🚀🎬👩‍👩‍👧‍👦🏳️‍🌈 ✓ Z̸̡͎a̶l̷g̴o̵",
    "null\x00 bell\x07 escape\x1b[31m \u202ereversed\u202c \ud7ff \ufeff",
    "line one\nDialogue: 0,0:00:00.00,9:00:00.00,Prompt,,0,0,0,,injected\r\nline three",
    "word" * 1_250,
    "long prompt with words " * 200,
    "{" * 200,
    "\\",
]


@pytest.mark.parametrize("prompt", HARD_PROMPTS, ids=range(len(HARD_PROMPTS)))
def test_no_prompt_is_too_hard(sandbox: VideoProvider, prompt: str) -> None:
    assert len(frames(rendered(sandbox, replace(A_REQUEST, prompt=prompt)))) == 48


@pytest.mark.parametrize("prompt", HARD_PROMPTS, ids=range(len(HARD_PROMPTS)))
def test_no_prompt_is_more_than_text_in_its_caption(prompt: str) -> None:
    """One line of the file, no command of the format, and no longer than is readable."""
    order = Order(model="motion-1", prompt=prompt)
    lines = caption_file(order, 854, 480).splitlines()
    assert [line[:8] for line in lines[-2:]] == ["Dialogue", "Dialogue"]
    assert sum(line.startswith("Dialogue") for line in lines) == 2
    text = lines[-2].partition("{\\fad(400,0)}")[2]
    assert len(text) <= 2 * LONGEST
    assert not re.search(r"(?<!\\)[{}]|\\[^{}\u2060]|\\$", text)


@pytest.mark.parametrize("camera", ["static", "zoom_in", "zoom_out", "pan_left", "pan_right"])
def test_every_camera_keeps_the_size(sandbox: VideoProvider, camera: str) -> None:
    controls: dict[str, ControlValue] = {"camera": camera, "motion_strength": 1, "seconds": 0}
    film = frames(rendered(sandbox, replace(A_REQUEST, ratio="4:5", style="cinematic", controls=controls)))
    assert {frame.size for frame in film} == {(480, 600)}


def a_picture(colour: str, size: tuple[int, int] = (640, 480), kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def image(url: str) -> InputMedia:
    return InputMedia(url=url, media_type="image/png")


def test_a_film_starts_with_its_start_image(sandbox: VideoProvider) -> None:
    with serving(answers(200, a_picture("#c02020"), Content_Type="image/png")) as store:
        request = replace(A_REQUEST, mode=Mode.IMAGE, start_image=image(f"{store.url}/a.png?signature=1"))
        first = frames(rendered(sandbox, request))[0]
    assert all(abs(got - asked) < 8 for got, asked in zip(mean(first), (0xC0, 0x20, 0x20), strict=True))


def test_a_film_goes_from_its_start_image_to_its_end_image(sandbox: VideoProvider) -> None:
    with (
        serving(answers(200, a_picture("#c02020"))) as first_store,
        serving(answers(200, a_picture("#2030c0", (300, 900), "JPEG"))) as last_store,
    ):
        request = replace(
            A_REQUEST,
            mode=Mode.FIRST_LAST,
            start_image=image(f"{first_store.url}/a.png"),
            end_image=image(f"{last_store.url}/b.jpg"),
        )
        film = frames(rendered(sandbox, request))
    red, _, blue = mean(film[0])
    assert red > 150 > 60 > blue
    red, _, blue = mean(film[-1])
    assert blue > 150 > 60 > red


@pytest.mark.parametrize(
    "body",
    [b"no image", a_picture("red")[:200], b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a"],
)
def test_an_unreadable_image_is_a_failure_of_its_own(sandbox: VideoProvider, body: bytes) -> None:
    with serving(answers(200, body)) as store:
        request = replace(A_REQUEST, mode=Mode.IMAGE, start_image=image(f"{store.url}/a.png"))
        submission = sandbox.submit(request, client_token=a_token(), callback_url=None)
        update = ended(sandbox, submission.external_id)
    assert isinstance(update.failure, RenderFailed)
    assert update.failure.code is FailureCode.INPUT_UNREADABLE


def test_equal_orders_share_one_file(sandbox: VideoProvider) -> None:
    """So that a load test of thousands renders once."""
    request = replace(A_REQUEST, prompt=a_token(), resolution="720p", duration_seconds=15)
    rendered(sandbox, request)
    submission = sandbox.submit(
        replace(request, controls={"seconds": 0}), client_token=a_token(), callback_url=None
    )
    assert ended(sandbox, submission.external_id, seconds=0.5).state is RenderState.SUCCEEDED
