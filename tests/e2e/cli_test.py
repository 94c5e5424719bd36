"""The command line of the release binary: exit codes (0 done, 1 failed, 2 usage or configuration), one line for an error, help for every command."""

import json
import os
import subprocess
import sys
import tempfile

BINARY = os.environ["HEARTH_BINARY"]
MODEL = os.environ["HEARTH_DEFAULT_MODEL"]
COMMANDS = ["serve", "api", "webchat", "keys", "chat", "train", "eval", "export", "bench", "submit", "jobs", "preprocess", "data", "pull", "models", "templates", "env", "version"]


def hearth(*arguments, **variables):
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env={**os.environ, **variables})


def refused(code, part, *arguments, **variables):
    """Exit code, nothing on stdout, and one line on stderr that has `part`."""
    result = hearth(*arguments, **variables)
    good = result.returncode == code and result.stdout == "" and result.stderr.count("\n") == 1 and part in result.stderr
    if not good:
        print(arguments, result, file=sys.stderr)
    return good


def help_is_there(results):
    overview = hearth("help")
    results["help lists the commands"] = overview.returncode == 0 and all(f"\n  {name} " in overview.stdout for name in COMMANDS)
    for name in COMMANDS:
        by_word, by_option = hearth("help", name), hearth(name, "--help")
        results[f"help {name} has an example"] = by_word.returncode == 0 and "hearth " + name in by_word.stdout and by_word.stdout == by_option.stdout
    results["no command at all is a mistake"] = hearth().returncode == 2


def mistakes_are_told(results, folder):
    with open(os.path.join(folder, "serve.yaml"), "w", encoding="utf-8") as file:
        file.write("host: 127.0.0.1\nprot: 9000\n")
    with open(os.path.join(folder, "lora.yaml"), "w", encoding="utf-8") as file:
        file.write(f"model_name_or_path: {MODEL}\nadapter_name_or_path: saves/x\n")
    serve, lora = os.path.join(folder, "serve.yaml"), os.path.join(folder, "lora.yaml")
    results["a mistyped command names the nearest"] = refused(2, "did you mean 'serve'?", "sevre")
    results["an unknown log level"] = refused(2, "HEARTH_LOG=loud: must be info, warn or error", "version", HEARTH_LOG="loud")
    results["a mistyped option names the nearest"] = refused(2, "did you mean '--port'?", "serve", "--prot", "1")
    results["a bad number"] = refused(2, "--port", "serve", "--port", "many")
    results["an unknown key names file, line and the nearest"] = refused(2, "serve.yaml:2: unknown key 'prot' (did you mean 'port'?)", "serve", serve)
    for name, arguments in {"api": [lora], "serve": ["--model", MODEL, "--adapter", "x=saves/x"], "chat": ["--model", MODEL, "--adapter", "saves/x"]}.items():
        results[f"an adapter that is not there ({name})"] = refused(1, "saves/x", name, *arguments)
    results["an adapter of a model that is not served"] = refused(2, "did you mean 'small'?", "serve", "--model", f"small={MODEL}", "--adapter", "smal:x=saves/x")
    results["an unknown template names the nearest"] = refused(2, "--template: no template 'lama3' (did you mean 'llama3'?)", "serve", "--template", "lama3")
    results["the network needs a key"] = refused(2, "API key", "serve", "--host", "0.0.0.0", HEARTH_STATE_DIR=folder)
    results["a model that is not there"] = refused(1, "no such file or directory", "serve", "--model", "./nothing.gguf")
    results["a repository that is not cached names the remedy"] = refused(1, "hearth pull org/name", "serve", "--model", "org/name", HF_HUB_CACHE=folder)
    results["no default model names the remedy"] = refused(1, "./dev run", "serve", XDG_CACHE_HOME=folder)
    results["the default model is not on a hub"] = refused(2, "PyPI", "pull", "smollm2-135m-instruct")
    results["a mistyped short name names the nearest"] = refused(2, "did you mean 'qwen3:0.6b'?", "pull", "qwn3:0.6b")
    results["no name at all"] = refused(2, "hearth pull --list", "pull")
    results["a short name leads to the hub"] = refused(1, "127.0.0.1", "pull", "smollm2:135m", HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_CACHE=folder)
    results["an unreachable hub"] = refused(1, "127.0.0.1", "pull", "org/name", HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_CACHE=folder)


