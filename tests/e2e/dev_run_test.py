"""README's first command on a built tree: `./dev run` prints an address and a curl line, the curl line answers, Ctrl-C stops the server."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = subprocess.Popen(["./dev", "run", "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        banner = ""
        for line in run.stdout:
            banner += line
            if "Ctrl-C" in line:
                break
        curl = re.search(r"curl .*\\\n.*", banner)
        answer = subprocess.run(curl[0], shell=True, capture_output=True, text=True, timeout=120).stdout if curl else ""
    finally:
        os.killpg(run.pid, signal.SIGINT)
        run.wait(60)
    failed = 0 if '"chat.completion"' in answer else 1
    print(banner if failed else "", answer[:200])
    print(f"{1 - failed} passed, {failed} failed")
    sys.exit(failed)


main()
