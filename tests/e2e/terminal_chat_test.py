"""The terminal chat as a person uses it: in a tmux pane with the default model, and through pipes, in process and against a daemon."""

import json
import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
import time

from canned_server import CannedServer
from daemon import Daemon
from pane import Pane, attributes_of

BINARY = os.environ["HEARTH_BINARY"]
MODEL = os.environ["HEARTH_DEFAULT_MODEL"]


class Chat(Pane):
    """`hearth chat` in a pane."""

    def __init__(self, state, *arguments, variables=()):
        settings = " ".join([f"XDG_STATE_HOME={shlex.quote(state)}", *variables])
        # Ctrl-C reaches the shell too, which must outlive it to show the exit code.
        super().__init__(f"trap : INT; {settings} {shlex.join([BINARY, 'chat', *arguments])}; echo exit=$?; while :; do sleep 1; done")

    def answers(self):
        """Answers so far: each ends with a line like "30 tokens, 95.1 tokens/s"."""
        return len(re.findall(r"^\d+ tokens", self.screen(), re.MULTILINE))

    def answered(self, count):
        return self.wait(lambda _: self.answers() >= count, f"answer {count}") and self.prompt()


def pipe(*arguments, stdin, **variables):
    return subprocess.run([BINARY, "chat", *arguments], input=stdin, capture_output=True, text=True, timeout=300, env={**os.environ, **variables})


def one_answer(result):
    return result.returncode == 0 and result.stdout.strip() != "" and "\x1b" not in result.stdout and "tokens/s" not in result.stdout and result.stderr == ""


def through_pipes(results):
    quick = ["--model", MODEL, "--set", "temperature=0", "--set", "max_tokens=400"]
    first = pipe(*quick, stdin="What is 2+2?\n")
    results["a pipe gives the answer alone, exit code 0"] = one_answer(first)
    results["temperature 0 gives it again"] = pipe(*quick, stdin="What is 2+2?").stdout == first.stdout
    results["all of stdin is one message"] = one_answer(pipe(*quick, stdin="Here are two numbers:\n2\n3\nAdd them.\n"))
    cut = pipe("--model", MODEL, "--set", "max_tokens=3", stdin="Count to one hundred.")
    results["an answer that is cut is told on stderr"] = cut.returncode == 0 and "was cut at max_tokens" in cut.stderr
    long = pipe("--model", MODEL, stdin="word " * 9000)
    results["a message beyond the context is one line and exit code 1"] = long.returncode == 1 and long.stderr.count("\n") == 1 and "/clear" in long.stderr
    empty = pipe("--model", MODEL, stdin="\n")
    results["an empty message is refused"] = empty.returncode == 1 and "no message on stdin" in empty.stderr
    missing = pipe("--model", "/nowhere/x.gguf", stdin="hi")
    results["a model that is not there is one line and exit code 1"] = missing.returncode == 1 and missing.stderr.count("\n") == 1
    with Daemon() as daemon:
        remote = pipe("--url", daemon.url, "--set", "temperature=0", "--set", "max_tokens=400", stdin="What is 2+2?\n")
        results["the same answer comes from a daemon"] = one_answer(remote) and remote.stdout == first.stdout


def conversation(results, folder, state):
    saved = os.path.join(folder, "chat.json")
    with Chat(state, "--model", MODEL, "--system", "Be brief.") as pane:
        results["the prompt comes"] = pane.prompt()
        pane.type("/set max_tokens 40")
        pane.type("/set temperature 0")
        results["/set shows what is set"] = pane.wait(lambda s: "temperature 0" in s and "max_tokens 40" in s, "/set") and pane.prompt()
        pane.type("What is the capital of France?")
        results["an answer with its speed"] = pane.answered(1) and "tokens/s" in pane.screen()
        pane.type("/set max_tokens 2000")
        pane.type("Write the longest story you can about a lighthouse.")
        pane.wait(lambda s: len(s.split("lighthouse.", 1)[-1].split()) > 20, "the story's beginning")
        pane.key("C-c")
        results["Ctrl-C stops the answer"] = pane.wait(lambda s: "stopped" in s, "stopped", 15) and pane.prompt()
        pane.type("/set max_tokens 30")
        pane.type("And the capital of Italy?")
        results["and the session goes on"] = pane.answered(3)
        pane.key("Up")
        results["arrow-up brings the last message back"] = pane.wait(lambda s: s.rstrip().endswith("> And the capital of Italy?"), "history", 10)
        pane.key("C-c")
        results["Ctrl-C gives the line up"] = pane.prompt()
        pane.type("Repeat this:\\")
        results["a backslash goes on"] = pane.wait(lambda s: s.rstrip().endswith("\n."), "the second prompt", 10)
        pane.type("zebra")
        results["several lines are one message"] = pane.answered(4)
        pane.type('"""')
        pane.type("in quotes")
        pane.type("stays whole")
        pane.type('"""')
        results["a quoted block is one message"] = pane.answered(5)
        pane.paste("pasted one\npasted two")
        pane.wait(lambda s: "pasted two" in s, "the paste", 10)
        time.sleep(0.5)
        results["a paste is not sent by its line breaks"] = pane.answers() == 5
        pane.key("Enter")
        pane.answered(6)
        pane.type("größe 漢字 🙂")
        pane.answered(7)
        pane.type(f"/save {saved}")
        results["/save"] = pane.wait(lambda s: "messages saved to" in s, "/save", 10)
        with open(saved, encoding="utf-8") as file:
            saved_talk = json.load(file)
        messages = saved_talk["messages"]
        users = [message["content"] for message in messages if message["role"] == "user"]
        results["the saved messages are what was typed"] = users == [
            "What is the capital of France?", "Write the longest story you can about a lighthouse.", "And the capital of Italy?",
            "Repeat this:\nzebra", "in quotes\nstays whole", "pasted one\npasted two", "größe 漢字 🙂"] and saved_talk["system"] == "Be brief."
        pane.type("/clear")
        pane.type(f"/load {saved}")
        results["/load"] = pane.wait(lambda s: f"{len(messages)} messages loaded" in s, "/load", 10)
        pane.type("/claer")
        results["a mistyped command names the nearest"] = pane.wait(lambda s: "did you mean '/clear'?" in s, "did you mean", 10)
        pane.type("/stats")
        results["/stats"] = pane.wait(lambda s: "session: 7 answers" in s, "/stats", 10)
        pane.type("/exit")
        results["/exit ends it with 0"] = pane.wait(lambda s: "exit=0" in s, "exit", 20)


