"""What the openai client for Python has for agents: pydantic objects, parsed and streamed, tools made of pydantic models, and a whole round trip of a tool.
The default model chooses badly, so what is asserted is what the server guarantees: what tool_choice, strict and response_format force.
"""

import json
import re
from typing import Literal

import openai
from pydantic import BaseModel, Field

from checks import check, run_checks
from daemon import Daemon

CITIES = {"Oslo": 4, "Rome": 21}


class Weather(BaseModel):
    """The weather of a city."""

    city: Literal["Oslo", "Rome"]
    days: int = Field(ge=1, le=5)


class Clock(BaseModel):
    """The time of a place."""

    zone: Literal["UTC", "CET"]


class Report(BaseModel):
    city: Literal["Oslo", "Rome"]
    degrees: int = Field(ge=-40, le=50)
    words: list[Literal["warm", "cold", "wet"]] = Field(min_length=1, max_length=3)


TOOLS = [openai.pydantic_function_tool(Weather), openai.pydantic_function_tool(Clock)]
NAMED = {"type": "function", "function": {"name": "Weather"}}
QUESTION = [{"role": "user", "content": "How warm is it in Oslo?"}]


def asked(messages=QUESTION, **options):
    return {"model": Daemon.model, "messages": messages, "max_tokens": 200, "temperature": 0, **options}


def call_of(completion, kinds=(Weather,)):
    """The one call that is all there is of an answer."""
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls" and not choice.message.content, choice
    (call,) = choice.message.tool_calls
    assert call.type == "function" and call.id and call.function.name in [kind.__name__ for kind in kinds], call
    return call


@check
def parse_gives_an_object_of_the_format(client):
    choice = client.chat.completions.parse(**asked(response_format=Report)).choices[0]
    assert isinstance(choice.message.parsed, Report) and choice.finish_reason == "stop" and not choice.message.tool_calls, choice


@check
def a_stream_gives_it_piece_by_piece(client):
    whole = client.chat.completions.parse(**asked(response_format=Report)).choices[0].message.parsed
    with client.chat.completions.stream(**asked(response_format=Report)) as stream:
        events = list(stream)
    pieces = [event for event in events if event.type == "content.delta"]
    (done,) = [event for event in events if event.type == "content.done"]
    assert len(pieces) > 5 and pieces[-1].snapshot == "".join(piece.delta for piece in pieces) == done.content
    assert done.parsed == stream.get_final_completion().choices[0].message.parsed == whole, done


@check
def a_named_tool_is_called_with_arguments_of_its_schema(client):
    call = call_of(client.chat.completions.parse(**asked(tools=TOOLS, tool_choice=NAMED)))
    assert isinstance(call.function.parsed_arguments, Weather), call


@check
def a_required_call_is_of_one_of_the_tools(client):
    call = call_of(client.chat.completions.parse(**asked(tools=TOOLS, tool_choice="required", parallel_tool_calls=False)), (Weather, Clock))
    assert isinstance(call.function.parsed_arguments, (Weather, Clock)), call


@check
def no_tool_is_called_where_none_is_wanted(client):
    choice = client.chat.completions.create(**asked(tools=TOOLS, tool_choice="none")).choices[0]
    assert not choice.message.tool_calls and choice.message.content and choice.finish_reason in ("stop", "length"), choice


@check
def a_stream_of_calls_says_id_and_name_once(client):
    for choice in (NAMED, "required"):
        chunks = list(client.chat.completions.create(**asked(tools=TOOLS, tool_choice=choice, parallel_tool_calls=False, stream=True)))
        deltas = [call for chunk in chunks for one in chunk.choices for call in one.delta.tool_calls or []]
        assert len(deltas) > 1 and {delta.index for delta in deltas} == {0}, deltas
        assert deltas[0].id and deltas[0].function.name in ("Weather", "Clock") and deltas[0].type == "function", deltas[0]
        assert all(not delta.id and not delta.function.name for delta in deltas[1:]), deltas
        kind = {"Weather": Weather, "Clock": Clock}[deltas[0].function.name]
        kind.model_validate_json("".join(delta.function.arguments for delta in deltas))
        assert [one.finish_reason for chunk in chunks for one in chunk.choices if one.finish_reason] == ["tool_calls"]


@check
def the_stream_helper_parses_them(client):
    with client.chat.completions.stream(**asked(tools=TOOLS, tool_choice=NAMED, parallel_tool_calls=False)) as stream:
        events = list(stream)
    pieces = [event for event in events if event.type == "tool_calls.function.arguments.delta"]
    (done,) = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert done.name == "Weather" and done.arguments == "".join(piece.arguments_delta for piece in pieces), done
    call = call_of(stream.get_final_completion())
    assert call.function.parsed_arguments == done.parsed_arguments and isinstance(done.parsed_arguments, Weather), call


@check
def a_tool_that_is_not_strict_is_called_too(client):
    tool = {"type": "function", "function": {"name": "Weather", "parameters": Weather.model_json_schema()}}
    call = call_of(client.chat.completions.create(**asked(tools=[tool], tool_choice=NAMED)))
    assert isinstance(json.loads(call.function.arguments), dict), call


@check
def a_round_trip_ends_in_an_answer(client):
    for streamed in (False, True):
        messages = list(QUESTION)
        if streamed:
            with client.chat.completions.stream(**asked(messages, tools=TOOLS, tool_choice=NAMED)) as stream:
                completion = stream.get_final_completion()
        else:
            completion = client.chat.completions.parse(**asked(messages, tools=TOOLS, tool_choice=NAMED))
        call = call_of(completion)
        degrees = CITIES[call.function.parsed_arguments.city]
        messages.append(completion.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"}))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps({"degrees": degrees})})
        answer = client.chat.completions.parse(**asked(messages, tools=TOOLS, tool_choice="none", response_format=Report))
        assert isinstance(answer.choices[0].message.parsed, Report), answer
        again = client.chat.completions.create(**asked([*messages, {"role": "user", "content": "And in Rome?"}], tools=TOOLS, tool_choice="required"))
        assert again.choices[0].finish_reason == "tool_calls" and all(one.id != call.id for one in again.choices[0].message.tool_calls), again


@check
def ids_of_calls_are_all_different(client):
    answers = client.chat.completions.create(**asked(tools=TOOLS, tool_choice=NAMED, n=4, seed=1) | {"temperature": 1}).choices
    ids = [call.id for answer in answers for call in answer.message.tool_calls]
    assert len(set(ids)) == len(ids) == 4, ids


@check
def what_cannot_be_forced_is_refused(client):
    def param(**options):
        try:
            client.chat.completions.create(**asked(**options))
        except openai.BadRequestError as error:
            return error.param
        raise AssertionError(f"taken: {options}")

    assert param(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "none_such"}}).startswith("tool_choice")
    assert param(tool_choice="required").startswith("tool_choice")
    unknown = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {"a": {"not": {}}}}}}
    assert re.search(r"tools.*0.*parameters.properties.a.not$", param(tools=[unknown], tool_choice="required")), "the place within the schema"


if __name__ == "__main__":
    with Daemon() as daemon:
        run_checks(openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0, timeout=300))
