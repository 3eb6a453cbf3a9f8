"""The planner that needs no language model: a draft from a sample, or from words alone.

Lengths fall on the sample's cuts, or on the beats of the words, and waste the fewest seconds that are paid for.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from pipeline.media.composition.vocabulary import Grade, TransitionKind
from pipeline.media.measurement import Measurement, Shot
from pipeline.plans.assembly import Draft, Scene
from pipeline.plans.film import (
    LONGEST_FILM,
    LONGEST_SEGMENT,
    MOST_SEGMENTS,
    SHORTEST_SEGMENT,
    AudioStrategy,
    Continuity,
    PostProduction,
    Preference,
    Transition,
)
from pipeline.plans.offers import Offers
from pipeline.plans.validation import Inputs, room_for_words
from pipeline.understanding.report import Report
from providers.catalogue import ContentType
from providers.contract import Mode

DEFAULT_SECONDS = 30.0
# What a viewer takes for one scene, where nothing else says how long it is.
USUAL_SCENE = 6.0
FADE_SECONDS = 0.5
GRID = 1000
_LENGTH = re.compile(r"\b(\d{1,3})[\s-]*(?:s|sec|secs|second|seconds|sekunden|detik)\b", re.IGNORECASE)
_MINUTE = re.compile(r"\b(?:a|one|1)[\s-]*(?:min|minute)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the owner wants; `seconds` None: as long as the sample, or as the words say."""

    title: str
    text: str = ""
    style: str = ""
    seconds: float | None = None
    ratio: str = "9:16"
    resolution: str = "720p"
    preference: Preference = Preference.BALANCED


def from_sample(
    brief: Brief, measurement: Measurement, report: Report, offers: Offers, inputs: Inputs
) -> Draft:
    """A film that is cut like the sample and tells what the brief says."""
    lengths = clip_lengths(offers, brief)
    wanted = min(brief.seconds or measurement.duration_seconds, LONGEST_FILM)
    shots = _kept(_pieces(measurement.shots, lengths[-1]), wanted)
    groups = grouped([end - start for start, end, _, _ in shots], lengths)
    descriptions = {scene.shot: scene for scene in report.scenes}
    told = _spread(_beats(brief.text) or [brief.title], len(groups))
    scenes: list[Scene] = []
    for number, group in enumerate(groups):
        parts = [shots[index] for index in group]
        known = [descriptions[shot] for _, _, shot, _ in parts if shot in descriptions]
        seen = _unique([scene.description.text for scene in known])[:3]
        first = measurement.shots[parts[0][2] - 1]
        continued = number > 0 and shots[groups[number - 1][-1]][2] == parts[0][2]
        fades = number > 0 and not continued and first.cut == "fade"
        seconds = round(sum(end - start for start, end, _, _ in parts), 3)
        overlap = min(FADE_SECONDS, seconds / 2) if fades else 0.0
        if fades and not _room_for(overlap, seconds, scenes[-1].seconds, lengths):
            overlap = 0.0
        content = known[0].content_type if known else report.content_type
        camera = known[0].camera.text if known else ""
        scenes.append(
            Scene(
                story=f"{_role(number, len(groups))}: {told[number][0]}"[:2000],
                prompt=_prompt(
                    told[number][0], _role(number, len(groups)), seen, camera, brief, report.style.text
                ),
                content_type=content,
                seconds=max(seconds + overlap, SHORTEST_SEGMENT),
                character=inputs.character,
                continuity=Continuity.PREVIOUS_FRAME if continued else Continuity.CUT,
                camera=first.camera.replace("_", " ")[:200],
                transition=Transition(kind=TransitionKind.FADE, seconds=overlap) if overlap else Transition(),
            )
        )
    return _finished(brief, scenes, report=report, measurement=measurement, inputs=inputs)


