"""Golden values of LLaMA-Factory's templates: what its own template.py, formatter.py and tool_utils.py (0.9.5, Apache-2.0) make of conversations.

    pip install --no-deps llamafactory==0.9.5; make_llamafactory_templates.py [DIRECTORY_OF_JINJA_FILES]

The three files are run without the rest of the package, whose imports (datasets, trl, gradio, ...) they do not need. Instead of token ids a turn is the list of what
was tokenised, slot by slot, so that a failure can be read; make_tokenizers.py covers text to ids. Writes llamafactory/templates.json (the registry),
llamafactory/turns.json (turns of every template), llamafactory/saved.json (hashes of every template as a Jinja and as an Ollama template) and llamafactory/recovered.json (slots that parse_template finds in Jinja templates; of published ones, which are not
ours to commit, the hash). hy_dense_1_8b, hy_dense_7b and moss_vl came after 0.9.5.
"""

import datetime
import hashlib
import importlib
import importlib.util
import json
import pathlib
import sys
import types

OUT = pathlib.Path(__file__).parent / "llamafactory"
NOW = datetime.datetime(2025, 7, 26, 12, 34, 56)
BOS, EOS = "<s>", "</s>"


def module(name, **values):
    made = types.ModuleType(name)
    vars(made).update(values)
    sys.modules[name] = made
    return made


def load_reference():
    root = pathlib.Path(importlib.util.find_spec("llamafactory").origin).parent
    for name in ("llamafactory", "llamafactory.data", "llamafactory.extras"):
        module(name, __path__=[str(root.joinpath(*name.split(".")[1:]))])
    silent = types.SimpleNamespace(info_rank0=lambda text: None, warning_rank0=lambda text: None)
    logging = module("llamafactory.extras.logging", get_logger=lambda name: silent)
    sys.modules["llamafactory.extras"].logging = logging
    module("datasets", DatasetDict=None, concatenate_datasets=None, interleave_datasets=None)
    module("llamafactory.data.mm_plugin", get_mm_plugin=lambda name, **tokens: {"name": name, **tokens})
    template = importlib.import_module("llamafactory.data.template")
    tool_utils = importlib.import_module("llamafactory.data.tool_utils")
    tool_utils.datetime = type("Frozen", (), {"now": staticmethod(lambda: NOW)})
    return template


class Recorder:
    """A tokenizer whose ids are what it was asked for."""

    def __init__(self):
        self.bos_token, self.eos_token, self.pad_token_id = BOS, EOS, 0

    bos_token_id = property(lambda self: {"bos": True})
    eos_token_id = property(lambda self: {"eos": True} if self.eos_token == EOS else {"token": self.eos_token})

    def encode(self, text, add_special_tokens=False):
        return [text]

    def convert_tokens_to_ids(self, token):
        return {"token": token}

    def add_special_tokens(self, tokens, **_):
        self.eos_token = tokens.get("eos_token", self.eos_token)
        return 0


WEATHER = {
    "name": "get_weather",
    "description": "The weather at a place – now.",
    "parameters": {
        "type": "object",
        "properties": {
            "place": {"type": "string", "description": "A city"},
            "unit": {"type": "string", "description": "Of the temperature", "enum": ["°C", "°F"]},
            "days": {"type": "array", "items": {"type": "integer"}, "description": "Which days"},
            "limit": {"type": ["number", "null"], "maximum": 1.5, "minimum": -0.25, "multipleOf": 1e-7, "default": None},
        },
        "required": ["place"],
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "", "strict": True, "parameters": {"type": "object", "properties": {}},
                                          "response": {"type": "object", "description": "The \"time\""}}}
TOOLS = json.dumps([WEATHER, CLOCK], ensure_ascii=False)
CALL = {"name": "get_weather", "arguments": {"unit": "°C", "place": "Zürich\n\"north\"", "days": [1, 2], "limit": 1.0, "exact": True, "near": {"b": None, "a": 1e22}}}
CALLS = [{"name": "clock", "arguments": {}}, CALL]


def say(*contents):
    """'u:Hi', 'a:Hello', 'f:{...}', 'o:...' as messages."""
    names = {"u": "user", "a": "assistant", "f": "function", "o": "observation"}
    return [{"role": names[c[0]], "content": c[2:]} for c in contents]


