"""Golden chat templates: what transformers' apply_chat_template renders. Versions: requirements.txt (transformers 5.24.0, jinja2 3.1.6).

    make_templates.py [DIRECTORY_OF_JINJA_FILES] [--dump DIRECTORY]

Writes into templates/: features.json, small templates with one feature each and their output or error; conversations.json; styles.json, what each of our own
templates in templates/styles makes of every conversation. Of published templates (../shared/templates where it exists, or the directory given), which are not
ours to commit, published.json has only the SHA-256 of every output, under the SHA-256 of the template's text. generated.json: which bytes of each conversation
without a generation prompt are the assistant's (return_assistant_tokens_mask) by the styles that mark them.
--dump writes every output whole, to look at a difference.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import time

os.environ["TZ"] = "UTC"
time.tzset()

from transformers.utils import chat_template_utils as reference  # noqa: E402

from template_cases import CONVERSATIONS, FEATURES  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parent / "templates"
SHARED = OUT.parents[2].parent / "shared" / "templates"
NOW = datetime.datetime(2025, 7, 26, 12, 34, 56)


MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


class FrozenDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def render_marked(template, conversation):
    """As PreTrainedTokenizerBase.apply_chat_template does, up to the tokenizer: (output, generated characters)."""
    reference.datetime = FrozenDatetime
    rendered, generated = reference.render_jinja_template(
        conversations=[reference._normalize_chat_messages(conversation["messages"])],
        tools=conversation.get("tools"),
        chat_template=template,
        add_generation_prompt=conversation.get("add_generation_prompt", True),
        return_assistant_tokens_mask=MARK.search(template) is not None,
        **{"bos_token": "<s>", "eos_token": "</s>", **conversation.get("extra", {})},
    )
    rendered[0].encode()
    return rendered[0], generated[0] if generated else []


def render(template, conversation):
    """(output, None) or (None, error)"""
    try:
        return render_marked(template, conversation)[0], None
    except Exception as error:  # noqa: BLE001 - whatever the template provokes is the answer
        return None, f"{type(error).__name__}: {error}"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def write(name, text):
    path = OUT / name
    path.write_text(text + "\n")
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


def outcomes(path, with_texts, dump):
    """A template's outputs over every conversation: [with the generation prompt, without it], each an error, a hash or (the first, where wanted) the text."""
    template = path.read_bytes().decode()
    outputs, rendered = {}, 0
    for conversation in CONVERSATIONS:
        pair = []
        for prompt in (True, False):
            output, error = render(template, {**conversation, "add_generation_prompt": prompt})
            if error is not None:
                pair.append({"error": error})
                continue
            rendered += 1
            pair.append({"text": output} if with_texts and prompt else {"sha256": sha256(output)})
            if dump:
                target = dump / path.name / f"{conversation['name']}{'+prompt' if prompt else ''}.txt"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(output.encode())
        outputs[conversation["name"]] = pair
    print(f"{path.name}: {rendered} of {2 * len(CONVERSATIONS)} rendered, {len(template)} characters")
    return {"name": path.name, "outputs": outputs}


def files(name, directory, with_texts, dump):
    """{SHA-256 of the template: outcomes}, with one line for a conversation."""
    templates = []
    for path in sorted(directory.glob("*.jinja")):
        result = outcomes(path, with_texts, dump)
        lines = ",\n".join(f"   {json.dumps(key)}: {json.dumps(pair, ensure_ascii=False)}" for key, pair in result["outputs"].items())
        templates.append(f' "{hashlib.sha256(path.read_bytes()).hexdigest()}": {{\n  "name": {json.dumps(path.name)},\n  "outputs": {{\n{lines}\n  }}\n }}')
    write(name, "{\n" + ",\n".join(templates) + "\n}")


def marked():
    """{style: {conversation: byte ranges}} of the styles that mark what the assistant says."""
    templates = {}
    for path in sorted((OUT / "styles").glob("*.jinja")):
        template = path.read_bytes().decode()
        for conversation in CONVERSATIONS if MARK.search(template) else ():
            try:
                text, generated = render_marked(template, {**conversation, "add_generation_prompt": False})
            except Exception:  # noqa: BLE001 - styles.json has the errors
                continue
            if generated:
                templates.setdefault(path.name, {})[conversation["name"]] = [[len(text[:i].encode()) for i in pair] for pair in generated]
    return templates


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=SHARED)
    parser.add_argument("--dump", type=pathlib.Path)
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    write("features.json", json.dumps(features(), ensure_ascii=False, indent=1))
    write("conversations.json", json.dumps(CONVERSATIONS, ensure_ascii=False, indent=1))
    files("styles.json", OUT / "styles", with_texts=True, dump=arguments.dump)
    write("generated.json", json.dumps(marked()))
    if arguments.directory.is_dir():
        files("published.json", arguments.directory, with_texts=False, dump=arguments.dump)
    else:
        print(f"{arguments.directory} is not there: published.json stays as it is")


if __name__ == "__main__":
    main()
