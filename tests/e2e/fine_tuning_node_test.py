"""Runs fine_tuning_node_test.mjs against a daemon of its own."""

import pathlib
import subprocess
import sys
import tempfile

from daemon import Daemon

with tempfile.TemporaryDirectory() as state, Daemon("--job-priority", "normal", "--api-key", "sk-test-session", "--state-dir", state) as daemon:
    script = pathlib.Path(__file__).with_suffix(".mjs")
    sys.exit(subprocess.run(["node", script, daemon.url, "sk-test-session", daemon.model], timeout=600).returncode)