# %t0, %t1, %c0, %c1 stand for the template's words around thoughts and calls.
CONVERSATIONS = [
    {"name": "one", "messages": say("u:Hi there", "a:Hello!")},
    {"name": "system", "system": "Be {{content}} brief.", "messages": say("u:What is {{content}}?", "a:A <|im_end|> mark.\n", "u:And\n\nnow?", "a: Then.")},
    {"name": "empty", "messages": say("u:", "a:", "u:Well?", "a:")},
    {"name": "tools", "system": "Use tools.", "tools": TOOLS, "messages": say("u:Weather?", "f:" + json.dumps(CALL), "o:{\"t\": 21}", "a:It is 21°.")},
    {"name": "calls", "tools": TOOLS, "messages": say("u:Weather and time?", "f:" + json.dumps(CALLS), "o:[21, \"noon\"]", "a:21° at noon.", "u:Thanks", "a:%t0Polite?%t1Welcome")},
    {"name": "no tools", "tools": "[]", "messages": say("u:Hi", "a:Hello")},
    {"name": "thoughts", "messages": say("u:1+1?", "a:%t0One and\none%t1\n\n2", "u:2+2?", "a:%t0Two twice%t1\n4")},
    {"name": "half", "messages": say("u:1+1?", "a:%t0never ends", "u:2+2?", "a:4")},
    {"name": "thought and call", "tools": json.dumps([WEATHER]),
     "messages": say("u:Weather?", "f:%t0A tool%t1" + json.dumps(CALL), "o:21", "f:Let me see: %c0" + json.dumps([CALL]) + "%c1", "o:22", "a:%t0So%t1It is 22°.")},
    {"name": "text arguments", "messages": say("u:Weather?", "f:" + json.dumps({"name": "get_weather", "arguments": "Zürich"}), "o:21", "a:21")},
]
# (enable_thinking, preserve_thinking) of reasoning templates, whose default comes first.
THINKING = [(True, False), (False, False), (None, False), (True, True), (False, True)]


class Shared:
    """Values by number, each once."""

    def __init__(self):
        self.values, self.numbers = [], {}

    def number(self, value):
        key = json.dumps(value, sort_keys=True)
        if key not in self.numbers:
            self.numbers[key] = len(self.values)
            self.values.append(value)
        return self.numbers[key]


def filled(template, conversation):
    words = dict(zip(("%t0", "%t1", "%c0", "%c1"), template.thought_words + template.tool_call_words))
    messages = []
    for message in conversation["messages"]:
        content = message["content"]
        for mark, word in words.items():
            content = content.replace(mark, word)
        messages.append({**message, "content": content})
    return messages


def turns_of(reference, template, segments, results):
    """Numbers of results: a conversation's last turn, its turns, its turns with only the last thought; and so on for every setting of thinking."""
    numbers = []
    reasons = isinstance(template, reference.ReasoningTemplate)
    for conversation in CONVERSATIONS:
        arguments = {"system": conversation.get("system"), "tools": conversation.get("tools")}
        for enable, preserve in THINKING if reasons else THINKING[:1]:
            template.enable_thinking, template.preserve_thinking = enable, preserve
            tokenizer = Recorder()
            template.fix_special_tokens(tokenizer)
            calls = [lambda m: [template.encode_oneturn(tokenizer, m, **arguments)], lambda m: template.encode_multiturn(tokenizer, m, **arguments)]
            if reasons:
                calls.append(lambda m: template.encode_multiturn(tokenizer, m, **arguments, discarding_history_cot=True))
            for call in calls:
                try:
                    turns = call(filled(template, conversation))
                    numbers.append(results.number([[[segments.number(s) for s in side] for side in turn] for turn in turns]))
                except (RuntimeError, ValueError, AttributeError):  # what the slots cannot hold
                    numbers.append(-1)
    return numbers


def registry(reference):
    rows = {}
    for name, t in reference.TEMPLATES.items():
        rows[name] = {"class": type(t).__name__, "default_system": t.default_system, "stop_words": t.stop_words, "thought_words": t.thought_words,
                      "tool_call_words": t.tool_call_words, "efficient_eos": t.efficient_eos, "replace_eos": t.replace_eos,
                      "replace_jinja_template": t.replace_jinja_template, "mm_plugin": t.mm_plugin}
        assert t.enable_thinking is True and t.preserve_thinking is False
    return rows


