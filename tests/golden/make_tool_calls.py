"""Golden answers with calls of tools: what published templates (../shared/templates) write for a message with tool_calls, which is what their models were trained
to write. Versions: requirements.txt (transformers 5.24.0, jinja2 3.1.6).

    make_tool_calls.py [DIRECTORY_OF_JINJA_FILES]

Writes templates/tool_calls.json: for every template that can write them, its SHA-256, where its prompt ends, and the answers for several messages. The templates
are not ours to commit; what they write for our messages is."""

import hashlib
import json
import pathlib
import re
import sys

from make_templates import OUT, SHARED, render

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a place",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "units": {"type": "string", "enum": ["metric", "imperial"]},
                "hourly": {"type": "boolean"},
                "limits": {"type": "object"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["city"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {}}}}

CALLS = {
    "one": [("get_weather", {"city": "Reykjavík", "days": 3})],
    "no arguments": [("clock", {})],
    "every type": [("get_weather", {"city": "a \"quoted\" name, [x] {y}", "days": -1, "hourly": True, "limits": {"low": 1.5, "high": None}, "tags": ["é", "b"]})],
    "lines": [("get_weather", {"city": "first\nsecond\n  third"})],
    "two": [("get_weather", {"city": "Rome"}), ("clock", {})],
}


# What the families are known to write: the rows of templates/tool_parsers/call_format.cpp.
FORMATS = {
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "command_r",
    "GLM-4.6": "glm45",
    "MiniMax-M1": "minimax_m1",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral_v11",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "deepseek_v3",
    "deepseek-ai-DeepSeek-V3.1": "deepseek_v31",
    "fireworks-ai-llama-3-firefunction-v2": "functools",
    "google-gemma-4-31B-it": "gemma4",
    "meetkai-functionary-medium-v3.2": "functionary_v32",
    "meta-llama-Llama-3.1-8B-Instruct": "llama3_json",
    "meta-llama-Llama-3.2-3B-Instruct": "llama3_json",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral",
    "openai-gpt-oss-120b": "harmony",
}

# Where the answer ends: tokens at which generation stops.
ENDS = re.compile(r"<\|im_end\|>|</s>|<\|eot_id\|>|<end_of_sentence>|<｜end▁of▁sentence｜>|<\|END_OF_TURN_TOKEN\|>|<\|call\|>|<\|tool_response>")


def message(calls, as_text, content):
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [
            {"id": f"call00{i:03}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False) if as_text else arguments}}
            for i, (name, arguments) in enumerate(calls)
        ],
    }


def answer(template, calls):
    """(the end of the prompt, what is behind it), or None."""
    user = [{"role": "user", "content": "What is the weather?"}]
    inputs = {"tools": [WEATHER, CLOCK], "extra": {"enable_thinking": False}}
    prompt, _ = render(template, {"messages": user, **inputs})
    for as_text, content in ((False, ""), (True, ""), (False, None), (True, None)):
        whole, _ = render(template, {"messages": user + [message(calls, as_text, content)], "add_generation_prompt": False, **inputs})
        if prompt is None or whole is None or ">{'" in whole or "\n{'" in whole:
            continue
        # The part that a model would be shown, up to a mark that both begin.
        common = next((i for i, (a, b) in enumerate(zip(prompt, whole)) if a != b), min(len(prompt), len(whole)))
        if prompt.rfind("<", 0, common) > prompt.rfind(">", 0, common):
            common = prompt.rfind("<", 0, common)
        text = ENDS.split(whole[common:])[0]
        if all(name in text for name, _ in calls):
            return prompt[max(0, common - 40) : common], text
    return None


def main():
    directory = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    out = {"tools": [WEATHER, CLOCK], "calls": {name: [{"name": f, "arguments": a} for f, a in calls] for name, calls in CALLS.items()}, "templates": []}
    for path in sorted(directory.glob("*.jinja")):
        template = path.read_text()
        answers = {}
        for name, calls in CALLS.items():
            found = answer(template, calls)
            if found is None:
                print(f"{path.name}: cannot write '{name}'")
                continue
            answers[name] = {"prompt": found[0], "text": found[1]}
        if answers:
            out["templates"].append({"name": path.stem, "format": FORMATS[path.stem], "sha256": hashlib.sha256(template.encode()).hexdigest(), "answers": answers})
    (OUT / "tool_calls.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
