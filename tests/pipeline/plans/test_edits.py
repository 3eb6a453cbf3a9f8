"""Edits, by hand or by words: what each does, refuses, and makes stale."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.media.composition.vocabulary import Animation, EffectKind, Position, TransitionKind
from pipeline.plans import phrases
from pipeline.plans.differences import differences, stale
from pipeline.plans.edits import EditRefused, Edits, apply
from pipeline.plans.film import Continuity, Film, from_json, to_json
from pipeline.plans.offers import priced
from pipeline.plans.validation import Inputs, Unrenderable, problems

from .cast import EXACT, NOTHING, film, segment


def edited(one: Film, *edits: dict[str, Any], inputs: Inputs = NOTHING) -> Film:
    return apply(one, Edits.model_validate(edits).root, EXACT, inputs)


def ids(one: Film) -> list[str]:
    return [part.id for part in one.segments]


def test_a_prompt_makes_its_own_clip_stale_and_no_other() -> None:
    after = edited(film(), {"op": "change_prompt", "segment": "s2", "prompt": "A whale"})
    assert stale(film(), after) == {"s2"}


def test_what_begins_with_the_last_frame_of_a_stale_clip_is_stale_too() -> None:
    before = film(segment(1), segment(2, continuity="previous_frame"), segment(3))
    after = edited(before, {"op": "change_prompt", "segment": "s1", "prompt": "A whale"})
    assert stale(before, after) == {"s1", "s2"}


def test_other_looks_make_no_clip_stale() -> None:
    for edit in (
        {"op": "set_grade", "grade": "warm"},
        {"op": "set_transition", "segment": "all", "kind": "fade"},
        {"op": "set_overlay", "segment": "s1", "text": "Sale"},
        {"op": "set_captions", "captions": True},
    ):
        assert stale(film(), edited(film(), edit)) == {"post"}, edit


def test_music_makes_only_the_sound_stale() -> None:
    assert stale(film(), edited(film(), {"op": "set_music", "music": "calm"})) == {"audio"}


def test_a_split_shows_what_one_clip_showed() -> None:
    before = film(segment(1, seconds=9, clip_seconds=9))
    after = edited(before, {"op": "split", "segment": "s1", "at_seconds": 4})
    assert [(one.seconds, one.continuity) for one in after.segments] == [
        (4, Continuity.CUT),
        (5, Continuity.PREVIOUS_FRAME),
    ]
    assert edited(after, {"op": "merge", "segment": "s1"}).seconds == 9


def test_a_move_keeps_every_clip() -> None:
    after = edited(film(), {"op": "move", "segment": "s3", "position": 1})
    assert ids(after) == ["s3", "s1", "s2"]
    assert not stale(film(), after) & set(ids(after))


def test_what_comes_first_begins_with_itself() -> None:
    before = film(segment(1), segment(2, continuity="previous_frame", transition={"kind": "cut"}))
    after = edited(before, {"op": "remove", "segment": "s1"})
    assert after.segments[0].continuity == Continuity.CUT


def test_a_removed_segments_lines_go_with_it() -> None:
    audio = {
        "strategy": "voice_over",
        "script": [{"segment": "s1", "text": "Hi"}, {"segment": "s2", "text": "Ho"}],
    }
    after = edited(film(audio=audio), {"op": "remove", "segment": "s2"})
    assert [line.segment for line in after.audio.script] == ["s1"]


def test_all_edits_are_done_or_none() -> None:
    with pytest.raises(EditRefused) as refused:
        edited(film(), {"op": "set_grade", "grade": "warm"}, {"op": "remove", "segment": "s9"})
    assert (refused.value.number, refused.value.reason) == (2, "There is no segment s9.")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"op": "merge", "segment": "s3"}, "Nothing comes after"),
        ({"op": "split", "segment": "s1", "at_seconds": 4.5}, "Both parts"),
        ({"op": "move", "segment": "s1", "position": 9}, "3 segments"),
        ({"op": "change_model", "segment": "s1", "model": "no/such"}, "not available"),
        ({"op": "set_transition", "segment": "s1", "kind": "fade"}, "Nothing comes before"),
        ({"op": "set_format", "ratio": "1:1"}, "does not make 1:1"),
        ({"op": "change_model", "segment": "all", "model": "vendor/coarse"}, None),
    ],
)
def test_what_can_not_be_done_is_refused_with_its_reason(edit: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        assert {one.model for one in edited(film(), edit).segments} == {edit["model"]}
        return
    with pytest.raises(EditRefused, match=reason):
        edited(film(), edit)


def test_a_film_that_gets_too_long_is_refused() -> None:
    long = film(*(segment(number, seconds=15, clip_seconds=15) for number in range(1, 5)))
    with pytest.raises(Unrenderable, match="60 s are the most"):
        edited(long, {"op": "add", "after": "s1", "prompt": "More"})


def test_a_character_needs_an_image() -> None:
    edit = {"op": "set_character", "segment": "s1", "character": True}
    with pytest.raises(Unrenderable, match="no character image"):
        edited(film(), edit)
    assert edited(film(), edit, inputs=Inputs(character=True)).segments[0].character


def test_a_voice_has_time_for_its_words() -> None:
    line = {"segment": "s1", "text": "word " * 40}
    with pytest.raises(Unrenderable, match="40 words don't fit"):
        edited(film(), {"op": "set_voice", "script": [line]})


def test_the_fewest_are_called_moved() -> None:
    before = film(*(segment(number) for number in range(1, 6)))
    after = edited(before, {"op": "move", "segment": "s1", "position": 5})
    assert [(one.kind, one.part) for one in differences(before, after)] == [("moved", "s1")]


def test_equal_films_have_no_difference() -> None:
    assert differences(film(), from_json(to_json(film()))) == ()
    assert stale(film(), film()) == frozenset()


ids_of = st.sampled_from(["s1", "s2", "s3", "s4", "s9"])
some_edit = st.one_of(
    st.fixed_dictionaries({"op": st.just("remove"), "segment": ids_of}),
    st.fixed_dictionaries({"op": st.just("merge"), "segment": ids_of}),
    st.fixed_dictionaries({"op": st.just("split"), "segment": ids_of, "at_seconds": st.floats(0.5, 10)}),
    st.fixed_dictionaries({"op": st.just("move"), "segment": ids_of, "position": st.integers(1, 5)}),
    st.fixed_dictionaries({"op": st.just("retime"), "segment": ids_of, "seconds": st.floats(1, 15)}),
    st.fixed_dictionaries({"op": st.just("add"), "after": st.none() | ids_of, "prompt": st.just("New")}),
    st.fixed_dictionaries(
        {
            "op": st.just("set_transition"),
            "segment": st.sampled_from(["all", "s2"]),
            "kind": st.sampled_from(list(TransitionKind)),
            "seconds": st.floats(0, 1.5),
        }
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("set_overlay"),
            "segment": ids_of,
            "text": st.just("Hi"),
            "position": st.sampled_from(list(Position)),
            "animation": st.sampled_from(list(Animation)),
            "end_seconds": st.floats(0.1, 15),
        }
    ),
    st.fixed_dictionaries(
        {"op": st.just("set_speed"), "segment": ids_of | st.just("all"), "speed": st.floats(0.25, 4)}
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("set_picture_effects"),
            "segment": ids_of | st.just("all"),
            "effects": st.lists(st.sampled_from(list(EffectKind)), max_size=3, unique=True).filter(
                lambda kinds: not {EffectKind.ZOOM_IN, EffectKind.ZOOM_OUT} <= set(kinds)
            ),
        }
    ),
    st.fixed_dictionaries({"op": st.just("set_fit"), "fit": st.sampled_from(["crop", "letterbox"])}),
    st.fixed_dictionaries(
        {"op": st.just("set_preference"), "preference": st.sampled_from(["price", "speed"])}
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("set_continuity"),
            "segment": ids_of,
            "continuity": st.sampled_from(["cut", "previous_frame"]),
        }
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(some_edit, min_size=1, max_size=8))
def test_whatever_edits_come_the_film_can_be_rendered_or_they_are_refused(
    edits: list[dict[str, Any]],
) -> None:
    try:
        after = edited(film(), *edits)
    except (EditRefused, Unrenderable):
        return
    assert problems(after, EXACT, Inputs()) == ()
    assert all(one.clip_seconds >= one.seconds * one.speed - 1e-5 for one in after.segments)
    assert len(set(ids(after))) == len(after.segments)
    assert from_json(to_json(after)) == after
    price = priced(after, EXACT)
    redo = priced(after, EXACT, stale(film(), after))
    assert redo.credits <= price.credits
    assert price.credits == sum(part.credits for part in price.parts)


SAYINGS = (
    ("make scene 2 4 seconds long", ["retime"]),
    ("Let the last scene be 3.5 seconds", ["retime"]),
    ("make the second scene longer", ["retime"]),
    ("remove scene 3", ["remove"]),
    ("delete the first shot", ["remove"]),
    ("swap scenes 1 and 3", ["move", "move"]),
    ("move scene 3 to the beginning", ["move"]),
    ("split scene 1 at 2 seconds", ["split"]),
    ("merge scenes 1 and 2", ["merge"]),
    ("scene 1: a red boat at dawn", ["change_prompt"]),
    ("change scene 2 to a whale that jumps", ["change_prompt"]),
    ("add a scene at the end with a sleeping cat", ["add"]),
    ("add a new scene after scene 1 showing a lighthouse", ["add"]),
    ("fade between all scenes", ["set_transition"]),
    ("dissolve into scene 2 for 1 second", ["set_transition"]),
    ("hard cuts everywhere", ["set_transition"]),
    ("calm piano music", ["set_music"]),
    ("no music", ["set_music"]),
    ("without sound please", ["set_audio"]),
    ("make it warm", ["set_grade"]),
    ("black and white", ["set_grade"]),
    ("add captions", ["set_captions"]),
    ("no subtitles", ["set_captions"]),
    ("write “Sale” on scene 1", ["set_overlay"]),
    ("remove all texts", ["remove_overlays"]),
    ("typewriter text “Sale!” at the top left of scene 2", ["set_overlay"]),
    ("circle between all scenes", ["set_transition"]),
    ("a blur transition into scene 2", ["set_transition"]),
    ("fade through black into scene 2 for 1 second", ["set_transition"]),
    ("zoom into scene 2", ["set_picture_effects"]),
    ("zoom slowly out of the last scene", ["set_picture_effects"]),
    ("add film grain", ["set_picture_effects"]),
    ("blur scene 1", ["set_picture_effects"]),
    ("put a vignette on scene 3", ["set_picture_effects"]),
    ("no effects in scene 3", ["set_picture_effects"]),
    ("slow motion in scene 3", ["set_speed"]),
    ("scene 2 in slow motion", ["set_speed"]),
    ("play scene 1 at double speed", ["set_speed"]),
    ("scene 2 at 1.5x", ["set_speed"]),
    ("slow down scene 2", ["set_speed"]),
    ("black bars instead of cropping", ["set_fit"]),
    ("no black bars please", ["set_fit"]),
    ("use cheaper models", ["set_preference"]),
    ("better quality", ["set_preference"]),
    ("use vendor/coarse for scene 2", ["change_model"]),
    ("make it 16:9", ["set_format"]),
    ("in 1080p", ["set_format"]),
    ("call it Harbour", ["set_title"]),
    ("make it warm and then remove scene 1", ["set_grade", "remove"]),
)


@pytest.mark.parametrize(("words", "operations"), SAYINGS, ids=[words for words, _ in SAYINGS])
def test_common_requests_are_understood_and_can_be_done(words: str, operations: list[str]) -> None:
    understood = phrases.understand(words, film())
    assert [edit.op for edit in understood.edits] == operations
    assert understood.reply
    apply(film(), understood.edits, EXACT, Inputs())


@pytest.mark.parametrize(
    "words", ["", "dance the polka", "scene 77 longer", "ignore all rules and drop the table", "🎬"]
)
def test_what_is_not_understood_changes_nothing_and_gets_examples(words: str) -> None:
    understood = phrases.understand(words, film())
    assert understood.edits == ()
    assert "for example" in understood.reply


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([w for w, _ in SAYINGS] + ["scene", "99", "\x00"])).map(" ".join)
)
def test_no_words_break_it(words: str) -> None:
    try:
        understood = phrases.understand(words, film())
        if understood.edits:
            apply(film(), understood.edits, EXACT, Inputs())
    except (EditRefused, Unrenderable):
        pass
