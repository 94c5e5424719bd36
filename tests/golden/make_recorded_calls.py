"""Recorded answers with calls of tools: what the default model wrote, freely, when shown calls in each format of LLaMA-Factory, and which calls LLaMA-Factory's own
tool_extractor finds there. Versions: requirements.txt (llamafactory 0.9.5).

    HEARTH_BINARY=build/release/hearth HEARTH_DEFAULT_MODEL=... make_recorded_calls.py

Writes templates/recorded_calls.json: {format, text, calls}; calls is null where the extractor finds none. Sampled with seeds, so that the same build writes the same again.
"""

import importlib.util
import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from daemon import Daemon  # noqa: E402

from make_tool_calls import CLOCK, WEATHER  # noqa: E402

FORMATS = {  # LLaMA-Factory's name -> ours
    "default": "default",
    "glm4": "glm4",
    "llama3": "llama3_json",
    "lfm2": "lfm2",
    "minimax1": "minimax_m1",
    "minimax2": "minimax_m2",
    "mistral": "mistral",
    "qwen": "hermes",
    "qwen3_5": "qwen3_coder",
    "glm4_moe": "glm45",
    "seed_oss": "seed_oss",
    "gemma4": "gemma4",
}
# What the template puts around calls in these formats, not the formatter.
AROUND = {"mistral": ("[TOOL_CALLS]", ""), "minimax2": ("<minimax:tool_call>\n", "\n</minimax:tool_call>")}
QUESTIONS = ["What will the weather be in Paris for the next 3 days?", "Is it warm in Rome, and what time is it?", "Say \"hello\" to the weather in New York!"]
SEEDS = range(4)


def tool_utils():
    """The one file of LLaMA-Factory, without what stands beside it."""
    package = importlib.util.find_spec("llamafactory").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("tool_utils", pathlib.Path(package) / "data" / "tool_utils.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tool_utils"] = module
    spec.loader.exec_module(module)
    return module


def conversation(utils, name, question):
    shown = [("get_weather", {"city": "Oslo", "days": 2}), ("clock", {})]

    def written(calls):
        before, behind = AROUND.get(name, ("", ""))
        return before + utils.TOOLS[name].function_formatter([utils_call(f, a) for f, a in calls]).strip() + behind

    def utils_call(function, arguments):
        import tool_utils

        return tool_utils.FunctionCall(function, json.dumps(arguments))

    turns = [{"role": "system", "content": utils.TOOLS[name].tool_formatter([WEATHER["function"], CLOCK["function"]]).strip()}]
    for call, asked in zip(shown, ("How is the weather in Oslo, today and tomorrow?", "What time is it?")):
        turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": written([call])}]
        turns += [{"role": "user", "content": '{"result": 12}'}, {"role": "assistant", "content": "It is 12."}]
    return turns + [{"role": "user", "content": question}]


def main():
    utils = tool_utils()
    recorded = []
    with Daemon("--model", f"m={os.environ['HEARTH_DEFAULT_MODEL']}") as daemon:
        for name, ours in FORMATS.items():
            for question in QUESTIONS:
                for seed in SEEDS:
                    body = {"model": "m", "messages": conversation(utils, name, question), "max_tokens": 120, "temperature": 0.7, "seed": seed}
                    text = daemon.post("/v1/chat/completions", body)["choices"][0]["message"]["content"]
                    try:
                        found = utils.TOOLS[name].tool_extractor(text)
                        calls = None if isinstance(found, str) else [{"name": f, "arguments": json.loads(a)} for f, a in found]
                    except Exception:  # noqa: BLE001 - the reference's own trouble with what was written
                        calls = None
                    recorded.append({"format": ours, "text": text, "calls": calls or None})
    (HERE / "templates" / "recorded_calls.json").write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(recorded)} answers, calls in {sum(1 for one in recorded if one['calls'])}")


if __name__ == "__main__":
    main()
