"""A daemon that a benchmark starts for itself."""

import json
import pathlib
import socket
import subprocess
import time
import urllib.request


class Daemon:
    """Serves one model as `smollm2` with its state in `folder`, and `options` of hearth serve."""

    def __init__(self, hearth, model, folder, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        self.url = self.root + "/v1"
        command = [hearth, "serve", "--model", f"smollm2={model}", "--port", str(port), "--state-dir", str(pathlib.Path(folder) / "state"), *options]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
                return
            except OSError:
                time.sleep(0.1)

    def call(self, path, body=None, root=None):
        request = urllib.request.Request((root or self.url) + path, None if body is None else json.dumps(body).encode())
        return json.load(urllib.request.urlopen(request))

    def wait(self, job, condition):
        while not condition(self.call("/jobs/" + job)):
            time.sleep(0.1)
