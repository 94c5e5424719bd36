"""A command in a tmux pane with a tmux server of its own, driven by keys and read as a screen; and its recording as an asciicast."""

import os
import re
import shlex
import subprocess
import sys
import time

RECORDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "asciicast.py")


def attributes_of(text, screen):
    """The SGR attributes with which `text` stands on a screen("-e") for the first time, without default colours: {"1"} is bold."""
    attributes, color = set(), set()
    for sequence in re.findall(r"\x1b\[([0-9;]*)m", screen[: screen.index(text)]):
        for code in sequence.split(";"):
            if code in ("", "0"):
                attributes, color = set(), set()
            elif len(code) == 2:
                color = {code} if code[0] == "3" and code != "39" else set() if code == "39" else color
            else:
                attributes.add(code)
    return attributes | color


class Pane:
    def __init__(self, command, width=100, height=50):
        """`command`: for sh."""
        self.socket = f"hearth-{os.getpid()}-{time.monotonic_ns()}"
        self.size = (width, height)
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height), "sh", "-c", command)
        self.tmux("set-option", "-g", "history-limit", "5000")

    def tmux(self, *arguments):
        command = ["tmux", "-u", "-L", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], check=False, capture_output=True)

    def record(self, path, title):
        """Everything that is written from now on, with its time."""
        self.tmux("pipe-pane", "-o", shlex.join([sys.executable, RECORDER, path, *map(str, self.size), title]))

    def screen(self, *options):
        """With what has scrolled away, wrapped lines joined."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-", *options)

    def type(self, text, enter=True):
        self.tmux("send-keys", "-l", text)
        if enter:
            self.key("Enter")

    def key(self, *names):
        self.tmux("send-keys", *names)

    def paste(self, text):
        self.tmux("set-buffer", text)
        self.tmux("paste-buffer", "-p")

    def last_line(self):
        return ([line for line in self.screen().splitlines() if line.strip()] or [""])[-1]

    def wait(self, condition, what, seconds=120):
        """True when condition(screen) held in time; prints the screen when not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition(self.screen()):
                return True
            time.sleep(0.05)
        print(f"waited in vain for: {what}\n{self.screen()}", file=sys.stderr)
        return False

    def prompt(self):
        """What ran is over: an empty prompt of the chat stands on the last line."""
        return self.wait(lambda screen: screen.rstrip().endswith("\n>"), "a prompt")
