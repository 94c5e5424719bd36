"""A session of the official openai client for Python against the release binary: models, chat, streaming, n, stop, log-probabilities, completions with echo,
errors, and a client that leaves in the middle of a stream.
"""

import time

import openai

from checks import check, run_checks
from daemon import Daemon

KEY = "sk-test-session"


def chat(client, text, **options):
    options.setdefault("temperature", 0)
    options.setdefault("max_tokens", 16)
    return client.chat.completions.create(model=Daemon.model, messages=[{"role": "user", "content": text}], **options)


@check
def models_are_listed_and_retrieved(client, _):
    assert [model.id for model in client.models.list()] == [Daemon.model]
    assert client.models.retrieve(Daemon.model).id == Daemon.model


@check
def chat_answers_with_usage_and_request_id(client, _):
    reply = chat(client, "What is the capital of France?")
    choice = reply.choices[0]
    assert "Paris" in choice.message.content and choice.message.role == "assistant" and choice.finish_reason in ("stop", "length")
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply._request_id.startswith("req_")


@check
def a_stream_comes_in_order_and_equals_the_whole_answer(client, _):
    whole = chat(client, "Count to five.").choices[0].message.content
    chunks = list(chat(client, "Count to five.", stream=True, stream_options={"include_usage": True}))
    assert len({chunk.id for chunk in chunks}) == 1 and len({chunk.created for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[0].choices[0].delta.content == ""
    assert all(chunk.choices[0].delta.role is None for chunk in chunks[1:-1])
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole
    assert chunks[-2].choices[0].finish_reason and all(chunk.choices[0].finish_reason is None for chunk in chunks[:-2])
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0 and all(chunk.usage is None for chunk in chunks[:-1])


@check
def n_choices_are_seeded_and_counted(client, _):
    first, second = (chat(client, "Name an animal.", n=3, temperature=1, seed=7) for _ in range(2))
    assert [c.index for c in first.choices] == [0, 1, 2]
    assert [c.message.content for c in first.choices] == [c.message.content for c in second.choices]
    assert len({c.message.content for c in first.choices}) > 1
    assert first.usage.completion_tokens > 16


@check
def stop_ends_before_the_string(client, _):
    whole = chat(client, "Count from one to nine in words.", max_tokens=40).choices[0].message.content
    stop = whole[len(whole) // 2:][:4]
    reply = chat(client, "Count from one to nine in words.", max_tokens=40, stop=[stop]).choices[0]
    assert reply.finish_reason == "stop" and reply.message.content == whole[:whole.index(stop)]


@check
def logprobs_have_tokens_bytes_and_alternatives(client, _):
    choice = chat(client, "Say hi.", logprobs=True, top_logprobs=3).choices[0]
    assert "".join(bytes(entry.bytes).decode() for entry in choice.logprobs.content) == choice.message.content
    for entry in choice.logprobs.content:
        assert len(entry.top_logprobs) == 3 and entry.logprob == entry.top_logprobs[0].logprob <= 0


@check
def completions_echo_the_prompt_with_its_logprobs(client, _):
    reply = client.completions.create(model=Daemon.model, prompt="The sky is blue", max_tokens=1, echo=True, logprobs=2, temperature=0)
    numbers = reply.choices[0].logprobs
    assert reply.choices[0].text.startswith("The sky is blue") and numbers.token_logprobs[0] is None and numbers.top_logprobs[0] is None
    assert len(numbers.tokens) == len(numbers.token_logprobs) == len(numbers.text_offset) == reply.usage.prompt_tokens + 1
    assert numbers.token_logprobs[-1] == max(numbers.top_logprobs[-1].values())


@check
def completions_take_lists_and_token_ids(client, _):
    texts = client.completions.create(model=Daemon.model, prompt=["One", "Two"], max_tokens=2, n=2, temperature=0)
    assert [choice.index for choice in texts.choices] == [0, 1, 2, 3]
    ids = client.completions.create(model=Daemon.model, prompt=[[504, 260], [2683]], max_tokens=1)
    assert len(ids.choices) == 2 and ids.usage.prompt_tokens == 3


@check
def errors_are_the_classes_that_clients_know(client, daemon):
    def raises(kind, code, call):
        try:
            call()
        except kind as error:
            assert error.code == code, (error.code, code)
            return error
        raise AssertionError(f"{kind.__name__} was not raised")

    raises(openai.NotFoundError, "model_not_found", lambda: client.chat.completions.create(model="none", messages=[{"role": "user", "content": "x"}]))
    raises(openai.BadRequestError, "context_length_exceeded", lambda: chat(client, "word " * 9000))
    error = raises(openai.BadRequestError, "invalid_value", lambda: chat(client, "x", temperature=3))
    assert error.param == "temperature"
    raises(openai.AuthenticationError, "invalid_api_key", lambda: openai.OpenAI(base_url=daemon.url + "/v1", api_key="wrong").models.list())


@check
def a_prompt_that_came_before_is_cached(client, _):
    text = "Here is a story about a lighthouse keeper and his dog. " * 8
    chat(client, text)
    assert chat(client, text).usage.prompt_tokens_details.cached_tokens >= 64


@check
def a_client_that_leaves_frees_its_sequence(client, daemon):
    stream = chat(client, "Tell a very long story.", max_tokens=4000, stream=True)
    for _, chunk in zip(range(5), stream):
        pass
    stream.close()
    for _ in range(100):
        if daemon.metric("hearth_sequences_running") == 0:
            return
        time.sleep(0.05)
    raise AssertionError("the sequence still runs 5 s after its client left")


def main():
    with Daemon("--api-key", KEY) as daemon:
        client = openai.OpenAI(base_url=daemon.url + "/v1", api_key=KEY, max_retries=0)
        daemon.headers = {"Authorization": f"Bearer {KEY}"}
        run_checks(client, daemon)


main()
