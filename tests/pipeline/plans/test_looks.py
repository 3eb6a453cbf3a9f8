"""How a film looks: what may be said of it, what that costs, and that films from before it stay what they were."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.media.composition.vocabulary import (
    Animation,
    EffectKind,
    Fit,
    Position,
    TransitionKind,
)
from pipeline.plans import phrases
from pipeline.plans.assembly import Draft, assemble
from pipeline.plans.differences import differences, stale
from pipeline.plans.edits import EditRefused, Edits, apply
from pipeline.plans.film import Film, Preference, digest, digests, from_json, to_json
from pipeline.plans.offers import priced
from pipeline.plans.validation import Unrenderable, problems

from .cast import EXACT, NOTHING, film, segment

# A plan as it was stored before there were animations, effects, speeds and fits, and its digests from then.
STORED = {
    "title": "Film",
    "story": "",
    "style": "",
    "ratio": "9:16",
    "resolution": "720p",
    "preference": "balanced",
    "segments": [
        {
            "id": "s1",
            "story": "Scene 1",
            "prompt": "What is seen in 1",
            "negative_prompt": "",
            "content_type": "other",
            "seconds": 5.0,
            "clip_seconds": 5,
            "character": False,
            "continuity": "cut",
            "model": "vendor/exact",
            "alternatives": [],
            "reason": "",
            "camera": "",
            "transition": {"kind": "cut", "seconds": 0.0},
            "overlays": [{"text": "Sale", "position": "top", "start_seconds": 0.5, "end_seconds": 2.0}],
        },
        {
            "id": "s2",
            "story": "Scene 2",
            "prompt": "What is seen in 2",
            "negative_prompt": "",
            "content_type": "other",
            "seconds": 5.0,
            "clip_seconds": 5,
            "character": False,
            "continuity": "previous_frame",
            "model": "vendor/exact",
            "alternatives": [],
            "reason": "",
            "camera": "pan left",
            "transition": {"kind": "wipe", "seconds": 0.5},
            "overlays": [],
        },
    ],
    "audio": {"strategy": "music", "voice": "", "script": [], "effects": [], "music": "Calm"},
    "post": {"grade": "warm", "captions": True},
}
DIGESTS = {
    "s1": "735376b68a47e0d369700014cc75e9f5f6430c7154096dcace072cf04b515e3f",
    "s2": "7f62ab4ee79d356bd055ae2d00d51a90e6a8f81e15d42233ac79353aeaf68a5e",
    "audio": "05cf3849b18ced418430b4712cbf19b21d20c5ac87fdb9662ec2f70e9f4675bd",
    "post": "f6e6f85000828cc18720e1a19d95905d149e3515cb6f2c4d59937b24d2c4c5b7",
}
DIGEST = "10d044eb4feadc953cb429f23bb5cf93f925c864eab73bbb67b0ebce4b6001ca"


def edited(one: Film, *edits: dict[str, Any]) -> Film:
    return apply(one, Edits.model_validate(edits).root, EXACT, NOTHING)


def test_a_plan_from_before_has_the_digests_that_it_always_had() -> None:
    old = from_json(STORED)
    assert digests(old) == DIGESTS
    assert digest(old) == DIGEST
    # And once it is stored with what was added since.
    again = from_json(to_json(old))
    assert again == old
    assert (digests(again), digest(again)) == (DIGESTS, DIGEST)


@pytest.mark.parametrize(
    "edit",
    [
        {"op": "set_picture_effects", "segment": "s2", "effects": ["zoom_in", "grain"]},
        {"op": "set_picture_effects", "segment": "all", "effects": ["vignette"]},
        {"op": "set_speed", "segment": "s2", "speed": 0.5},
        {"op": "set_fit", "fit": "letterbox"},
        {"op": "set_transition", "segment": "s2", "kind": "pixelate"},
        {
            "op": "set_overlay",
            "segment": "s1",
            "text": "Hi",
            "position": "top_left",
            "animation": "typewriter",
        },
    ],
    ids=lambda edit: str(edit["op"]),
)
def test_another_look_is_composed_anew_and_makes_no_clip(edit: dict[str, Any]) -> None:
    after = edited(film(), edit)
    assert after != film()
    assert stale(film(), after) == {"post"}
    assert priced(after, EXACT, stale(film(), after)).credits == 0
    assert digest(after) != digest(film())


def test_a_text_that_only_moves_differently_is_composed_anew() -> None:
    words = {"op": "set_overlay", "segment": "s1", "text": "Hi"}
    still, moving = edited(film(), words), edited(film(), {**words, "animation": "slide"})
    assert stale(still, moving) == {"post"}


def test_slow_motion_keeps_the_clip_that_is_there_through_later_looks() -> None:
    slow = edited(film(), {"op": "set_speed", "segment": "s2", "speed": 0.25})
    after = edited(
        slow,
        {"op": "set_overlay", "segment": "s2", "text": "Hi"},
        {"op": "remove_overlays", "segment": "all"},
        {"op": "set_picture_effects", "segment": "all", "effects": ["grain"]},
    )
    assert after.segments[1].clip_seconds == 5
    assert stale(film(), after) == {"post"}


def test_a_faster_clip_has_to_be_as_much_longer() -> None:
    after = edited(film(), {"op": "set_speed", "segment": "s2", "speed": 2})
    assert after.segments[1].clip_seconds == 10
    assert after.seconds == film().seconds
    assert stale(film(), after) == {"s2", "post"}
    with pytest.raises(EditRefused, match=r"No model can make 20 s"):
        edited(film(), {"op": "set_speed", "segment": "s2", "speed": 4})


def test_a_clip_that_is_too_short_for_its_speed_is_no_plan() -> None:
    wrong = film(segment(1, speed=1.5))
    (problem,) = problems(wrong, EXACT, NOTHING)
    assert problem.field == "segments.s1.clip_seconds"
    assert problem.reason == "A clip of 5 s can't show 5 s at 1.5 times its speed."


def test_a_longer_segment_takes_its_speed_along() -> None:
    slow = edited(film(), {"op": "set_speed", "segment": "s1", "speed": 0.5})
    after = edited(slow, {"op": "retime", "segment": "s1", "seconds": 12})
    assert (after.segments[0].clip_seconds, after.segments[0].speed) == (6, 0.5)


def test_what_is_new_begins_without_the_looks_of_its_neighbour() -> None:
    looks = edited(
        film(),
        {"op": "set_speed", "segment": "s1", "speed": 0.5},
        {"op": "set_picture_effects", "segment": "s1", "effects": ["blur"]},
        {"op": "add", "after": "s1", "prompt": "A whale"},
    )
    new = looks.segments[1]
    assert (new.speed, new.effects, new.clip_seconds) == (1.0, (), 5)


@pytest.mark.parametrize(
    ("effects", "reason"),
    [
        (["blur", "blur"], "once"),
        (["zoom_in", "zoom_out"], "in and out"),
        (["blur", "grain", "vignette", "zoom_in"], "at most 3"),
        (["sparkle"], "vignette"),
    ],
)
def test_effects_that_do_not_go_together_are_refused(effects: list[str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        segment(1, effects=effects)
    with pytest.raises(ValidationError, match=reason):
        edited(film(), {"op": "set_picture_effects", "segment": "s1", "effects": effects})


@pytest.mark.parametrize("speed", [0.2, 4.1, float("nan")])
def test_a_speed_has_bounds(speed: float) -> None:
    with pytest.raises(ValidationError, match="speed"):
        segment(1, speed=speed)


def test_every_place_and_animation_of_a_text_is_kept_and_each_place_has_one() -> None:
    after = film()
    for number, place in enumerate(Position):
        animation = list(Animation)[number % len(Animation)]
        words = {"op": "set_overlay", "segment": "s1", "position": place, "animation": animation}
        after = edited(after, {**words, "text": "Old"}, {**words, "text": str(place)})
    texts = from_json(to_json(after)).segments[0].overlays
    assert [(over.position, over.text) for over in texts] == [(place, str(place)) for place in Position]
    assert {over.animation for over in texts} == set(Animation)


def test_a_draft_says_how_its_scenes_look() -> None:
    scene = {"story": "A", "prompt": "A boat", "seconds": 4}
    draft = Draft.model_validate(
        {
            "title": "Film",
            "scenes": [
                {**scene, "picture_effects": ["zoom_in"], "speed": 0.5},
                {**scene, "transition": {"kind": "circle", "seconds": 0.5}},
                {
                    **scene,
                    "overlays": [{"text": "End", "end_seconds": 3, "animation": "karaoke"}],
                    "speed": 2,
                },
            ],
            "post": {"fit": "letterbox"},
        }
    )
    made = assemble(
        draft, ratio="9:16", resolution="720p", preference=Preference.QUALITY, offers=EXACT, inputs=NOTHING
    )
    one, two, three = made.segments
    assert (one.effects, one.speed, one.clip_seconds) == ((EffectKind.ZOOM_IN,), 0.5, 2)
    assert two.transition.kind == TransitionKind.CIRCLE
    assert (three.overlays[0].animation, three.clip_seconds) == (Animation.KARAOKE, 8)
    assert made.post.fit == Fit.LETTERBOX


def test_a_draft_that_no_clip_is_long_enough_for_is_said() -> None:
    scene = {"story": "A", "prompt": "A boat", "seconds": 10, "speed": 3}
    draft = Draft.model_validate({"title": "Film", "scenes": [scene]})
    with pytest.raises(Unrenderable, match="No model can make 30 s"):
        assemble(
            draft, ratio="9:16", resolution="720p", preference=Preference.PRICE, offers=EXACT, inputs=NOTHING
        )


def test_differences_name_the_looks() -> None:
    after = edited(
        film(),
        {"op": "set_speed", "segment": "s1", "speed": 0.5},
        {"op": "set_picture_effects", "segment": "s1", "effects": ["blur"]},
        {"op": "set_fit", "fit": "letterbox"},
    )
    found = {(one.part, one.field): (one.before, one.after) for one in differences(film(), after)}
    assert found == {
        ("s1", "speed"): (1.0, 0.5),
        ("s1", "effects"): ([], ["blur"]),
        ("post", "fit"): ("crop", "letterbox"),
    }


def asked(words: str, one: Film | None = None) -> list[dict[str, Any]]:
    """What the words ask for."""
    understood = phrases.understand(words, one or film())
    return [edit.model_dump(mode="json") for edit in understood.edits]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("circle between all scenes", "circle"),
        ("a radial wipe between all scenes", "radial"),
        ("pixelate between all scenes", "pixelate"),
        ("blur between all scenes", "blur"),
        ("zoom transitions everywhere", "zoom"),
        ("fade through black between all scenes", "fade_black"),
        ("through white between all scenes", "fade_white"),
        ("wipe left between all scenes", "wipe"),
        ("wipe to the right between all scenes", "wipe_right"),
        ("wipe up between all scenes", "wipe_up"),
        ("wipes down everywhere", "wipe_down"),
        ("slide left between all scenes", "slide"),
        ("slide right between all scenes", "slide_right"),
        ("slide upwards between all scenes", "slide_up"),
        ("slide down between all scenes", "slide_down"),
        ("cross-fade between all scenes", "dissolve"),
        ("hard cuts everywhere", "cut"),
    ],
)
def test_every_transition_has_its_words(words: str, kind: str) -> None:
    (edit,) = asked(words)
    assert (edit["op"], edit["segment"], edit["kind"]) == ("set_transition", "all", kind)


@pytest.mark.parametrize(
    ("words", "segment_id", "speed"),
    [
        ("slow motion in scene 3", "s3", 0.5),
        ("super slow motion in scene 3", "s3", 0.25),
        ("slow motion", "all", 0.5),
        ("show scene 2 in slow motion", "s2", 0.5),
        ("speed up scene 2", "s2", 2.0),
        ("play everything at half speed", "all", 0.5),
        ("scene 2 at twice the speed", "s2", 2.0),
        ("play scene 1 at normal speed", "s1", 1.0),
        ("play the last scene 1.5 times as fast", "s3", 1.5),
    ],
)
def test_speeds_have_their_words(words: str, segment_id: str, speed: float) -> None:
    (edit,) = asked(words)
    assert edit == {"op": "set_speed", "segment": segment_id, "speed": speed}


def test_effects_are_added_to_those_that_are_there() -> None:
    one = film(segment(1), segment(2, effects=["zoom_in", "grain"]), segment(3))
    assert asked("blur scene 2", one)[0]["effects"] == ["zoom_in", "grain", "blur"]
    assert asked("zoom out of scene 2", one)[0]["effects"] == ["grain", "zoom_out"]
    assert asked("no zoom in scene 2", one)[0]["effects"] == ["grain"]
    assert asked("remove all effects from scene 2", one)[0]["effects"] == []
    everywhere = {edit["segment"]: edit["effects"] for edit in asked("add a vignette everywhere", one)}
    assert everywhere == {"s1": ["vignette"], "s2": ["zoom_in", "grain", "vignette"], "s3": ["vignette"]}
    assert asked("add grain to all scenes") == [
        {"op": "set_picture_effects", "segment": "all", "effects": ["grain"]}
    ]


def test_a_fourth_effect_is_said_to_be_too_many() -> None:
    one = film(segment(1, effects=["zoom_in", "grain", "vignette"]))
    understood = phrases.understand("blur scene 1", one)
    assert understood.edits == ()
    assert "at most 3" in understood.reply


@pytest.mark.parametrize(
    ("words", "position", "animation"),
    [
        ("write “Sale” on scene 1", "bottom", "none"),
        ("typewriter text “Sale” on scene 1", "bottom", "typewriter"),
        ("write “Sale” on scene 1 in the middle, fading in", "centre", "fade"),
        ("show “Sale” at the top right of scene 1 word by word", "top_right", "karaoke"),
        ("put “Top left” sliding in at the bottom-left of scene 1", "bottom_left", "slide"),
    ],
)
def test_texts_have_a_place_and_a_movement(words: str, position: str, animation: str) -> None:
    (edit,) = asked(words)
    assert (edit["op"], edit["segment"]) == ("set_overlay", "s1")
    assert (edit["position"], edit["animation"]) == (position, animation)


@pytest.mark.parametrize(
    ("words", "fit"),
    [
        ("black bars instead of cropping", "letterbox"),
        ("letterbox it", "letterbox"),
        ("don't crop", "letterbox"),
        ("please use black bars", "letterbox"),
        ("no black bars", "crop"),
        ("crop instead of black bars", "crop"),
        ("fill the screen", "crop"),
    ],
)
def test_bars_or_a_crop_have_their_words(words: str, fit: str) -> None:
    assert asked(words) == [{"op": "set_fit", "fit": fit}]


@pytest.mark.parametrize(
    "words",
    [
        "scene 2: a camera that zooms in on a face in slow motion",
        "change scene 2 to a blurred street at night with film grain",
        "change scene 2 to a diver in slow motion under black bars of light",
        "add a scene at the end with a slow zoom into a vignette",
    ],
)
def test_what_a_scene_shows_is_no_look(words: str) -> None:
    (edit,) = asked(words)
    assert edit["op"] in ("change_prompt", "add")
