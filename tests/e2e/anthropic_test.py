"""A session of the official anthropic client for Python against the release binary: messages whole and streamed, tools, schemas, prefill, stop sequences,
count_tokens, errors and keys. Every reply is read by the client's own pydantic types, strictly: no other types, no other fields."""

import json

import anthropic
import pydantic
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import BaseModel, Field

from checks import check, run_checks
from daemon import Daemon

KEY = "sk-test-session"
EVENT = pydantic.TypeAdapter(RawMessageStreamEvent)
TOOL = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"], "additionalProperties": False},
    "strict": True,
}


def question(text, **options):
    """`extra`: fields that this client's signature does not have."""
    extra = {"temperature": 0, **options.pop("extra", {})}
    return {"model": Daemon.model, "messages": [{"role": "user", "content": text}], "max_tokens": 16, "extra_body": extra, **options}


def strictly(kind, text):
    """`text` as that type of the client's; fields that it does not know are errors."""
    def walk(value):
        if isinstance(value, BaseModel):
            assert not value.model_extra, value
            for name in type(value).model_fields:
                walk(getattr(value, name))
        elif isinstance(value, list):
            for one in value:
                walk(one)

    value = EVENT.validate_json(text, strict=True) if kind is EVENT else kind.model_validate_json(text, strict=True)
    walk(value)
    return value


def ask(client, text, **options):
    return strictly(Message, client.messages.with_raw_response.create(**question(text, **options)).http_response.text)


def events_of(client, text, **options):
    """The events of a stream but its pings; each one's name is its data's type."""
    lines = client.messages.with_raw_response.create(**question(text, stream=True, **options)).http_response.iter_lines()
    events = []
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
            assert json.loads(data)["type"] == name, (name, data)
            if name != "ping":
                events.append(strictly(EVENT, data))
    return events


def refusal(kind, call):
    """The error's object, of a call that must raise that class."""
    try:
        call()
    except anthropic.APIStatusError as error:
        assert type(error) is kind, repr(error)
        body = strictly(ErrorResponse, error.response.text)
        assert body.request_id == error.request_id and error.request_id.startswith("req_"), body
        return body.error
    raise AssertionError(f"{kind.__name__} was not raised")


@check
def a_message_answers(client, _):
    message = ask(client, "What is the capital of France?")
    assert "Paris" in message.content[0].text and message.stop_reason in ("end_turn", "max_tokens") and message.stop_sequence is None
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


@check
def a_stream_comes_in_order_and_equals_the_whole_answer(client, _):
    whole = ask(client, "Count to five.")
    events = events_of(client, "Count to five.")
    types = [event.type for event in events]
    assert types[:2] == ["message_start", "content_block_start"] and types[-3:] == ["content_block_stop", "message_delta", "message_stop"], types
    assert set(types[2:-3]) == {"content_block_delta"}
    assert "".join(event.delta.text for event in events[2:-3]) == whole.content[0].text
    assert events[-2].delta.stop_reason == whole.stop_reason and events[-2].usage.output_tokens == whole.usage.output_tokens


@check
def the_clients_stream_helper_puts_it_together(client, _):
    whole = ask(client, "Name a colour.")
    with client.messages.stream(**question("Name a colour.")) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == message.content[0].text == whole.content[0].text
    assert message.stop_reason == whole.stop_reason and message.usage.output_tokens == whole.usage.output_tokens


@check
def the_clients_parse_helper_gets_its_type(client, _):
    class Person(BaseModel):
        name: str = Field(max_length=20)
        age: int

    parsed = client.messages.parse(**question("Invent a person.", max_tokens=200), output_format=Person)
    assert isinstance(parsed.parsed_output, Person) and parsed.stop_reason == "end_turn", parsed
    error = refusal(anthropic.BadRequestError, lambda: ask(client, "x", output_config={"format": {"type": "json_schema", "schema": {"not": {}}}}))
    assert "/output_config/format/schema/not" in error.message, error


@check
def a_last_turn_of_the_assistant_is_continued(client, _):
    messages = [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "The capital of France is"}]
    message = ask(client, "", messages=messages)
    assert message.content[0].text.startswith(" Paris"), message


