"""Runs agents_node_test.mjs against a daemon of its own."""

import pathlib
import subprocess
import sys

from daemon import Daemon

with Daemon() as daemon:
    script = pathlib.Path(__file__).with_suffix(".mjs")
    sys.exit(subprocess.run(["node", script, daemon.url, daemon.model], timeout=300).returncode)