def from_words(brief: Brief, offers: Offers, inputs: Inputs) -> Draft:
    """A film that tells what the brief says, a beat after the other."""
    lengths = clip_lengths(offers, brief)
    wanted = brief.seconds or _said_length(brief.text) or DEFAULT_SECONDS
    wanted = min(max(wanted, SHORTEST_SEGMENT), LONGEST_FILM)
    beats = _beats(brief.text) or [brief.title]
    seconds = shared_out(wanted, [len(beat) for beat in beats], lengths)
    subject = brief.text.strip() or brief.title
    told = _spread(beats, len(seconds))
    content = _content_of(subject)
    scenes = []
    for number, (length, (beat, continued)) in enumerate(zip(seconds, told, strict=True)):
        role = _role(number, len(seconds))
        scenes.append(
            Scene(
                story=f"{role}: {beat}"[:2000],
                prompt=_prompt(beat, role, [], "", brief, ""),
                content_type=content,
                seconds=length,
                character=inputs.character,
                continuity=Continuity.PREVIOUS_FRAME if continued else Continuity.CUT,
            )
        )
    return _finished(brief, scenes, report=None, measurement=None, inputs=inputs)


def clip_lengths(offers: Offers, brief: Brief) -> tuple[int, ...]:
    """Every length of clip that can be bought for this film, in seconds, ascending. Raises ValueError if none."""
    found = {
        length
        for offer in offers.values()
        if offer.healthy
        and brief.ratio in offer.model.ratios
        and brief.resolution in offer.model.resolutions
        and Mode.TEXT in offer.model.modes
        for length in offer.model.durations_for(Mode.TEXT, brief.resolution)
        if length <= LONGEST_SEGMENT
    }
    if not found:
        raise ValueError(f"No model that is available makes {brief.ratio} at {brief.resolution}.")
    return tuple(sorted(found))


def grouped(shots: Sequence[float], lengths: Sequence[int]) -> list[list[int]]:
    """Neighbouring shots put together so that the fewest paid seconds are wasted, then so that the fewest are joined.

    `shots`: their seconds, each at most the longest length; answers their indexes.
    """
    longest = lengths[-1]
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    for end in range(1, len(shots) + 1):
        choices, total = [], 0.0
        for start in range(end - 1, -1, -1):
            total += shots[start]
            if total > longest + 1e-6 and start < end - 1:
                break
            # What is too short for a segment is joined if it can be.
            short = 1000.0 if total < SHORTEST_SEGMENT - 1e-6 else 0.0
            wasted, joined, _ = best[start]
            choices.append(
                (round(wasted + _waste(total, lengths) + short, 6), joined + end - start - 1, start)
            )
        best.append(min(choices))
    groups, end = [], len(shots)
    while end:
        start = best[end][2]
        groups.append(list(range(start, end)))
        end = start
    groups.reverse()
    return _fewer(groups, shots, longest)


