"""Keys of a running daemon: made, limited and revoked by `hearth keys` while the openai client uses them; its log in JSON, which holds no secret; /openapi.json
as others' validator reads it; what a service manager is told."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import openai
import openapi_spec_validator

from daemon import Daemon, required

PROMPT = "a prompt that no log may hold"


def keys(state, *arguments):
    return subprocess.run([required("HEARTH_BINARY"), "keys", *arguments, "--state-dir", state], capture_output=True, text=True, timeout=60)


def create(state, name, *options):
    made = keys(state, "create", name, *options)
    assert made.returncode == 0, made
    return made.stdout.strip()


def outcome(daemon, key, **options):
    """What listing the models with that key gives: "ok" or the error's class and code."""
    try:
        openai.OpenAI(base_url=daemon.url + "/v1", api_key=key, max_retries=0, **options).models.list()
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {error.code}"
    return "ok"


def within_seconds(check, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.05)
    return False


def keys_of_a_running_daemon(results, daemon, texts):
    state = daemon.state
    results["without any key everybody may"] = outcome(daemon, "none") == "ok"
    texts["one"] = one = create(state, "one")
    results["the first key is asked for within seconds"] = within_seconds(lambda: outcome(daemon, "none") == "AuthenticationError invalid_api_key")
    results["it is accepted"] = outcome(daemon, one) == "ok"
    results["probes need none"] = json.loads(daemon.get("/health")) == {"status": "ok"}
    texts["trainer"] = trainer = create(state, "trainer", "--scope", "train")
    results["a key of another scope"] = within_seconds(lambda: outcome(daemon, trainer) == "PermissionDeniedError permission_denied")
    again = keys(state, "create", "one")
    results["a name is taken once"] = again.returncode == 1 and "revoke it first" in again.stderr
    results["an unknown scope"] = keys(state, "create", "x", "--scope", "trian").returncode == 2
    listed = keys(state, "list").stdout
    results["the list has the end of a key and never the key"] = one[-4:] in listed and one[:20] not in listed and listed.count("\n") == 3
    results["revoking takes effect within seconds"] = keys(state, "revoke", "one").returncode == 0 and within_seconds(lambda: outcome(daemon, one) == "AuthenticationError invalid_api_key")
    return texts


def limits(results, daemon, texts):
    texts["slow"] = slow = create(daemon.state, "slow", "--requests-per-minute", "20")
    results["a key with a limit"] = within_seconds(lambda: outcome(daemon, slow) == "ok")
    client = openai.OpenAI(base_url=daemon.url + "/v1", api_key=slow, max_retries=0)
    seen = None
    for _ in range(30):
        try:
            client.models.list()
        except openai.RateLimitError as error:
            seen = error
            break
    wait = int(seen.response.headers["retry-after"])
    results["the openai client sees RateLimitError and Retry-After"] = seen.code == "rate_limit_exceeded" and 1 <= wait <= 3
    results["and how much is left"] = seen.response.headers["x-ratelimit-limit-requests"] == "20" and seen.response.headers["x-ratelimit-remaining-requests"] == "0"
    time.sleep(wait)
    results["Retry-After was honest"] = outcome(daemon, slow) == "ok"
    answer = openai.OpenAI(base_url=daemon.url + "/v1", api_key=slow, max_retries=3).chat.completions.create(
        model=daemon.model, messages=[{"role": "user", "content": PROMPT}], max_tokens=2)
    results["a client that tries again gets its answer"] = answer.choices[0].finish_reason == "length"


def log_is_json(results, path, texts):
    lines = path.read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    results["every line of the log is an object with time, level and message"] = bool(entries) and all({"time", "level", "message"} <= entry.keys() for entry in entries)
    chat = [entry for entry in entries if entry.get("route") == "/v1/chat/completions" and entry["status"] == 200]
    results["a request has its id, key, status, time and client"] = len(chat) == 1 and chat[0]["key"] == "slow" and chat[0]["request_id"].startswith("req_") and chat[0]["ms"] > 0 and chat[0]["client"] == "127.0.0.1"
    text = "\n".join(lines)
    results["no key and no prompt is in it"] = not any(key[:20] in text for key in texts.values()) and PROMPT not in text


def openapi_is_valid(results, daemon, texts):
    texts["reader"] = key = create(daemon.state, "reader")
    within_seconds(lambda: outcome(daemon, key) == "ok")
    Daemon.headers = {"Authorization": f"Bearer {key}"}
    document = json.loads(daemon.get("/openapi.json"))
    Daemon.headers = {}
    try:
        openapi_spec_validator.validate(document)
        results["/openapi.json is OpenAPI 3.1"] = document["openapi"] == "3.1.0"
    except Exception as error:  # of many classes
        print(error, file=sys.stderr)
        results["/openapi.json is OpenAPI 3.1"] = False


def main():
    results, texts = {}, {}
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(os.path.join(folder, "notify"))
        manager.settimeout(30)
        log = pathlib.Path(folder, "log")
        with log.open("w") as file, Daemon(environment={"HEARTH_LOG_FORMAT": "json", "NOTIFY_SOCKET": os.path.join(folder, "notify")}, stderr=file) as daemon:
            results["the service manager hears that it is ready"] = manager.recv(64) == b"READY=1"
            keys_of_a_running_daemon(results, daemon, texts)
            limits(results, daemon, texts)
            openapi_is_valid(results, daemon, texts)
            stored = b"".join(path.read_bytes() for path in pathlib.Path(daemon.state).glob("hearth.sqlite*"))
            results["the database has no key's text"] = not any(text[:20].encode() in stored for text in texts.values())
        results["and that it stops"] = manager.recv(64) == b"STOPPING=1"
        log_is_json(results, log, texts)
        with tempfile.TemporaryDirectory() as state:
            key = create(state, "network")
            with Daemon("--host", "0.0.0.0", environment={"HEARTH_STATE_DIR": state}) as daemon:
                results["a stored key lets it listen to the network"] = outcome(daemon, key) == "ok" and outcome(daemon, "x") == "AuthenticationError invalid_api_key"
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    failed = sum(not passed for passed in results.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
