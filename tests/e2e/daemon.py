"""A `hearth serve` process on a free port with a state directory of its own, or `hearth api` of a job, for the end-to-end tests: binary from HEARTH_BINARY,
model from HEARTH_DEFAULT_MODEL."""

import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request


def required(name):
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"{name} is not set; run the tests with ./dev test")
    return value


class Daemon:
    model = "test"
    headers = {}

    def __init__(self, *options, environment=None, model_path=None, job=None, ca=None, **popen):
        """`ca`: a PEM file; the daemon is reached by HTTPS and must show a certificate of it."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"{'https' if ca else 'http'}://127.0.0.1:{self.port}"
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        command = [required("HEARTH_BINARY"), "serve", "--model", f"{self.model}={model_path or required('HEARTH_DEFAULT_MODEL')}", "--port", str(self.port), *options]
        if job:
            command = [required("HEARTH_BINARY"), "api", job]
            environment = {"API_HOST": "127.0.0.1", "API_PORT": str(self.port), "API_MODEL_NAME": self.model}
        started = time.monotonic()
        self._state = tempfile.TemporaryDirectory(prefix="hearth-state-")  # one of its own: daemons do not share
        self.state = os.path.join(self._state.name, "hearth")
        self.process = subprocess.Popen(command, env={**os.environ, "XDG_STATE_HOME": self._state.name, **(environment or {})}, **popen)
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() - started > 60:
                self.process.kill()
                raise SystemExit("hearth serve did not become ready")
            time.sleep(0.01)
        self.ready_seconds = time.monotonic() - started

    def _ready(self):
        try:
            return urllib.request.urlopen(self.url + "/readyz", timeout=5, context=self._tls).status == 200
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """SIGTERM, and the exit code of the drained daemon."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._state.cleanup()

    def get(self, path):
        return urllib.request.urlopen(urllib.request.Request(self.url + path, headers=self.headers), timeout=60, context=self._tls).read().decode()

    def post(self, path, body, timeout=300):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **self.headers})
        return json.load(urllib.request.urlopen(request, timeout=timeout, context=self._tls))

    def metric(self, name):
        """The sum of a metric over its labels."""
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith((name + "{", name + " "))]
        if not lines:
            raise KeyError(name)
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024