def shared_out(wanted: float, weights: Sequence[int], lengths: Sequence[int]) -> list[float]:
    """Seconds of each segment of a film of `wanted` seconds: lengths that can be bought, as near to the weights
    as they come; only where they can't add up does the last clip show less than is paid for.
    """
    total = max(ceil(wanted), lengths[0])
    fewest, most = ceil(total / lengths[-1]), max(1, total // lengths[0])
    count = len(weights) if len(weights) > 1 else round(wanted / USUAL_SCENE)
    count = max(fewest, min(count, most, MOST_SEGMENTS))
    shares = _shares(weights, count)
    ideal = [wanted * share for share in shares]
    # The least distance from the ideal for each sum of the first clips.
    reach: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for want in ideal:
        step: dict[int, tuple[float, int]] = {}
        for so_far, (distance, _) in reach[-1].items():
            for length in lengths:
                if so_far + length > total + lengths[-1]:
                    break
                value = distance + (length - want) ** 2
                if so_far + length not in step or value < step[so_far + length][0]:
                    step[so_far + length] = (value, length)
        reach.append(step)
    paid = min((value for value in reach[-1] if value >= wanted - 1e-6), default=max(reach[-1]))
    chosen, at = [], paid
    for step in reversed(reach[1:]):
        length = step[at][1]
        chosen.append(float(length))
        at -= length
    chosen.reverse()
    surplus = paid - wanted
    chosen[-1] = round(max(chosen[-1] - max(surplus, 0.0), SHORTEST_SEGMENT), 3)
    return chosen


def _waste(seconds: float, lengths: Sequence[int]) -> float:
    return next((length for length in lengths if length >= seconds - 1e-6), lengths[-1]) - seconds


def _fewer(groups: list[list[int]], shots: Sequence[float], longest: float) -> list[list[int]]:
    """At most as many segments as a film may have: the shortest neighbours are joined."""
    while len(groups) > MOST_SEGMENTS:
        sums = [sum(shots[index] for index in group) for group in groups]
        pairs = [
            (sums[at] + sums[at + 1], at)
            for at in range(len(groups) - 1)
            if sums[at] + sums[at + 1] <= longest
        ]
        if not pairs:
            return groups[:MOST_SEGMENTS]
        _, at = min(pairs)
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
    return groups


Piece = tuple[float, float, int, float]  # start, end, shot number, motion


def _pieces(shots: Sequence[Shot], longest: float) -> list[Piece]:
    """The shots, those longer than a clip in equal parts; times in whole milliseconds."""
    pieces: list[Piece] = []
    for number, shot in enumerate(shots, start=1):
        length = shot.end_seconds - shot.start_seconds
        parts = max(1, ceil(length / longest - 1e-9))
        edges = [
            round((shot.start_seconds + length * part / parts) * GRID) / GRID for part in range(parts + 1)
        ]
        pieces += [
            (start, end, number, shot.motion) for start, end in itertools.pairwise(edges) if end > start
        ]
    return pieces


def _kept(pieces: list[Piece], wanted: float) -> list[Piece]:
    """Pieces for a film of `wanted` seconds: the first, the last, then where most happens; none is sped up."""
    if sum(end - start for start, end, _, _ in pieces) <= wanted + 1e-6:
        return pieces
    by_worth = sorted(range(len(pieces)), key=lambda at: (at not in (0, len(pieces) - 1), -pieces[at][3], at))
    chosen: dict[int, Piece] = {}
    left = wanted
    for at in by_worth:
        start, end, number, motion = pieces[at]
        if end - start <= left + 1e-6:
            chosen[at] = pieces[at]
            left -= end - start
        elif not chosen or left >= 2 * SHORTEST_SEGMENT:
            end = round((start + left) * GRID) / GRID
            chosen[at] = (start, end, number, motion)
            left = 0.0
        if left < SHORTEST_SEGMENT:
            break
    return [chosen[at] for at in sorted(chosen)]


def _room_for(overlap: float, seconds: float, before: float, lengths: Sequence[int]) -> bool:
    return seconds + overlap <= min(lengths[-1], LONGEST_SEGMENT) and overlap <= min(seconds, before) / 2


def _shares(weights: Sequence[int], count: int) -> list[float]:
    """How much of the film each of `count` segments gets."""
    if count == len(weights):
        # No beat is so short that nothing can be seen of it, nor so long that it is all there is.
        floor = sum(weights) / len(weights) / 2
        bounded = [min(max(weight, floor), floor * 4) for weight in weights]
    else:
        bounded = [1.0] * count
    return [value / sum(bounded) for value in bounded]


def _beats(text: str) -> list[str]:
    """The sentences of a text, at most as many as a film has segments."""
    parts = [part.strip() for part in re.split(r"(?<=[.!?。])\s+|\n+|;\s+", text) if part.strip()]
    # What only says how long it is to be is no part of the story.
    beats = [
        part
        for part in parts
        if re.search(r"\w", part) and not (_LENGTH.search(part) and len(part.split()) < 6)
    ]
    while len(beats) > MOST_SEGMENTS:
        beats = [" ".join(beats[at : at + 2]) for at in range(0, len(beats), 2)]
    return beats


def _spread(beats: list[str], count: int) -> list[tuple[str, bool]]:
    """A beat for each of `count` segments, and whether it goes on from the segment before."""
    if count >= len(beats):
        told, last = [], -1
        for number in range(count):
            at = number * len(beats) // count
            told.append((beats[at], at == last))
            last = at
        return told
    edges = [number * len(beats) // count for number in range(count + 1)]
    return [(" ".join(beats[a:b]), False) for a, b in itertools.pairwise(edges)]


def _said_length(text: str) -> float | None:
    """Seconds that a text asks for: "a 20 second film"."""
    if found := _LENGTH.search(text):
        return float(found[1])
    return 60.0 if _MINUTE.search(text) else None


_WORDS = (
    (ContentType.TALKING_PERSON, r"\b(?:says|speaks|talks|explains|presenter|interview|testimonial)\b"),
    (ContentType.ANIMATION, r"\b(?:cartoon|anime|animated|animation|pixar|claymation|drawing)\b"),
    (ContentType.PRODUCT, r"\b(?:product|bottle|shoe|sneaker|watch|phone|package|perfume|brand|gadget)\b"),
    (
        ContentType.LANDSCAPE,
        r"\b(?:landscape|mountain|sea|ocean|beach|forest|sunset|sunrise|sky|city|harbour)s?\b",
    ),
    (ContentType.ACTION, r"\b(?:race|chase|runs?|running|jumps?|fight|explosion|sport|dance|dancing)\b"),
    (ContentType.PERSON, r"\b(?:man|woman|girl|boy|person|people|child|children|chef|dancer)\b"),
)


def _content_of(text: str) -> ContentType:
    return next((kind for kind, words in _WORDS if re.search(words, text, re.IGNORECASE)), ContentType.OTHER)


def _role(number: int, count: int) -> str:
    if count == 1:
        return "The whole story"
    if number == 0:
        return "Opening"
    return "Ending" if number == count - 1 else f"Part {number + 1}"


def _prompt(subject: str, role: str, seen: Sequence[str], camera: str, brief: Brief, style: str) -> str:
    looks = " ".join(text for text in (brief.style or style,) if text)
    parts = [_sentence(subject[:1500]), f"{role} of “{brief.title[:100]}”."]
    if seen:
        parts.append("It looks like this: " + " Then: ".join(text[:300] for text in seen))
    if camera:
        parts.append(camera[:200])
    if looks:
        parts.append(f"Style: {looks[:300]}")
    return " ".join(parts)[:3000]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."


def _unique(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _finished(
    brief: Brief,
    scenes: list[Scene],
    *,
    report: Report | None,
    measurement: Measurement | None,
    inputs: Inputs,
) -> Draft:
    """With sound and grade."""
    audio, music = AudioStrategy.NONE, ""
    sound = measurement.sound if measurement is not None else None
    if inputs.audio:
        audio = AudioStrategy.CUSTOM
    elif sound is not None and sound.speech_share > 0.2 and brief.text.strip():
        audio = AudioStrategy.VOICE_OVER
        scenes = _spoken(scenes, brief.text)
    elif sound is None and measurement is not None:
        audio = AudioStrategy.NONE
    else:
        audio = AudioStrategy.MUSIC
        lively = measurement is not None and measurement.pacing.cuts_per_minute > 25
        music = "Lively, driving" if lively else "Calm, unobtrusive"
    return Draft(
        title=brief.title[:200] or "Film",
        story=brief.text[:2000],
        style=(brief.style or (report.style.text if report else ""))[:2000],
        scenes=tuple(_trimmed(scenes)),
        audio=audio,
        music=music,
        post=PostProduction(
            grade=_grade(measurement.shots) if measurement is not None else Grade.NONE,
            captions=audio == AudioStrategy.VOICE_OVER,
        ),
    )


def _trimmed(scenes: list[Scene]) -> list[Scene]:
    """What is shorter than a segment may be was drawn out: the longest scene makes up for it."""
    total = sum(one.seconds for one in scenes) - sum(one.transition.seconds for one in scenes[1:])
    excess = total - LONGEST_FILM
    if excess <= 0:
        return scenes
    at = max(range(len(scenes)), key=lambda index: scenes[index].seconds)
    shorter = floor((scenes[at].seconds - excess) * GRID) / GRID
    return [*scenes[:at], scenes[at].model_copy(update={"seconds": shorter}), *scenes[at + 1 :]]


def _spoken(scenes: list[Scene], text: str) -> list[Scene]:
    """The words of the brief, shared out by how much can be said in each scene; what doesn't fit is left out."""
    words, said = text.split(), []
    for scene in scenes:
        room = room_for_words(scene.seconds)
        line, words = words[:room], words[room:]
        said.append(scene.model_copy(update={"spoken": " ".join(line)[:1000]}))
    return said


def _grade(shots: Sequence[Shot]) -> Grade:
    saturation = sum(shot.saturation for shot in shots) / len(shots)
    brightness = sum(shot.brightness for shot in shots) / len(shots)
    if saturation < 0.05:
        return Grade.MONOCHROME
    if saturation > 0.55:
        return Grade.VIVID
    return Grade.CINEMATIC if brightness < 0.3 else Grade.NONE
