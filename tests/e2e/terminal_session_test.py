"""A session of `hearth chat` from hello to coming back another day, with the default model in a real terminal: recorded for people (an asciicast, and every chapter's screen
with its attributes, in $HEARTH_RECORDINGS, by default build/dev/terminal_session) and checked screen by screen."""

import json
import os
import re
import sys
import tempfile
import time

from daemon import required
from pane import Pane, attributes_of
from small_adapter import write_adapter

RECORDINGS = os.environ.get("HEARTH_RECORDINGS", "build/dev/terminal_session")
MODEL = "smollm2-135m-instruct"
WIDTH, HEIGHT = 90, 30


class Session(Pane):
    """A shell whose only cached model is the default one."""

    def __init__(self, folder):
        models = os.path.join(folder, "cache", "hearth", "models")
        os.makedirs(models)
        os.symlink(os.path.abspath(required("HEARTH_DEFAULT_MODEL")), os.path.join(models, MODEL + ".gguf"))
        write_adapter(os.path.join(folder, "home", "saves", "pirate"))
        home = os.path.join(folder, "home")
        variables = {
            "HOME": home, "XDG_CACHE_HOME": os.path.join(folder, "cache"), "XDG_STATE_HOME": os.path.join(folder, "state"), "HF_HUB_CACHE": os.path.join(folder, "hub"),
            "PATH": os.path.dirname(os.path.abspath(required("HEARTH_BINARY"))) + ":" + os.environ["PATH"], "PS1": "$ "}
        settings = " ".join(f"{name}='{value}'" for name, value in variables.items())
        super().__init__(f"cd {home} && exec env -u NO_COLOR {settings} sh", WIDTH, HEIGHT)
        os.makedirs(RECORDINGS, exist_ok=True)
        for old in os.listdir(RECORDINGS):
            os.remove(os.path.join(RECORDINGS, old))
        self.record(os.path.abspath(os.path.join(RECORDINGS, "session.cast")), "hearth chat")
        self.chapters = 0
        self.results = {}

    def say(self, text):
        """As a person types, and Enter."""
        for character in text:
            self.type(character, enter=False)
        self.key("Enter")

    def after(self, text):
        """What stands behind the last line that was typed so."""
        return self.screen().rpartition(text)[2]

    def answered(self, text):
        """The message's answer is over: its last line and a prompt stand behind it."""
        return self.wait(lambda _: re.search(r"\n\d+ tokens.*\n\n>$", self.after(text).rstrip()), f"the answer to {text}", 60)

    def reply(self, typed, expected):
        return self.wait(lambda _: re.search(expected, self.after(typed)), expected, 20) and self.prompt()

    def chapter(self, name, passed):
        """Ends a chapter: its screen is kept, and whether it was as it should be."""
        self.chapters += 1
        for ending, options in (("txt", ()), ("ansi", ("-e",))):
            with open(os.path.join(RECORDINGS, f"{self.chapters:02}-{name.replace(' ', '-')}.{ending}"), "w", encoding="utf-8") as file:
                file.write(self.tmux("capture-pane", "-p", *options))
        self.results[name] = bool(passed)


def first_day(session, home):
    session.say("hearth chat --set temperature=0")
    session.chapter("greeting", session.prompt() and f"{MODEL}  -  /help lists the commands" in session.screen())
    session.say("/help")
    session.chapter("help fits one screen", session.reply("> /help", "/exit +leave") and "> /help" in session.tmux("capture-pane", "-p"))
    session.say("Show a short Python function that adds two numbers. Use a Markdown code block.")
    answered = session.answered("code block.")
    session.chapter("an answer with styled code", answered and "```python" in session.screen() and attributes_of("def ", session.screen("-e")) == {"36"})
    changed_mind(session)
    with_adapter(session)
    session.paste("把这句话翻译成英文：\n你好，世界 🙂")
    session.wait(lambda s: "你好，世界 🙂" in s, "the paste", 10)
    session.key("Enter")
    session.chapter("a pasted message of two lines", session.answered("世界 🙂"))
    session.say("/undo")
    session.chapter("undo", session.reply("> /undo", "4 messages are left"))
    saved(session, home)
    session.key("C-d")
    session.chapter("left with Ctrl-D", session.wait(lambda s: s.rstrip().endswith("\n$"), "the shell", 20))


