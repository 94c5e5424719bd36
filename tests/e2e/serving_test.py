"""What the daemon promises of start, memory and batching, with the default model: ready within 2 s, at most 600 MiB resident with an 8,192-token cache in
use, and 16 requests at once give at temperature 0 the tokens that each gives alone, whether prompts come whole, in chunks or out of the prefix cache.
"""

import concurrent.futures
import sys

from daemon import Daemon

TOPICS = ["the sea", "a mill", "prime numbers", "bread", "Paris", "an owl", "rain", "chess", "copper", "a lighthouse", "tea", "violins", "the moon", "ants", "snow", "maps"]


def request(daemon, i):
    text = f"Tell me about {TOPICS[i]}. " + "Please be brief and exact. " * (i * 6)
    body = {"model": daemon.model, "messages": [{"role": "user", "content": text}], "max_tokens": 24 + i, "temperature": 0, "logprobs": True, "top_logprobs": 2}
    choice = daemon.post("/v1/chat/completions", body)["choices"][0]
    return choice["message"]["content"], [(entry["token"], entry["logprob"]) for entry in choice["logprobs"]["content"]]


def fill_cache(daemon):
    for length in (4000, 8000):
        ids = [1000 + i * 7 % 30000 for i in range(length)]
        daemon.post("/v1/completions", {"model": daemon.model, "prompt": ids, "max_tokens": 1})


def main():
    results = {}
    with Daemon("--cache-tokens", "8192") as daemon:
        results[f"ready after {daemon.ready_seconds:.2f} s, at most 2"] = daemon.ready_seconds <= 2
        alone = [request(daemon, i) for i in range(16)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda i: request(daemon, i), range(16)))
        results["16 at once equal each alone, tokens and log-probabilities to the bit"] = together == alone
    with Daemon("--cache-tokens", "8192") as daemon:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results["the same from a fresh daemon, all at once"] = list(pool.map(lambda i: request(daemon, i), range(16))) == alone
        fill_cache(daemon)
        resident = daemon.resident_mib()
        results[f"{resident:.0f} MiB resident with a full 8,192-token cache, at most 600"] = resident <= 600
        results["SIGTERM ends it with exit code 0"] = daemon.stop() == 0
    for name, passed in results.items():
        print("ok  " if passed else "FAIL", name)
    failed = sum(not passed for passed in results.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