# Jinja templates of our own, one shape each.
IM = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
NO_SYSTEM = "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}"
OWN = {
    "chatml": IM,
    "default system": NO_SYSTEM + IM,
    "beginning": "{{ bos_token }}" + IM,
    "thought": IM.replace("m['content'] +", "('<think>\\n\\n</think>\\n\\n' if loop.last and m['role'] == 'assistant' else '') + m['content'] +"),
    "end of sequence": "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + (eos_token if m['role'] == 'assistant' else '\\n') }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    "no system": "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + IM,
    "header in every conversation": "{{ '<|system|>2025<|end|>' }}{% for m in messages %}{% if m['role'] != 'system' %}{{ '<|' + m['role'] + '|>' + m['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    "system inside user": "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[' + (messages[0]['content'] if loop.index0 == 1 and messages[0]['role'] == 'system' else '') + m['content'] + ']' }}{% elif m['role'] == 'assistant' %}{{ m['content'] }}{% endif %}{% endfor %}",
    "counts": "{% for m in messages %}{{ loop.index ~ m['role'] + m['content'] + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant' }}{% endif %}",
}


def recovered(reference, source):
    from make_templates import render

    def rendered(messages, add_generation_prompt, tokenize):
        text, error = render(source, {"messages": messages, "add_generation_prompt": add_generation_prompt})
        if error:
            raise ValueError(error)
        return text

    try:
        prefix = BOS if rendered([{"role": "user", "content": "x"}], True, False).startswith(BOS) else ""
        tokenizer = types.SimpleNamespace(apply_chat_template=rendered, encode=lambda text: [], decode=lambda ids: prefix)
        t = reference.parse_template(tokenizer)
    except (ValueError, TypeError) as error:  # a slot without {{content}} is a ValueError too
        return {"error": f"{type(error).__name__}: {error}"}
    slots = {"prefix": prefix, "system": t.format_system.slots[0], "user": t.format_user.slots[0], "assistant": t.format_assistant.slots[0],
             "default_system": t.default_system, "class": type(t).__name__}
    return slots


def saved(reference, t):
    """What an export writes of it; null where a slot is a single token, which the reference cannot."""
    tokenizer = Recorder()
    if t.replace_eos:
        tokenizer.eos_token = t.stop_words[0]
    out = {}
    for name, make in (("jinja", t._get_jinja_template), ("ollama", t._get_ollama_template)):
        try:
            out[name] = hashlib.sha256(make(tokenizer).encode()).hexdigest()
        except ValueError:
            out[name] = None
    return out


def write(name, value, **style):
    path = OUT / name
    OUT.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, **style) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


def main():
    reference = load_reference()
    write("templates.json", registry(reference), indent=1)
    write("saved.json", {name: saved(reference, t) for name, t in reference.TEMPLATES.items()}, indent=1)
    segments, results = Shared(), Shared()
    templates = {name: turns_of(reference, t, segments, results) for name, t in reference.TEMPLATES.items()}
    for t in reference.TEMPLATES.values():
        t.enable_thinking, t.preserve_thinking = True, False
    by_format = {}
    for name, tool_format in (("qwen", "mistral"), ("fewshot", "glm4_moe"), ("gemma", "llama3"), ("hy3", "lfm2")):
        t = reference.TEMPLATES[name]
        slots = ["{{content}}"] if t.efficient_eos else ["{{content}}", {"eos_token"}]  # as get_template_and_fix_tokenizer does
        t.format_function = reference.FunctionFormatter(slots=slots, tool_format=tool_format)
        t.format_tools = reference.ToolFormatter(tool_format=tool_format)
        by_format[name] = {"tool_format": tool_format, "results": turns_of(reference, t, segments, results)}
    write("turns.json", {"conversations": CONVERSATIONS, "thinking": THINKING, "segments": segments.values, "results": results.values, "templates": templates,
                         "tool_formats": by_format}, separators=(",", ":"))
    published = {}
    if len(sys.argv) > 1:
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
            slots = recovered(reference, path.read_text())
            published[path.name] = slots if "error" in slots else {"sha256": hashlib.sha256(json.dumps(slots, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()}
    elif (OUT / "recovered.json").exists():
        published = json.loads((OUT / "recovered.json").read_text())["published"]
    write("recovered.json", {"own": [{"name": n, "template": s, **recovered(reference, s)} for n, s in OWN.items()], "published": published}, indent=1)


main()
