"""OpenAI's responses API and stored chat completions with the official openai client for Python against the release binary: create, stream, continue, replay,
run in the background, cancel, delete, pages, structured output, and what a restarted daemon still knows. Every object and event is validated strictly by the
client's own models, which the client itself does not do.
"""

import json
import tempfile
import time
import urllib.request

import openai
import pydantic
from openai.types.chat import ChatCompletion, ChatCompletionDeleted
from openai.types.responses import Response, ResponseItemList, ResponseStreamEvent

from checks import check, refused, run_checks
from daemon import Daemon

KEY = "sk-test-session"
EVENT = pydantic.TypeAdapter(ResponseStreamEvent)


def strict(kind, raw):
    return kind.model_validate_json(json.dumps(raw), strict=True)


def raw_response(client, **fields):
    raw = json.loads(client.responses.with_raw_response.create(temperature=0, **fields).text)
    return raw, strict(Response, raw)


def events_of(daemon, path, body=None):
    """The events of a stream, whose `event:` lines must be their types."""
    request = urllib.request.Request(daemon.url + path, json.dumps(body).encode() if body else None, {"Content-Type": "application/json", **daemon.headers})
    text = urllib.request.urlopen(request, timeout=300).read().decode()
    events = []
    for block in text.strip().split("\n\n"):
        if block.startswith(":"):
            continue
        kind, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert kind == "event: " + event["type"] and event["sequence_number"] == len(events), kind
        EVENT.validate_json(json.dumps(event), strict=True)
        events.append(event)
    return events


def ended(client, response, timeout=120):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        now = client.responses.retrieve(response)
        if now.status not in ("queued", "in_progress"):
            return now
        time.sleep(0.1)
    raise AssertionError(f"{response} is {now.status} after {timeout} s")


@check
def a_response_is_made_and_retrieved(client, daemon, seen):
    raw, made = raw_response(client, model=daemon.model, input="Say hello.", instructions="Be brief.", max_output_tokens=32, metadata={"story": "one"}, user="u")
    assert made.output_text and made.status in ("completed", "incomplete") and made.metadata == {"story": "one"} and made.instructions == "Be brief."
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens
    again = json.loads(client.responses.with_raw_response.retrieve(made.id).text)
    assert again == raw
    chat = client.chat.completions.create(model=daemon.model, temperature=0, max_tokens=32, messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}])
    assert chat.choices[0].message.content == made.output_text
    seen["response"] = made.id


