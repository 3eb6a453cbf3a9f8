"""Each thing that an edit does, seen in the result by value."""

from pathlib import Path

import av
import numpy as np
import pytest
import requests
from django.test import Client

from accounts.models import User
from credits import ledger
from generations import provenance
from generations.models import Asset, Generation
from pipeline.media.judgement import FILM_LOUDNESS_LUFS
from pipeline.models import VideoEdit
from tests.generations.conftest import CREDITS
from tests.pipeline.composition.films import RATE, lights, luma, planes
from tests.pipeline.composition.films import heard as sound_of
from tests.pipeline.edits_of_videos.conftest import (
    RIGHT,
    SIZE,
    MakeVideo,
    Workers,
    begun,
    downloaded,
    edited,
    ended,
    get,
    light,
    post,
)
from workers import clock


def size_of(path: Path) -> tuple[int, int]:
    with av.open(path) as video:
        return video.streams.video[0].width, video.streams.video[0].height


def pitch_of(path: Path) -> float:
    samples = sound_of(path)
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE / len(samples)


def test_a_piece_of_a_clip_at_half_its_speed_keeps_its_pitch_its_models_and_its_credentials(
    api: Client, owner: User, workers: Workers, video_of: MakeVideo, heard_video: Path, tmp_path: Path
) -> None:
    clip = video_of(heard_video, origin="generation", audio_codec="aac")
    made = post(api, "generations/", {"model": "sandbox/motion-1", "prompt": "A boat"}).json()["id"]
    now = clock.now()
    Generation.objects.filter(id=made).update(status="completed", ended_at=now, output=clip)

    last = edited(api, workers, clip, trim={"start_seconds": 0.5, "end_seconds": 1.5}, speed=0.5)

    path = downloaded(api, last, tmp_path)
    shown = luma(path)
    assert len(shown) == 60
    assert size_of(path) == SIZE
    left = lights(shown[:, :, : SIZE[0] // 2])
    # Each picture of the source is there twice, from its sixteenth on.
    assert np.abs(np.array(left) - [light(15 + frame // 2) for frame in range(60)]).max() < 4
    assert len(sound_of(path)) == pytest.approx(2 * RATE, abs=100)
    assert pitch_of(path) == pytest.approx(440, abs=3)
    assert last["video"]["duration_seconds"] == pytest.approx(2, abs=0.05)
    assert last["video"]["origin"] == "edit"
    stated = provenance.read(path)
    assert stated is not None
    assert (stated.sound, stated.kind, stated.earlier) == (True, "film", 1)
    assert list(stated.models) == ["sandbox/motion-1"]
    figures = VideoEdit.objects.get(id=last["id"]).figures
    assert figures["sound"]["loudness_lufs"] == pytest.approx(FILM_LOUDNESS_LUFS, abs=1)


def test_a_crop_keeps_exactly_its_pixels_and_a_grade_its_colours_with_the_sound_left_out(
    api: Client, workers: Workers, heard: Asset, tmp_path: Path
) -> None:
    box = {"x": SIZE[0] // 2 + 1, "y": 0, "width": 70, "height": 80}

    last = edited(api, workers, heard, crop=box, grade="monochrome", own_sound=0)

    path = downloaded(api, last, tmp_path)
    assert size_of(path) == (70, 80)
    shown = planes(path)
    assert shown.shape == (90, 120, 70)
    # Of the left half, which begins a pixel further left, nothing is seen.
    assert np.abs(shown[:, :80].astype(int) - shown[0, 40, 40]).max() <= 6
    assert abs(int(shown[0, 40, 40]) - RIGHT) < 15
    assert np.abs(shown[:, 80:].astype(int) - 128).max() <= 2
    assert np.abs(sound_of(path)).max() < 1e-4
    stated = provenance.read(path)
    assert stated is not None
    assert (stated.kind, list(stated.models), stated.earlier) == ("edit", [], 1)


def test_another_ratio_with_bars_texts_and_captions_in_their_time(
    api: Client, workers: Workers, silent: Asset, tmp_path: Path
) -> None:
    last = edited(
        api,
        workers,
        silent,
        ratio="9:16",
        fit="letterbox",
        texts=[{"text": "SALE", "position": "top", "start_seconds": 0, "end_seconds": 1}],
        captions={"lines": [{"text": "Now & here", "start_seconds": 1.5, "end_seconds": 2.5}]},
    )

    path = downloaded(api, last, tmp_path)
    shown = luma(path)
    assert shown.shape == (90, 160, 90)
    above, below = shown[:, :50], shown[:, 110:]
    assert above[:28].max() > 150, "the text"
    assert above[32:].max() < 40
    assert below[:43].max() < 40
    assert below[47:73].max() > 150, "the caption"
    assert below[77:].max() < 40
    assert abs(float(shown[60, 80, 70]) - RIGHT) < 6, "the picture between the bars"
    vtt = requests.get(last["video"]["captions_vtt_url"], timeout=30).text
    assert "00:00:01.500 --> 00:00:02.500\nNow &amp; here" in vtt
    srt = requests.get(last["video"]["captions_srt_url"], timeout=30).text
    assert "00:00:01,500 --> 00:00:02,500\nNow & here" in srt


def test_a_voice_an_effect_and_music_are_made_paid_for_as_quoted_and_used_again_for_nothing(
    api: Client, owner: User, workers: Workers, silent: Asset, tmp_path: Path
) -> None:
    wish = {
        "voice": [{"text": "A red boat", "start_seconds": 0.5}],
        "sound_effects": [{"text": "waves", "start_seconds": 1, "seconds": 1}],
        "music": "calm piano",
        "captions": {"from_voice": True},
        "effects": ["vignette"],
    }
    quote = post(api, f"videos/{silent.id}/edits/estimates/", wish).json()
    assert [part["part"] for part in quote["parts"]] == ["voice:v1", "effect:e1", "music", "composition"]
    assert [part["credits"] for part in quote["parts"]] == [10, 10, 20, 0]

    edit = begun(api, silent, **wish, quote_id=quote["quote_id"])

    accepted = get(api, f"edits/{edit}/").json()
    assert accepted["credits"]["held"] == quote["credits"] == 40
    last = ended(api, workers, edit)
    assert last["status"] == "completed", last
    assert last["credits"] == {**last["credits"], "quoted": 40, "used": 40, "held": 0, "released": 0}
    assert ledger.balance_of(owner.pk).balance == CREDITS - 40
    path = downloaded(api, last, tmp_path)
    figures = VideoEdit.objects.get(id=edit).figures
    assert figures["sound"]["loudness_lufs"] == pytest.approx(FILM_LOUDNESS_LUFS, abs=1)
    right = luma(path)[0, :, SIZE[0] // 2 :]
    assert right[:4, -4:].mean() < right[43:47, :4].mean() - 20, "the corners are darker than the middle"
    stated = provenance.read(path)
    assert stated is not None
    assert sorted(stated.models) == ["sandbox/effects", "sandbox/music", "sandbox/voice"]
    assert "A red boat" in requests.get(last["video"]["captions_vtt_url"], timeout=30).text

    # An edit of the edit: it has a sound of its own now, and the same words cost nothing.
    again = post(api, f"videos/{last['video']['id']}/edits/estimates/", {"music": "calm piano"}).json()
    assert (again["credits"], again["parts"][0]["reused"]) == (0, True)
    second = edited(api, workers, last["video"]["id"], music="calm piano", own_sound=0.5, ratio="1:1")
    path = downloaded(api, second, tmp_path)
    assert size_of(path) == (90, 90)
    stated = provenance.read(path)
    assert stated is not None
    assert sorted(stated.models) == ["sandbox/effects", "sandbox/music", "sandbox/voice"]
    assert stated.earlier == 1