def changed_mind(session):
    long = "Write a long story about a lighthouse."
    session.say(long)
    session.wait(lambda _: len(session.after(long).split()) > 25, "the story's beginning", 30)
    session.type("too early", enter=False)
    session.wait(lambda _: len(session.after(long).split()) > 40, "more of the story", 30)
    session.key("C-c")
    stopped = session.answered(long) and "stopped" in session.after(long) and "too early" not in session.screen()
    session.chapter("stopped with Ctrl-C", stopped)
    session.say("/set max_tokens 60")
    session.say("/regen")
    session.chapter("regenerated", session.answered("> /regen") and "60 tokens" in session.after("> /regen"))
    session.say("/edit")
    prefilled = session.wait(lambda s: s.rstrip().endswith(f"edit> {long}"), "the message to edit", 10)
    session.key("BSpace", *["BSpace"] * len("lighthouse"))
    session.say("cat.")
    session.chapter("the last message edited", prefilled and session.answered("edit> Write a long story about a cat."))


def with_adapter(session):
    session.type("/mo", enter=False)
    session.key("Tab")
    session.wait(lambda s: s.endswith("> /model ") or s.rstrip().endswith("> /model"), "the command", 10)
    session.key("Tab")
    session.type("sav", enter=False)
    session.key("Tab", "Tab")
    completed = session.wait(lambda s: s.rstrip().endswith(f"> /model {MODEL} saves/pirate/"), "the model and its adapter", 10)
    session.key("Enter")
    switched = session.reply("saves/pirate/", f"{MODEL}:pirate answers from now on")
    session.chapter("an adapter by Tab", completed and switched)
    session.say("/model")
    session.chapter("the models", session.reply("> /model\n", rf"\* {MODEL}:pirate\n  {MODEL}\n"))


def saved(session, home):
    session.say("/save talk.json")
    told = session.reply("> /save talk.json", "4 messages saved to talk.json")
    with open(os.path.join(home, "talk.json"), encoding="utf-8") as file:
        talk = json.load(file)
    asked = [message["content"] for message in talk["messages"] if message["role"] == "user"]
    session.chapter("saved", told and talk["format"] == "hearth.conversation" and talk["version"] == 1 and talk["model"] == f"{MODEL}:pirate"
                    and asked[1] == "Write a long story about a cat." and [message["role"] for message in talk["messages"]] == ["user", "assistant"] * 2)


def another_day(session):
    session.say("clear")
    session.wait(lambda _: session.tmux("capture-pane", "-p").rstrip() == "$", "a clear screen", 10)
    session.say("hearth chat")
    session.prompt()
    session.key("Up", "Up", "Up")
    session.chapter("back with the history", session.wait(lambda s: s.rstrip().endswith("> 把这句话翻译成英文：\n你好，世界 🙂"), "the message of the day before", 10))
    session.key("C-a", "C-c")
    session.chapter("given up with Ctrl-C", session.wait(lambda s: s.rstrip().endswith("\n> 把这句话翻译成英文：\n你好，世界 🙂^C\n>"), "the line given up", 10))
    session.say("/load talk.json")
    loaded = session.reply("> /load talk.json", rf"4 messages loaded from talk.json \(Show a short Python function that adds two numbers. Use a\); {MODEL}:pirate answered them")
    session.say("/set max_tokens 30")
    session.say("Thank you!")
    session.chapter("the conversation goes on", loaded and session.answered("Thank you!"))
    session.say("/stats")
    session.chapter("it had all of it", session.reply("> /stats", r"last answer: \d{3} prompt tokens"))
    session.say("/exit")
    session.wait(lambda s: s.rstrip().endswith("\n$"), "the shell", 20)


def check_recording(results):
    with open(os.path.join(RECORDINGS, "session.cast"), encoding="utf-8") as file:
        header, *events = map(json.loads, file)
    times = [event[0] for event in events]
    results["the recording is an asciicast of it"] = (
        header["version"] == 2 and (header["width"], header["height"]) == (WIDTH, HEIGHT) and len(events) > 200 and times == sorted(times)
        and all(event[1] == "o" for event in events) and "你好，世界" in "".join(event[2] for event in events))


def main():
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        with Session(folder) as session:
            first_day(session, os.path.join(folder, "home"))
            another_day(session)
            results = session.results
    check_recording(results)
    for name, passed in results.items():
        print(f"{'ok  ' if passed else 'FAIL'} {name}")
    failed = list(results.values()).count(False)
    print(f"{len(results) - failed} passed, {failed} failed in {time.monotonic() - started:.0f} s; {RECORDINGS}")
    sys.exit(1 if failed else 0)


main()