@check
def a_stream_has_openais_events_and_is_replayed(client, daemon, _):
    body = {"model": daemon.model, "input": "Count to five.", "temperature": 0, "max_output_tokens": 24, "stream": True, "include": ["message.output_text.logprobs"], "top_logprobs": 2}
    events = events_of(daemon, "/v1/responses", body)
    kinds = [event["type"] for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"], kinds
    assert kinds[-4:-1] == ["response.output_text.done", "response.content_part.done", "response.output_item.done"], kinds
    assert kinds[-1] in ("response.completed", "response.incomplete") and set(kinds[4:-4]) == {"response.output_text.delta"}
    final = strict(Response, events[-1]["response"])
    assert "".join(event["delta"] for event in events[4:-4]) == final.output_text
    assert len(final.output[0].content[0].logprobs) > 0 and len(final.output[0].content[0].logprobs[0].top_logprobs) == 2
    path = f"/v1/responses/{final.id}?stream=true"
    assert events_of(daemon, path) == events
    assert [event.sequence_number for event in client.responses.retrieve(final.id, stream=True, starting_after=5)] == [event["sequence_number"] for event in events[6:]]


@check
def the_clients_stream_helper_gathers_it(client, daemon, _):
    with client.responses.stream(model=daemon.model, input="Say yes.", temperature=0, max_output_tokens=400, extra_body={"stop": ["."]}) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.output_text == text and final.status == "completed"
    assert ended(client, final.id).output_text == text


@check
def a_conversation_goes_on(client, daemon, seen):
    first = client.responses.create(model=daemon.model, input="My name is Ada.", instructions="Shout.", temperature=0, max_output_tokens=16)
    second = client.responses.create(model=daemon.model, input="What is my name?", previous_response_id=first.id, temperature=0, max_output_tokens=16)
    assert second.previous_response_id == first.id and second.instructions is None
    replayed = client.responses.create(model=daemon.model, temperature=0, max_output_tokens=16, input=[
        {"role": "user", "content": "My name is Ada."}, *[item.to_dict() for item in first.output], {"role": "user", "content": "What is my name?"}])
    assert replayed.output_text == second.output_text and replayed.usage.input_tokens == second.usage.input_tokens
    seen["conversation"] = second.id, [first.output[0].id]


@check
def input_items_are_paged(client, daemon, seen):
    response, outputs = seen["conversation"]
    raw = json.loads(client.responses.input_items.with_raw_response.list(response).text)
    items = strict(ResponseItemList, raw)
    assert [item.role for item in items.data] == ["user", "assistant", "user"] and items.data[1].id == outputs[0]
    paged = [item.id for item in client.responses.input_items.list(response, limit=1, order="asc")]
    assert paged == [item.id for item in items.data][::-1]


@check
def tools_and_their_outputs_are_read(client, daemon, _):
    tool = {"type": "function", "name": "get_weather", "description": "Weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}, "strict": False}
    raw, made = raw_response(client, model=daemon.model, tools=[tool], max_output_tokens=16, input=[
        {"role": "user", "content": "Weather in Rome?"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "ask"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{\"city\": \"Rome\"}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}])
    assert made.tools[0].name == "get_weather" and made.tool_choice == "auto"
    strict(ResponseItemList, json.loads(client.responses.input_items.with_raw_response.list(made.id).text))


@check
def structured_output_is_parsed(client, daemon, _):
    class Person(pydantic.BaseModel):
        name: str
        age: int

    made = client.responses.parse(model=daemon.model, input="Invent a person. Answer as JSON.", text_format=Person, temperature=0, max_output_tokens=200)
    assert isinstance(made.output_parsed, Person), made.output_text
    raw, again = raw_response(client, model=daemon.model, input="Invent a person.", max_output_tokens=64, text={"format": {"type": "json_object"}})
    assert again.text.format.type == "json_object"


@check
def it_runs_in_the_background(client, daemon, _):
    begun = client.responses.create(model=daemon.model, input="Tell me a story.", background=True, max_output_tokens=48, extra_body={"ignore_eos": True})
    assert begun.status == "queued" and begun.background
    followed = list(client.responses.retrieve(begun.id, stream=True))
    assert followed[-1].type == "response.incomplete" and followed[-1].response.usage.output_tokens == 48
    events = events_of(daemon, f"/v1/responses/{begun.id}?stream=true")
    assert [event["type"] for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert len(events) == len(followed)
    endless = client.responses.create(model=daemon.model, input="Go on for ever.", background=True, extra_body={"ignore_eos": True})
    assert strict(Response, json.loads(client.responses.with_raw_response.cancel(endless.id).text)).status == "cancelled"
    assert client.responses.retrieve(endless.id).status == "cancelled"


@check
def a_response_is_deleted(client, daemon, _):
    made = client.responses.create(model=daemon.model, input="Hi", max_output_tokens=4)
    client.responses.delete(made.id)
    refused(openai.NotFoundError, "not_found", None, lambda: client.responses.retrieve(made.id))
    unstored = client.responses.create(model=daemon.model, input="Hi", max_output_tokens=4, store=False)
    refused(openai.NotFoundError, "not_found", None, lambda: client.responses.retrieve(unstored.id))


@check
def errors_name_the_field(client, daemon, _):
    create = lambda **fields: lambda: client.responses.create(model=daemon.model, **{"input": "x", **fields})  # noqa: E731
    refused(openai.BadRequestError, "unsupported_parameter", "tools[0].type", create(tools=[{"type": "web_search"}]))
    refused(openai.BadRequestError, "unsupported_parameter", "truncation", create(truncation="auto"))
    refused(openai.BadRequestError, "invalid_value", "input[0].role", create(input=[{"role": "wizard", "content": "x"}]))
    refused(openai.BadRequestError, "previous_response_not_found", "previous_response_id", create(previous_response_id="resp_none"))
    refused(openai.BadRequestError, "context_length_exceeded", "input", create(max_output_tokens=1_000_000))
    refused(openai.BadRequestError, "invalid_value", "metadata", create(metadata={str(n): "v" for n in range(17)}))
    refused(openai.NotFoundError, "model_not_found", "model", lambda: client.responses.create(model="none", input="x"))


@check
def chat_completions_are_stored(client, daemon, _):
    ask = lambda **fields: client.chat.completions.create(  # noqa: E731
        model=daemon.model, messages=[{"role": "user", "content": "Say hello."}], temperature=0, max_tokens=8, store=True, **fields)
    first = ask(metadata={"story": "a"})
    chunks = list(ask(metadata={"story": "b"}, stream=True))
    streamed = chunks[0].id
    kept = strict(ChatCompletion, json.loads(client.chat.completions.with_raw_response.retrieve(streamed).text))
    assert kept.choices[0].message.content == first.choices[0].message.content and kept.metadata == {"story": "b"}
    assert [row.id for row in client.chat.completions.list(limit=1)] == [first.id, streamed]
    assert [row.id for row in client.chat.completions.list(metadata={"story": "b"}, model=daemon.model)] == [streamed]
    assert [row.id for row in client.chat.completions.list(order="desc")] == [streamed, first.id]
    messages = list(client.chat.completions.messages.list(first.id))
    assert [(message.role, message.content) for message in messages] == [("user", "Say hello.")]
    assert client.chat.completions.update(first.id, metadata={"story": "c"}).metadata == {"story": "c"}
    strict(ChatCompletionDeleted, json.loads(client.chat.completions.with_raw_response.delete(first.id).text))
    refused(openai.NotFoundError, "not_found", None, lambda: client.chat.completions.retrieve(first.id))


def connect(daemon):
    daemon.headers = {"Authorization": f"Bearer {KEY}"}
    return openai.OpenAI(base_url=daemon.url + "/v1", api_key=KEY, max_retries=0)


@check
def what_is_stored_outlives_a_kill(client, daemon, seen):
    kept = client.responses.retrieve(seen["response"])
    running = client.responses.create(model=daemon.model, input="Go on.", background=True, extra_body={"ignore_eos": True}).id
    daemon.process.kill()
    daemon.process.wait()
    with Daemon(*seen["options"]) as second:
        client = connect(second)
        assert client.responses.retrieve(kept.id) == kept
        failed = strict(Response, json.loads(client.responses.with_raw_response.retrieve(running).text))
        assert failed.status == "failed" and "daemon ended" in failed.error.message, failed


def main():
    with tempfile.TemporaryDirectory() as state:
        options = ("--api-key", KEY, "--state-dir", state)
        with Daemon(*options) as daemon:
            run_checks(connect(daemon), daemon, {"options": options})


main()
