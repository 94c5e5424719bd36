"""Runs the page's tests (*.test.mjs, node's test runner) in Chromium against daemons of their own: one that asks for no key, and one that does."""

import os
import pathlib
import subprocess
import sys

from daemon import Daemon

HERE = pathlib.Path(__file__).parent
KEY = "sk-test-page"

with Daemon("--job-priority", "normal") as daemon, Daemon("--api-key", KEY) as locked:
    variables = {"HEARTH_URL": daemon.url, "HEARTH_STATE": daemon.state, "HEARTH_MODEL": daemon.model, "HEARTH_LOCKED_URL": locked.url, "HEARTH_KEY": KEY}
    command = ["node", "--test", "--test-concurrency=1", "--test-timeout=300000", "--test-force-exit", "--test-reporter=spec", *sorted(map(str, HERE.glob(sys.argv[1] if len(sys.argv) > 1 else "*.test.mjs")))]
    sys.exit(subprocess.run(command, env={**os.environ, **variables}, timeout=600).returncode)
