"""The openai and anthropic clients send pictures to the release binary, which serves a tiny model that sees (tests/golden/vision: random weights, so what it
says is nothing, but depends on the picture): base64, uploaded files, several, `detail`, streams, usage, and what is refused.
"""

import base64
import io
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import anthropic
import openai

from checks import check, refused, run_checks
from daemon import Daemon

GOLDEN = pathlib.Path("tests/golden/vision")
CASES = json.loads((GOLDEN / "cases.json").read_text())
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}{% for part in message['content'] %}"
            "{% if part['type'] == 'image' %}{{ '<image>\\n' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
BARE = ("{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}"
        "{% endif %}{% endfor %}{% endfor %}")
FEATURES = 25  # of a picture of 30 x 30 in patches of 6 x 6


def make_model(folder, name="llava", template=TEMPLATE):
    """-> what transformers makes of it"""
    (case,) = [case for case in CASES["cases"] if case["name"] == name]
    (folder / "config.json").write_text(json.dumps(case["config"]))
    (folder / "preprocessor_config.json").write_text(json.dumps(case["preprocessor"]))
    (folder / "chat_template.jinja").write_text(template)
    shutil.copy(GOLDEN / f"{case['weights']}.safetensors", folder / "model.safetensors")
    shutil.copy(GOLDEN / f"{case['tokenizer']}.json", folder / "tokenizer.json")
    shutil.copy(GOLDEN / "tokenizer_config.json", folder)
    return case["runs"]


def url(name):
    return "data:image/png;base64," + CASES["pictures"][name]


def part(name, **more):
    return {"type": "image_url", "image_url": {"url": url(name), **more}}


def ask(client, *content, **options):
    content = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return client.chat.completions.create(model=Daemon.model, messages=[{"role": "user", "content": content}], temperature=0, max_tokens=12, **options)


@check
def the_answer_depends_on_the_picture(client, _):
    answers = {name: ask(client, part(name), "what?").choices[0].message.content for name in CASES["pictures"]}
    assert len(set(answers.values())) > 1, answers
    assert ask(client, part("square", detail="low"), "what?").choices[0].message.content == answers["square"]
    assert ask(client, {"type": "image_url", "image_url": url("square")}, "what?").choices[0].message.content == answers["square"]


@check
def pictures_count_in_usage_and_are_cached(client, _):
    none, one, two = (ask(client, *[part("portrait")] * count, "what then?").usage.prompt_tokens for count in (0, 1, 2))
    assert two - one >= FEATURES and one - none >= FEATURES and (two - one) - (one - none) in (-2, -1, 0, 1, 2), (none, one, two)
    again = ask(client, part("portrait"), part("portrait"), "what then?").usage
    assert again.prompt_tokens_details.cached_tokens >= 2 * FEATURES - 2, again


@check
def a_stream_equals_the_whole_answer(client, _):
    whole = ask(client, part("landscape"), part("panorama"), "what?").choices[0].message.content
    chunks = ask(client, part("landscape"), part("panorama"), "what?", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole


@check
def uploaded_files_and_responses_and_messages_see_the_same(client, daemon):
    expected = ask(client, part("landscape"), "what?").choices[0].message.content
    file = client.files.create(file=("picture.png", io.BytesIO(base64.b64decode(CASES["pictures"]["landscape"]))), purpose="vision")
    for image in ({"image_url": url("landscape")}, {"file_id": file.id}):
        reply = client.responses.create(model=Daemon.model, temperature=0, max_output_tokens=12, input=[
            {"role": "user", "content": [{"type": "input_image", "detail": "auto", **image}, {"type": "input_text", "text": "what?"}]}])
        assert reply.output_text == expected, (reply.output_text, expected)
    message = anthropic.Anthropic(base_url=daemon.url, api_key="none").messages.create(
        model=Daemon.model, max_tokens=12, extra_body={"temperature": 0},
        messages=[{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": CASES["pictures"]["landscape"]}},
            {"type": "text", "text": "what?"}]}])
    assert "".join(block.text for block in message.content if block.type == "text") == expected


@check
def text_alone_and_a_placeholder_in_it_stay_text(client, _):
    bare, placeholder = (ask(client, text).usage.prompt_tokens for text in ("an of a dog", "an <image> of a dog"))
    assert bare < placeholder < bare + FEATURES, (bare, placeholder)


