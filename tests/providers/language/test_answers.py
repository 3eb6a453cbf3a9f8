"""What an adapter makes of a good answer: the words, what they used, what they cost, who said them."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from providers.catalogue.language import LANGUAGE_MODELS
from providers.errors import UnsupportedFeature
from providers.language.contract import Turn, Usage
from providers.language.errors import ModelGone
from tests.vendors import Gemini, Groq, Raw, Request, Words, Xai

from .vendors import GEMINI, GROQ, PICTURE, PLAN, XAI, Plan, Vendor, ignored, question

Simulator = Groq | Xai | Gemini
COUNTED = Words(text=PLAN, input_tokens=1000, cached_tokens=400, output_tokens=200, thinking_tokens=50)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_has_the_text_the_usage_and_the_price(
    vendor: Vendor, simulator: Simulator, streamed: bool
) -> None:
    simulator.answers(COUNTED)

    answer = vendor.adapter(simulator).ask(vendor.fact, question(), on_text=ignored if streamed else None)

    assert answer.text == PLAN
    assert Plan.model_validate_json(answer.text).shots
    assert answer.model == vendor.fact.vendor_model
    assert answer.usage == Usage(input_tokens=1000, cached_tokens=400, output_tokens=250)
    assert answer.cost == vendor.fact.cost(answer.usage) > 0
    assert answer.request_id


def test_the_price_is_what_the_vendor_says() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)

    assert LANGUAGE_MODELS["groq/openai/gpt-oss-120b"].cost(usage) == Decimal("0.18")
    assert LANGUAGE_MODELS["gemini/gemini-3.8-flash"].cost(usage) == Decimal("0.855")


def test_a_streamed_answer_comes_in_pieces_in_order(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(COUNTED)
    pieces: list[str] = []

    answer = vendor.adapter(simulator).ask(vendor.fact, question(), on_text=pieces.append)

    assert len(pieces) > 5
    assert "".join(pieces) == answer.text == PLAN


def test_letters_of_every_alphabet_arrive_whole(vendor: Vendor, simulator: Simulator) -> None:
    text = '{"title": "Гавань на рассвете — 港の夜明け 🎬"}'
    simulator.answers(Words(text=text, piece_length=1))
    pieces: list[str] = []
    adapter = vendor.adapter(simulator)

    assert adapter.ask(vendor.fact, question("Гавань 🎬"), on_text=pieces.append).text == text
    assert adapter.ask(vendor.fact, question("Гавань 🎬")).text == text
    assert "".join(pieces) == text


def test_a_letter_in_two_halves_arrives_whole(vendor: Vendor, simulator: Simulator) -> None:
    halves = [
        {"choices": [{"index": 0, "delta": {"content": "a\ud83c"}}]},
        {"choices": [{"index": 0, "delta": {"content": "\udfacb\ud83c"}}]},
        {"choices": [{"index": 0, "delta": {"content": "!"}, "finish_reason": "stop"}]},
    ]
    events = [f"data: {json.dumps(half)}\n\n".encode() for half in halves]
    simulator.answers(Raw(iter([*events, b"data: [DONE]\n\n"]), media_type="text/event-stream"))
    pieces: list[str] = []

    answer = vendor.adapter(simulator).ask(vendor.fact, question(), on_text=pieces.append)

    assert answer.text == "".join(pieces) == "a🎬b\ufffd!"


def test_no_instructions_are_no_message(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(PLAN)

    vendor.adapter(simulator).ask(vendor.fact, replace(question(), system=""))

    assert [message["role"] for message in simulator.requests[0].json["messages"]] == ["user"]


def test_what_is_no_json_is_handed_on_as_the_model_wrote_it(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers("Понятия не имею, о чём вы.")

    assert vendor.adapter(simulator).ask(vendor.fact, question()).text == "Понятия не имею, о чём вы."


def test_an_error_of_who_takes_the_pieces_stays_its_own(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(PLAN)

    def stop(_: str) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        vendor.adapter(simulator).ask(vendor.fact, question(), on_text=stop)


def test_earlier_turns_are_part_of_the_question(vendor: Vendor, simulator: Simulator) -> None:
    heard: list[Request] = []

    def say(request: Request) -> str:
        heard.append(request)
        return PLAN

    simulator.answers(say)
    turns = [
        Turn(role="user", text="A harbour."),
        Turn(role="assistant", text=PLAN),
        Turn(role="user", text="Shorter."),
    ]

    vendor.adapter(simulator).ask(vendor.fact, replace(question(), turns=turns))

    assert [message["role"] for message in heard[0].json["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]


def test_pictures_go_with_the_last_words(vendor: Vendor, simulator: Simulator) -> None:
    model = LANGUAGE_MODELS[vendor.vision]
    simulator.answers(PLAN)

    answer = vendor.adapter(simulator).ask(model, question(pictures=[PICTURE, PICTURE]))

    assert answer.text == PLAN
    # The simulator counts what it has taken for a picture.
    assert answer.usage.input_tokens > 2 * 560


def test_a_model_without_eyes_is_shown_no_pictures(groq: Groq) -> None:
    with pytest.raises(UnsupportedFeature):
        GROQ.adapter(groq).ask(GROQ.fact, question(pictures=[PICTURE]))
    assert not groq.requests


def test_a_schema_that_cannot_be_kept_is_refused_before_anything_is_sent(
    vendor: Vendor, simulator: Simulator
) -> None:
    free = {
        "type": "object",
        "properties": {"names": {"type": "object", "additionalProperties": {"type": "string"}}},
    }

    with pytest.raises(UnsupportedFeature):
        vendor.adapter(simulator).ask(vendor.fact, question(schema=free))
    assert not simulator.requests


def test_a_limit_above_the_models_own_is_the_models_own(vendor: Vendor, simulator: Simulator) -> None:
    simulator.answers(PLAN)

    assert vendor.adapter(simulator).ask(vendor.fact, question(max_output_tokens=1_000_000)).text == PLAN


def test_a_model_that_writes_free_json_is_told_the_schema(groq: Groq) -> None:
    model = replace(GROQ.fact, schema="none")
    groq.answers(PLAN)

    assert GROQ.adapter(groq).ask(model, question()).text == PLAN
    assert '"minItems":1' in groq.requests[0].json["messages"][0]["content"]


def test_gemini_is_priced_from_the_model_that_answered() -> None:
    with Gemini(rerouted=True) as gemini:
        gemini.answers(COUNTED)
        answer = GEMINI.adapter(gemini).ask(LANGUAGE_MODELS["gemini/gemini-2.5-flash"], question())

    assert answer.model == "gemini-3.5-flash-lite"
    assert answer.cost == LANGUAGE_MODELS["gemini/gemini-3.5-flash-lite"].cost(answer.usage)


def test_what_xai_says_it_charges_is_the_cost(xai: Xai) -> None:
    xai.answers(replace(COUNTED, ticks=232_856_000))

    assert XAI.adapter(xai).ask(XAI.fact, question()).cost == Decimal("0.0232856")


def test_a_retired_model_is_gone(groq: Groq) -> None:
    with pytest.raises(ModelGone) as caught:
        GROQ.adapter(groq).ask(LANGUAGE_MODELS["groq/llama-3.3-70b-versatile"], question())
    assert caught.value.code == "model_not_found"
    assert caught.value.cost == 0
