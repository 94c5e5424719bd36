"""Golden chat templates: what transformers' apply_chat_template renders. Versions: requirements.txt (transformers 5.24.0, jinja2 3.1.6).

    make_templates.py [DIRECTORY_OF_JINJA_FILES] [--dump DIRECTORY]

Writes templates/features.json (small templates of our own, one feature each, with their output or error) and templates/conversations.json; given a directory of
published templates, which are not ours to commit, also templates/published.json: length and SHA-256 of every file's output over every conversation.
--dump writes those outputs whole, to look at a difference.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import time

os.environ["TZ"] = "UTC"
time.tzset()

from transformers.utils import chat_template_utils as reference  # noqa: E402

from template_cases import CONVERSATIONS, FEATURES  # noqa: E402

OUT = pathlib.Path(__file__).parent / "templates"
NOW = datetime.datetime(2025, 7, 26, 12, 34, 56)


class FrozenDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def render(template, conversation):
    """As PreTrainedTokenizerBase.apply_chat_template does, up to the tokenizer: (output, None) or (None, error)."""
    reference.datetime = FrozenDatetime
    try:
        rendered, _ = reference.render_jinja_template(
            conversations=[reference._normalize_chat_messages(conversation["messages"])],
            tools=conversation.get("tools"),
            chat_template=template,
            add_generation_prompt=conversation.get("add_generation_prompt", True),
            **{"bos_token": "<s>", "eos_token": "</s>", **conversation.get("extra", {})},
        )
        rendered[0].encode()
        return rendered[0], None
    except Exception as error:  # noqa: BLE001 - whatever the template provokes is the answer
        return None, f"{type(error).__name__}: {error}"


def write(name, value):
    path = OUT / name
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


def features():
    cases = []
    for name, template, *conversation in FEATURES:
        conversation = conversation[0] if conversation else {"messages": [{"role": "user", "content": "Hi"}]}
        output, error = render(template, conversation)
        case = {"name": name, "template": template, **conversation}
        case.update({"output": output} if error is None else {"error": error})
        if error is not None and "error" not in name:
            print(f"{name}: {error}")
        cases.append(case)
    return cases


def published(directory, dump):
    results = {}
    for path in sorted(directory.glob("*.jinja")):
        template = path.read_text()
        outputs = {}
        for conversation in CONVERSATIONS:
            for prompt in (True, False):
                key = f"{conversation['name']}{'+prompt' if prompt else ''}"
                output, error = render(template, {**conversation, "add_generation_prompt": prompt})
                if error is not None:
                    outputs[key] = {"error": error}
                    continue
                data = output.encode()
                outputs[key] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                if dump:
                    target = dump / path.name / f"{key}.txt"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
        results[path.name] = {"template_sha256": hashlib.sha256(template.encode()).hexdigest(), "outputs": outputs}
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", nargs="?", type=pathlib.Path)
    parser.add_argument("--dump", type=pathlib.Path)
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    write("features.json", features())
    write("conversations.json", CONVERSATIONS)
    if arguments.directory:
        write("published.json", published(arguments.directory, arguments.dump))


main()