@check
def what_is_no_picture_is_refused_by_its_field(client, _):
    where = "messages[0].content[0].image_url.url"
    for bad in ("data:image/png;base64,AAAA", "data:image/png;base64,%%%", url("square")[:200], "ftp://host/x.png", "http://127.0.0.1:1/x.png"):
        refused(openai.BadRequestError, "invalid_value", where, lambda: ask(client, {"type": "image_url", "image_url": {"url": bad}}, "what?"))


@check
def the_model_says_that_it_sees(client, daemon):
    (model,) = json.loads(daemon.get("/v1/models"))["data"]
    assert model["input_modalities"] == ["text", "image"], model


@check
def prompts_of_other_families_are_as_long_as_those_of_transformers(*_):
    for name in ("idefics2", "idefics2_split", "idefics3"):
        with tempfile.TemporaryDirectory() as folder:
            runs = make_model(pathlib.Path(folder), name, BARE)
            with Daemon(model_path=folder) as daemon:
                client = openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0)
                for run in runs:
                    first, *texts = run["text"].split("<image>")
                    content = [first] + [one for picture, text in zip(run["pictures"], texts) for one in (part(picture), text)]
                    assert ask(client, *[one for one in content if one]).usage.prompt_tokens == len(run["expanded"]), (name, run["text"])


def client_of(daemon):
    return openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0)


@check
def named_templates_have_images_or_say_that_they_have_none(*_):
    with tempfile.TemporaryDirectory() as folder:
        make_model(pathlib.Path(folder))
        with Daemon("--template", "llava", model_path=folder) as daemon:
            none, two = (ask(client_of(daemon), *[part("portrait")] * count, "what then?").usage.prompt_tokens for count in (0, 2))
            assert 0 <= two - none - 2 * FEATURES <= 2, (none, two)
        with Daemon("--template", "vicuna", model_path=folder) as daemon:
            try:
                ask(client_of(daemon), part("portrait"), "what then?")
                raise AssertionError("an image went through a template without images")
            except openai.BadRequestError as error:
                assert "is not for images" in error.message, error.message


def hearth(folder, command, name, **keys):
    (folder / f"{name}.yaml").write_text(json.dumps(keys))  # JSON is YAML
    done = subprocess.run([os.environ["HEARTH_BINARY"], command, f"{name}.yaml"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout + done.stderr


@check
def it_is_trained_asked_merged_and_served_with_what_it_learnt(*_):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        model, data = folder / "model", folder / "data"
        model.mkdir()
        make_model(model)
        shutil.copytree(GOLDEN.parent / "vision_training" / "data", data)
        for name, picture in CASES["pictures"].items():
            (data / f"{name}.png").write_bytes(base64.b64decode(picture))
        job = {"model_name_or_path": "model", "template": "llava", "stage": "sft", "dataset_dir": "data", "cutoff_len": 512}
        notes = hearth(folder, "train", "train", **job, do_train=True, finetuning_type="lora", dataset="rows", output_dir="lora", lora_rank=8, num_train_epochs=40,
                       learning_rate=5e-3, lr_scheduler_type="constant", per_device_train_batch_size=2, save_strategy="no")
        assert "<image>[25 times]" in notes and "pictures" in notes, notes
        hearth(folder, "eval", "eval", **job, adapter_name_or_path="lora", do_predict=True, predict_with_generate=True, eval_dataset="rows", output_dir="predict",
               max_new_tokens=24)
        rows = [json.loads(line) for line in (folder / "predict" / "generated_predictions.jsonl").read_text().splitlines()]
        assert sum(row["predict"].strip() == row["label"].strip() for row in rows) >= 3, rows
        hearth(folder, "export", "export", model_name_or_path="model", adapter_name_or_path="lora", template="llava", export_dir="merged")
        with Daemon("--template", "llava", "--adapter", "tuned=" + str(folder / "lora"), model_path=model) as daemon:
            asked = {"messages": [{"role": "user", "content": [part("landscape"), {"type": "text", "text": "Who is on the mat?"}]}], "temperature": 0, "max_tokens": 24}
            before, tuned = (client_of(daemon).chat.completions.create(model=name, **asked).choices[0].message.content for name in (Daemon.model, "tuned"))
        with Daemon("--template", "llava", model_path=folder / "merged") as daemon:
            merged = client_of(daemon).chat.completions.create(model=Daemon.model, **asked).choices[0].message.content
        assert tuned == merged == "The cat sat on the mat." and before != tuned, (before, tuned, merged)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make_model(pathlib.Path(folder))
        with Daemon(model_path=folder) as running:
            run_checks(openai.OpenAI(base_url=running.url + "/v1", api_key="none", max_retries=0), running)