def second_session(results, state):
    history = os.path.join(state, "hearth", "chat_history")
    results["the history file is the user's alone"] = stat.S_IMODE(os.stat(history).st_mode) == 0o600
    with Chat(state, "--model", MODEL, variables=["NO_COLOR=1"]) as pane:
        pane.prompt()
        results["NO_COLOR: no escape sequence"] = "\x1b[2m" not in pane.screen("-e")
        pane.key("Up")
        pane.key("Up")
        results["the history survives the session"] = pane.wait(lambda s: "> /stats" in s, "history", 10)
        pane.key("C-c")
        pane.prompt()
        pane.key("C-c")
        pane.prompt()
        pane.key("C-d")
        results["Ctrl-D leaves with 0"] = pane.wait(lambda s: "exit=0" in s, "exit", 20)
    with Chat(state, "--model", MODEL) as pane:
        pane.prompt()
        pane.key("C-c")
        pane.wait(lambda s: "Ctrl-C again" in s, "the hint", 10)
        pane.prompt()
        pane.key("C-c")
        results["Ctrl-C twice at an empty prompt leaves with 130"] = pane.wait(lambda s: "exit=130" in s, "exit", 20)


EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31mred \u202ereversed\u202c\r\b\b. "


PIECES = ["# A head", "ing\n\nSome **bo", "ld** `co", "de`. ", EVIL, "2 * 3 * 4\n", "```\nx = 1\n``", "`\nThe end."]


def without_styles(results, state):
    with CannedServer(model="canned", answers=[PIECES], breaks_after=9) as server:
        piped = subprocess.run([BINARY, "chat", "--url", server.url], input=b"hi", capture_output=True, timeout=60)
        results["a pipe gets the bytes as they are"] = piped.stdout == "".join([*PIECES, "\n"]).encode()
        with Chat(state, "--url", server.url, variables=["NO_COLOR=1"]) as pane:
            pane.prompt()
            pane.type("hi")
            results["NO_COLOR: no styles, and still no control characters"] = (
                pane.answered(1) and "\x1b" not in pane.screen("-e") and "Some **bold** `code`. ␛[2J␛]0;owned␇" in pane.screen())


def strange_servers(results, state):
    with CannedServer(model="canned:\x1b[2J", answers=[PIECES, ["Half an ans"]], breaks_after=1) as server, Chat(state, "--url", server.url) as pane:
        pane.prompt()
        pane.type("漢字🙂 first", enter=False)
        pane.key("Home", "Right", "Right", "Delete")  # the emoji
        pane.type("x")
        pane.answered(1)
        colored = pane.screen("-e")
        results["wide characters are edited as they stand"] = server.asked[0]["messages"][-1]["content"] == "漢字x first"
        results["a model's control characters are shown and not obeyed"] = (
            "␛[2J␛]0;owned␇<U+009B>31mred <U+202E>reversed<U+202C>␈␈. 2 * 3 * 4" in pane.screen()
            and "canned:␛[2J" in pane.screen() and "owned" not in pane.tmux("display-message", "-p", "#{pane_title}"))
        results["Markdown is styled"] = attributes_of("bold", colored) == {"1"} and attributes_of("code", colored) == {"36"} and attributes_of("Some", colored) == set()
        pane.type("Now break off")
        results["an answer that breaks off is told in one line"] = pane.wait(
            lambda s: re.search(r"Half an ans\nthe answer broke off: http://127.*\(arrow-up brings the message back\)\n\n>$", s.rstrip()), "the error", 10)
        pane.type("/regen")
        pane.wait(lambda s: "the answer before is kept" in s, "the second error", 10)
        pane.key("Up", "Up")
        results["arrow-up brings it back"] = pane.wait(lambda s: s.rstrip().endswith("> Now break off"), "history", 10)
        pane.key("C-a", "C-c")
        results["Ctrl-C in the middle of a line leaves it readable"] = pane.wait(lambda s: s.rstrip().endswith("> Now break off^C\n>"), "the line", 10)


def main():
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        state = os.path.join(folder, "state")
        conversation(results, folder, state)
        second_session(results, state)
        strange_servers(results, state)
        without_styles(results, state)
    through_pipes(results)
    for name, passed in results.items():
        print(f"{'ok  ' if passed else 'FAIL'} {name}")
    failed = list(results.values()).count(False)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
