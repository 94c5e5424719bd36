"""More than the daemon can take: 64 long requests at once against small bounds, 200 clients that vanish in the middle of a stream, clients that send their
headers or their upload a byte at a time, and five equal loads after which the memory must not have grown.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import socket
import sys
import tempfile
import threading
import time

from daemon import Daemon
from training_job import write_model

MAX_RUNNING, MAX_QUEUED = 4, 12
LONG, CONTEXT = 900, 1024  # tokens; a tiny model draws thousands a second
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def model_in(directory):
    """The tiny model, with room for long answers."""
    write_model(directory)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"max_position_embeddings": CONTEXT}))
    return directory


def completion(daemon, tokens, stream=False, number=0):
    """(status, headers, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=300)
    body = {"model": daemon.model, "prompt": f"{number} once", "max_tokens": tokens, "stream": stream, "ignore_eos": True}
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read()


def until(condition, seconds=30):
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            return False
        time.sleep(0.05)
    return True


def count(daemon, what):
    return len(os.listdir(f"/proc/{daemon.process.pid}/{what}"))


@check
def the_bound_holds_and_who_is_accepted_finishes(daemon):
    done, most = threading.Event(), {"running": 0, "queued": 0}

    def watch():
        while not done.is_set():
            for name in most:
                most[name] = max(most[name], daemon.metric(f"hearth_sequences_{name}"))
            time.sleep(0.02)

    completion(daemon, 1)  # the metrics of a model begin with its first step
    watcher = threading.Thread(target=watch)
    watcher.start()
    together = threading.Barrier(64)

    def one(i):
        together.wait()
        return completion(daemon, LONG, number=i)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(one, range(64)))
    done.set()
    watcher.join()
    assert most["running"] <= MAX_RUNNING and most["queued"] <= MAX_QUEUED, most
    accepted = [json.loads(body) for status, _, body in answers if status == 200]
    refused = [(status, headers, json.loads(body)) for status, headers, body in answers if status != 200]
    assert len(accepted) >= MAX_RUNNING + MAX_QUEUED and refused, (len(accepted), len(refused))
    for answer in accepted:
        assert answer["choices"][0]["finish_reason"] in ("length", "stop") and answer["usage"]["completion_tokens"] > 0, answer
    for status, headers, body in refused:
        assert status in (429, 503) and body["error"]["code"] in ("server_overloaded", "rate_limit_exceeded"), (status, body)
        assert 1 <= int(headers["Retry-After"]) <= 120, headers["Retry-After"]


def open_stream(daemon, number):
    """A socket whose stream has begun, or None for one that was refused."""
    body = json.dumps({"model": daemon.model, "prompt": f"{number} is", "max_tokens": LONG, "stream": True, "ignore_eos": True}).encode()
    client = socket.create_connection(("127.0.0.1", daemon.port), timeout=60)
    client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head = client.recv(64)
    return client if b" 200 " in head else client.close()


@check
def clients_that_vanish_leave_nothing_behind(daemon):
    assert until(lambda: count(daemon, "task") <= idle_threads), "threads of an earlier check are still there"
    descriptors = count(daemon, "fd")
    left = 0
    while left < 200:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            clients = [client for client in pool.map(lambda i: open_stream(daemon, left + i), range(MAX_RUNNING + MAX_QUEUED)) if client]
        assert clients
        for client in clients:
            client.close()
        left += len(clients)
        assert until(lambda: daemon.metric("hearth_sequences_running") + daemon.metric("hearth_sequences_queued") == 0), "a sequence is left"
    assert until(lambda: daemon.metric("hearth_kv_blocks_used") == 0), "blocks are left"
    assert until(lambda: count(daemon, "fd") <= descriptors), (count(daemon, "fd"), descriptors)
    assert until(lambda: count(daemon, "task") <= idle_threads), (count(daemon, "task"), idle_threads)


FORM = b"--B\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
SLOW = {
    "headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 10),
    "upload": (b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nContent-Type: multipart/form-data; boundary=B\r\n\r\n" + FORM, 30),
}


def seconds_until_cut_off(daemon, first, limit):
    client = socket.create_connection(("127.0.0.1", daemon.port), timeout=0.2)
    client.sendall(first)
    started = time.monotonic()
    while time.monotonic() - started < limit + 10:
        try:
            client.sendall(b"x")
            if client.recv(4096):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    client.close()
    return time.monotonic() - started


@check
def memory_does_not_grow(daemon):
    """The first two loads fill what is kept: the threads' arenas, the cache of prefixes, buffers of the engine. From then on a load of 16 answers that kept
    200 KiB of each would show: three loads of it are 9 MiB, and the bound is 8."""
    resident = []
    for _ in range(5):
        with concurrent.futures.ThreadPoolExecutor(MAX_RUNNING + MAX_QUEUED) as pool:
            assert all(status == 200 for status, _, _ in pool.map(lambda i: completion(daemon, 16, number=i), range(MAX_RUNNING + MAX_QUEUED)))
        resident.append(daemon.resident_mib())
    print("     MiB resident after each load:", *(f"{mib:.1f}" for mib in resident))
    assert resident[4] <= resident[1] + 8, resident


def main():
    global idle_threads
    failed = 0
    with tempfile.TemporaryDirectory() as directory, Daemon("--max-running", str(MAX_RUNNING), "--max-queued", str(MAX_QUEUED), "--cache-tokens", "8192",
                                                            environment={"OMP_NUM_THREADS": "1"}, model_path=model_in(pathlib.Path(directory) / "tiny")) as daemon:
        completion(daemon, 1)
        idle_threads = count(daemon, "task") + 2  # those of the pool that a request of this test keeps awake
        with concurrent.futures.ThreadPoolExecutor(len(SLOW)) as pool:
            slow = {name: pool.submit(seconds_until_cut_off, daemon, *SLOW[name]) for name in SLOW}
            for function in CHECKS:
                try:
                    function(daemon)
                    print("ok  ", function.__name__)
                except Exception as error:  # every check is reported, whatever it raised
                    failed += 1
                    print("FAIL", function.__name__, repr(error))
            for name, result in slow.items():
                seconds, limit = result.result(), SLOW[name][1]
                passed = limit - 1 <= seconds <= limit + 5
                failed += not passed
                print("ok  " if passed else "FAIL", f"slow {name} were cut off after {seconds:.1f} s of {limit}")
    print(f"{len(CHECKS) + len(SLOW) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
