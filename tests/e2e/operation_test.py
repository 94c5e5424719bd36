"""packaging/hearth.service and examples/haproxy.cfg: systemd and HAProxy take them, and behind HAProxy two replicas stream, share requests and are drained
without a failed one. Without systemd-analyze its part is skipped and says so."""

import concurrent.futures
import getpass
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from daemon import Daemon, required
from training_job import conclude

ROOT = pathlib.Path(__file__).parents[2]


def unit_is_understood(results, folder):
    if not shutil.which("systemd-analyze"):
        print("SKIPPED packaging/hearth.service: there is no systemd-analyze")
        return
    text = (ROOT / "packaging/hearth.service").read_text().replace("/usr/local/bin/hearth", required("HEARTH_BINARY")).replace("User=hearth", f"User={getpass.getuser()}")
    unit = pathlib.Path(folder, "hearth.service")
    unit.write_text(text)
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
    complaints = [line for line in (verified.stdout + verified.stderr).splitlines() if "hearth.service" in line]
    results[f"systemd understands the unit {complaints or ''}"] = verified.returncode == 0 and not complaints
    rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True, text=True, timeout=60)
    level = re.search(r"exposure level for hearth.service: ([0-9.]+)", rated.stdout)
    results[f"its exposure is {level and level[1]}, at most 2"] = bool(level) and float(level[1]) <= 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def chat(url, max_tokens):
    body = {"model": "test", "messages": [{"role": "user", "content": "Count."}], "max_tokens": max_tokens, "ignore_eos": True, "stream": True}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        times, events = [], []
        for line in reply:
            if line.startswith(b"data: "):
                times.append(time.monotonic())
                events.append(line[6:].strip())
    return events, times[-1] - times[0]


def answers(daemon):
    try:
        return daemon.metric("hearth_answers_total")
    except KeyError:
        return 0


def replicas_share_and_drain(results, folder):
    example = (ROOT / "examples/haproxy.cfg").read_text()
    checked = subprocess.run(["haproxy", "-c", "-f", ROOT / "examples/haproxy.cfg"], capture_output=True, text=True, timeout=60)
    results["HAProxy takes the example as it is, without a warning"] = checked.returncode == 0 and "WARNING" not in checked.stdout + checked.stderr
    a_core_each = {"OMP_NUM_THREADS": "1"}  # two daemons that want all of them wait for each other in every layer
    with Daemon(environment=a_core_each) as one, Daemon(environment=a_core_each) as two:
        port, path = free_port(), pathlib.Path(folder, "haproxy.cfg")
        path.write_text(example.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("127.0.0.1:8001", f"127.0.0.1:{one.port}").replace("127.0.0.1:8002", f"127.0.0.1:{two.port}"))
        proxy = subprocess.Popen(["haproxy", "-f", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    urllib.request.urlopen(url + "/readyz", timeout=5)
                    break
                except OSError:
                    time.sleep(0.1)
            events, seconds = chat(url, 40)
            results[f"an answer streams through it: {len(events)} events over {seconds:.2f} s"] = events[-1] == b"[DONE]" and len(events) > 20 and seconds > 0.1
            before = answers(one), answers(two)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                running = [pool.submit(chat, url, 60) for _ in range(4)]
                time.sleep(0.5)
                one.process.send_signal(signal.SIGTERM)
                later = [pool.submit(chat, url, 8) for _ in range(4)]
                finished = [future.result()[0][-1] == b"[DONE]" for future in running]
                taken = [future.exception() is None for future in later]
            results["what ran on the drained replica was finished"] = all(finished)
            results[f"nobody notices the moment of the signal: {taken.count(True)} of 4 requests"] = all(taken)
            results["it ends with exit code 0"] = one.process.wait(60) == 0
            time.sleep(2)
            results["new requests go to the other one"] = all(chat(url, 4)[0][-1] == b"[DONE]" for _ in range(4)) and answers(two) > before[1]
        finally:
            proxy.terminate()
            proxy.wait(30)


def main():
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        unit_is_understood(results, folder)
        replicas_share_and_drain(results, folder)
    conclude(results)


main()