def models_are_checked(results, folder):
    check = hearth("models", "check", MODEL)
    results["check says what a model is"] = check.returncode == 0 and "llama" in check.stdout and check.stdout.count("\n") == 1
    broken = os.path.join(folder, "broken.gguf")
    with open(MODEL, "rb") as source, open(broken, "wb") as target:
        target.write(source.read(1_000_000))
    results["a cut file is refused"] = refused(1, "broken.gguf", "models", "check", broken)
    models = os.path.join(folder, "hearth", "models")
    os.makedirs(models)
    os.symlink(MODEL, os.path.join(models, "tiny.gguf"))
    listed = hearth("models", "list", XDG_CACHE_HOME=folder, HF_HUB_CACHE=folder)
    results["list shows what is cached"] = listed.returncode == 0 and listed.stdout.startswith("tiny ")
    results["remove asks"] = refused(2, "--yes", "models", "remove", "tiny", XDG_CACHE_HOME=folder, HF_HUB_CACHE=folder)
    removed = hearth("models", "remove", "tiny", "--yes", XDG_CACHE_HOME=folder, HF_HUB_CACHE=folder)
    results["remove removes the link and not the file"] = removed.returncode == 0 and os.listdir(models) == [] and os.path.exists(MODEL)


def speed_is_measured(results):
    small = ["--prompt", "64", "--generate", "8", "--sequences", "1,2", "--train-tokens", "32", "--repetitions", "1", "--train-rows"]
    report = json.loads(hearth("bench", "--model", MODEL, *small, "1", "--json").stdout)
    results["bench says on what"] = report["threads"] > 0 and "llama" in report["description"] and report["model"] == MODEL
    tests = [(one["test"], one["sequences"], one["tokens"]) for one in report["results"]]
    results["bench measures reading, writing and learning"] = tests == [("prefill", 1, 64), ("decode", 1, 8), ("decode", 2, 8), ("train", 1, 32)]
    results["bench has a number of each"] = all(one["tokens_per_second"] == one["samples"][0] > 1 for one in report["results"])
    table = hearth("bench", "--model", MODEL, *small, "0").stdout
    results["bench draws a table"] = [line.split()[0] for line in table.splitlines()[3:]] == ["test", "prefill", "decode", "decode"]
    results["bench of more than fits"] = refused(1, "8192 positions", "bench", "--model", MODEL, "--prompt", "9000")


def main():
    results = {}
    help_is_there(results)
    results["version"] = hearth("version").stdout.startswith("hearth ")
    listed = hearth("pull", "--list")
    results["pull --list shows the short names"] = listed.returncode == 0 and "smollm2:135m " in listed.stdout
    listed, shown = hearth("templates"), hearth("templates", "zephyr")
    results["templates lists 124"] = listed.returncode == 0 and len(listed.stdout.split()) == 124 and "llama3\n" in listed.stdout
    results["templates shows slots"] = shown.returncode == 0 and '"<|user|>\\n{{content}}" {end of sequence} "<|assistant|>\\n"' in shown.stdout
    results["templates names the nearest"] = refused(2, "did you mean 'zephyr'?", "templates", "zephir")
    env = hearth("env").stdout
    results["env names CPU, kernels and libraries"] = all(f"- {key}: " in env for key in ("CPU", "kernels", "libraries", "compute threads"))
    with tempfile.TemporaryDirectory() as folder:
        mistakes_are_told(results, folder)
        models_are_checked(results, folder)
    speed_is_measured(results)
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    failed = sum(not passed for passed in results.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