@check
def a_stop_sequence_is_named(client, _):
    whole = ask(client, "Count from one to nine in words.", max_tokens=40).content[0].text
    stop = whole[len(whole) // 2 :][:4]
    message = ask(client, "Count from one to nine in words.", max_tokens=40, stop_sequences=["never", stop])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", stop) and message.content[0].text == whole[: whole.index(stop)]
    delta = events_of(client, "Count from one to nine in words.", max_tokens=40, stop_sequences=[stop])[-2].delta
    assert (delta.stop_reason, delta.stop_sequence) == ("stop_sequence", stop)


@check
def tokens_are_counted_as_they_are_billed(client, _):
    asked = {"model": Daemon.model, "system": "Be kind.", "messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": "there"}], "tools": [TOOL]}
    count = strictly(MessageTokensCount, client.messages.with_raw_response.count_tokens(**asked).http_response.text).input_tokens
    usage = ask(client, "", **asked).usage
    assert count == usage.input_tokens + usage.cache_read_input_tokens


@check
def results_of_tools_are_read(client, _):
    messages = [
        {"role": "user", "content": "How warm is it in Oslo?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I look it up.", "signature": ""},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "4 degrees"}]}]},
    ]
    assert ask(client, "", messages=messages, tools=[TOOL], tool_choice={"type": "none"}).stop_reason in ("end_turn", "max_tokens")
    messages[2]["content"][0]["tool_use_id"] = "toolu_2"
    error = refusal(anthropic.BadRequestError, lambda: ask(client, "", messages=messages, tools=[TOOL]))
    assert error.message.startswith("'messages[2].content[0].tool_use_id'"), error


@check
def a_forced_tool_is_used(client, _):
    asked = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}, "max_tokens": 100}
    message = ask(client, "How warm is it?", **asked)
    (use,) = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use" and use.name == "weather" and use.input["city"] in ("Oslo", "Rome"), message
    with client.messages.stream(**question("How warm is it?", **asked)) as stream:
        streamed = stream.get_final_message()
    assert [block.input for block in streamed.content if block.type == "tool_use"] == [use.input] and streamed.stop_reason == "tool_use", streamed
    events = events_of(client, "How warm is it?", **asked)
    assert json.loads("".join(event.delta.partial_json for event in events if event.type == "content_block_delta" and event.delta.type == "input_json_delta")) == use.input
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "4 degrees"}
    messages = [{"role": "user", "content": "How warm is it?"}, message.to_param(), {"role": "user", "content": [result]}]
    assert ask(client, "", messages=messages, tools=[TOOL], tool_choice={"type": "none"}).content[0].text


@check
def errors_are_the_classes_that_clients_know(client, daemon):
    assert refusal(anthropic.NotFoundError, lambda: ask(client, "x", model="none")).type == "not_found_error"
    image = {"type": "image", "source": {"type": "url", "url": "http://x"}}
    for field, options in {
        "temperature": {"extra": {"temperature": 2}},
        "max_tokens": {"max_tokens": 0},
        "tools[0].type": {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "messages[0].content[0].source.url": {"messages": [{"role": "user", "content": [image]}]},
    }.items():
        error = refusal(anthropic.BadRequestError, lambda options=options: ask(client, "x", **options))
        assert error.type == "invalid_request_error" and f"'{field}'" in error.message, error
    assert "messages: " in refusal(anthropic.BadRequestError, lambda: ask(client, "word " * 9000)).message


@check
def keys_come_in_either_header(_, daemon):
    def models(**keys):
        client = anthropic.Anthropic(base_url=daemon.url, max_retries=0, **keys)
        return client.messages.create(**question("x", max_tokens=1)).stop_reason

    assert models(api_key=KEY) and models(auth_token=KEY, api_key=None)
    assert refusal(anthropic.AuthenticationError, lambda: models(api_key="wrong")).type == "authentication_error"


def main():
    with Daemon("--api-key", KEY) as daemon:
        daemon.headers = {"x-api-key": KEY}
        run_checks(anthropic.Anthropic(base_url=daemon.url, api_key=KEY, max_retries=0), daemon)


if __name__ == "__main__":
    main()
