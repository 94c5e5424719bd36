"""hearth against llama.cpp and OpenVINO GenAI on the same GGUF, with 2 threads each, in turn; prints medians and ratios and appends rows to bench/RESULTS.md.

  ./dev bench --peers [--rounds 3] [--engines hearth,llama.cpp,openvino] [--record]

Three workloads of random token ids (no prefix can be reused):
  prefill   tokens/s of a 512-token prompt, from the request to the first token
  decode    tokens/s of one sequence, 128 tokens after a 64-token prompt, the prompt's time taken off
  streams   tokens/s in all of 16 sequences at once, 128 prompt + 64 generated tokens each: (16 * 64) / wall time, prompts included
hearth is measured from outside, over HTTP; the peers in process, by the fastest interface that their packages give. Every round starts every engine anew.
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

THREADS = 2
REPEATS = 3
WORKLOADS = ["prefill", "decode", "streams"]
HEADER = "| date | CPU, 2 threads | commit | engine | prefill tok/s | decode tok/s | 16 streams tok/s | hearth's ratio |"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def prompt(length, rng):
    return [rng.randrange(1000, 40000) for _ in range(length)]


def measure(prefill, decode, streams):
    """Medians of each workload, given seconds(prompt), seconds(prompt, n) and seconds(prompts, n)."""
    rng = random.Random(time.time_ns())
    prefill(prompt(64, rng))
    decode(prompt(16, rng), 8)
    rates = {name: [] for name in WORKLOADS}
    for _ in range(REPEATS):
        rates["prefill"].append(512 / prefill(prompt(512, rng)))
        start = prompt(64, rng)
        first = prefill(start[::-1])
        rates["decode"].append(127 / (decode(start, 128) - first))
        rates["streams"].append(16 * 64 / streams([prompt(128, rng) for _ in range(16)], 64))
    return {name: statistics.median(values) for name, values in rates.items()}


def run_hearth(options):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    state = tempfile.TemporaryDirectory()  # not the one of a daemon that runs here
    environment = dict(os.environ, OMP_NUM_THREADS=str(THREADS), HEARTH_STATE_DIR=state.name)
    server = subprocess.Popen([options.hearth, "serve", "--model", f"bench={options.model}", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL)
    try:
        started = time.monotonic()
        while True:
            try:
                if urllib.request.urlopen(base + "/readyz").status == 200:
                    break
            except OSError:
                if server.poll() is not None or time.monotonic() - started > 60:
                    sys.exit("hearth serve did not become ready")
                time.sleep(0.01)
        ready = time.monotonic() - started

        def complete(ids, count):
            body = {"model": "bench", "prompt": ids, "max_tokens": count, "temperature": 0, "ignore_eos": True}
            request = urllib.request.Request(base + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
            reply = json.load(urllib.request.urlopen(request))
            assert reply["usage"]["completion_tokens"] == count, reply

        def seconds(call):
            begin = time.perf_counter()
            call()
            return time.perf_counter() - begin

        def streams(prompts, count):
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                return seconds(lambda: list(pool.map(lambda ids: complete(ids, count), prompts)))

        rates = measure(lambda ids: seconds(lambda: complete(ids, 1)), lambda ids, count: seconds(lambda: complete(ids, count)), streams)
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        rates["ready_seconds"] = ready
        rates["peak_mib"] = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
        return rates
    finally:
        server.terminate()
        server.wait()


def run_llama_cpp(options):
    import llama_cpp

    llama_cpp.llama_backend_init()
    silence = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silence, None)
    model = llama_cpp.llama_model_load_from_file(options.model.encode(), llama_cpp.llama_model_default_params())
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch, parameters.n_seq_max = 16 * 256, 2048, 512, 16
    parameters.n_threads = parameters.n_threads_batch = THREADS
    parameters.kv_unified = False
    context = llama_cpp.llama_init_from_model(model, parameters)
    memory = llama_cpp.llama_get_memory(context)
    vocab_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    import numpy

    def unified():  # one sequence with the whole context: its own context, since n_ctx is divided among n_seq_max sequences
        single = llama_cpp.llama_context_default_params()
        single.n_ctx, single.n_batch, single.n_ubatch = 1024, 512, 512
        single.n_threads = single.n_threads_batch = THREADS
        return llama_cpp.llama_init_from_model(model, single)

    one = unified()
    one_memory = llama_cpp.llama_get_memory(one)
    batch = llama_cpp.llama_batch_init(2048, 0, 1)

    def decode_rows(target, rows):  # rows: (token, position, sequence, wants logits)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, logits) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, position, 1, sequence, logits
        assert llama_cpp.llama_decode(target, batch) == 0

    def greedy(target, row):
        return int(numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(target, row), (vocab_size,)).argmax())

    def single(ids, count):
        llama_cpp.llama_memory_clear(one_memory, True)
        begin = time.perf_counter()
        decode_rows(one, [(token, i, 0, i == len(ids) - 1) for i, token in enumerate(ids)])
        token = greedy(one, len(ids) - 1)
        for i in range(count - 1):
            decode_rows(one, [(token, len(ids) + i, 0, True)])
            token = greedy(one, 0)
        return time.perf_counter() - begin

    def streams(prompts, count):
        llama_cpp.llama_memory_clear(memory, True)
        begin = time.perf_counter()
        rows = [(token, i, s, i == len(ids) - 1) for s, ids in enumerate(prompts) for i, token in enumerate(ids)]
        decode_rows(context, rows)
        tokens = [greedy(context, i) for i, row in enumerate(rows) if row[3]]
        for step in range(count - 1):
            decode_rows(context, [(token, len(prompts[s]) + step, s, True) for s, token in enumerate(tokens)])
            tokens = [greedy(context, s) for s in range(len(prompts))]
        return time.perf_counter() - begin

    return measure(lambda ids: single(ids, 1), single, streams)


def run_openvino(options):
    import openvino
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size, scheduler.max_num_seqs, scheduler.max_num_batched_tokens, scheduler.enable_prefix_caching = 1, 16, 2048, False
    pipeline = openvino_genai.LLMPipeline(options.model, "CPU", scheduler_config=scheduler, INFERENCE_NUM_THREADS=THREADS)

    def generate(prompts, count):
        import numpy

        ids = numpy.array(prompts, dtype=numpy.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(numpy.ones_like(ids)))
        config = openvino_genai.GenerationConfig(max_new_tokens=count, min_new_tokens=count, ignore_eos=True, do_sample=False, apply_chat_template=False)
        begin = time.perf_counter()
        pipeline.generate(inputs, config)
        return time.perf_counter() - begin

    return measure(lambda ids: generate([ids], 1), lambda ids, count: generate([ids], count), generate)


ENGINES = {"hearth": run_hearth, "llama.cpp": run_llama_cpp, "openvino": run_openvino}
PACKAGES = {"llama.cpp": ["numpy", "llama-cpp-python==0.3.36"], "openvino": ["numpy", "openvino-genai"]}


def python_of(engine):
    """A virtual environment with the engine's package, built for this machine where it has sources."""
    if engine not in PACKAGES:
        return sys.executable
    home = ROOT / "build" / "peers" / engine
    if not (home / "done").exists():
        print(f"installing {engine} into {home} (llama.cpp is compiled: some minutes)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", "--no-binary", "llama-cpp-python", *PACKAGES[engine]], check=True,
                       env=dict(os.environ, CMAKE_ARGS="-DGGML_NATIVE=ON"))
        (home / "done").touch()
    return str(home / "bin/python")


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            features = [name for name in ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16") if f" {name} " in pathlib.Path("/proc/cpuinfo").read_text()]
            return f"{line.split(': ')[1]} ({', '.join(features)})"
    return "unknown"


def commit():
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def record(header, lines):
    """Adds rows to the table of bench/RESULTS.md that has this header."""
    path = ROOT / "bench" / "RESULTS.md"
    known = path.read_text().splitlines()
    end = known.index(header)
    while end < len(known) and known[end].startswith("|"):
        end += 1
    path.write_text("\n".join(known[:end] + lines + known[end:]) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--engines", default="hearth,llama.cpp,openvino")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="append the rows to bench/RESULTS.md")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(ENGINES[options.run](options)))
        return
    engines = options.engines.split(",")
    samples = {engine: [] for engine in engines}
    for number in range(options.rounds):
        for engine in engines:
            command = [python_of(engine), __file__, "--run", engine, "--hearth", options.hearth, "--model", options.model]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            samples[engine].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"round {number + 1}, {engine}: " + ", ".join(f"{k} {v:.1f}" for k, v in samples[engine][-1].items()), file=sys.stderr)
    medians = {engine: {key: statistics.median(s[key] for s in runs) for key in runs[0]} for engine, runs in samples.items()}
    lines = []
    for engine, values in medians.items():
        ratios = " / ".join(f"{medians['hearth'][name] / values[name]:.2f}" for name in WORKLOADS) if "hearth" in medians else ""
        lines.append(f"| {datetime.date.today()} | {cpu_name()} | {commit()} | {engine} | " + " | ".join(f"{values[name]:.0f}" for name in WORKLOADS) + f" | {ratios} |")
    print("\n".join([HEADER, "|---|---|---|---|---|---|---|---|", *lines]))
    if "hearth" in medians:
        print(f"hearth: ready after {medians['hearth']['ready_seconds']:.2f} s, peak resident {medians['hearth']['peak_mib']:.0f} MiB")
    if options.record:
        record(HEADER, lines)


if __name__ == "__main__":
    main()
