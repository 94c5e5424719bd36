"""hearth's tokenizers against the `tokenizers` library, each on one thread, in turn in one run; checks that all ids are equal and prints MB/s and the ratio.

  ./dev bench --tokenizers [--text FILE_OR_FOLDER]... [--only NAME]... [--rounds 5] [--megabytes 10]

The text is that of the files given (.json: the strings in it), else of the sources of Python's standard library, in documents of about 4 KB. When there is
less than asked for it is repeated with every seventh word changed, so that words are not all known after the first pass. The vocabularies are the default
model's and some trained on that text with the pre-tokenizers of well-known models. The library is called by encode_batch_fast, its fastest interface (no offsets).
"""

import argparse
import json
import os
import pathlib
import random
import re
import statistics
import struct
import subprocess
import sys
import sysconfig
import time

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "peers" / "tokenizers"
PACKAGES = ["tokenizers==0.23.3", "gguf==0.19.0"]
DOCUMENT_BYTES = 4096
VOCAB_SIZE = 32_000
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + TAIL
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + TAIL
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT_4O = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?|"
          r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def strings_of(value):
    if isinstance(value, str):
        yield value + "\n"
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_of(item)


def read_text(path):
    text = path.read_text(encoding="utf-8", errors="ignore")
    return "".join(strings_of(json.loads(text))) if path.suffix == ".json" else text


def varied(text, rng):
    """Every seventh word with two letters exchanged or another case, every number another."""
    def change(match):
        word = match.group()
        if word.isdigit():
            return "".join(rng.choice("0123456789") for _ in word)
        if rng.randrange(7):
            return word
        at = rng.randrange(len(word))
        return word.swapcase() if at == 0 else word[:at] + word[at:][::-1]

    return re.sub(r"\d+|[^\W\d_]{2,}", change, text)


def documents(paths, total_bytes):
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.suffix in (".json", ".txt", ".md", ".py"))
    text = "".join(map(read_text, files))
    if not text:
        sys.exit(f"no .json, .txt, .md or .py below {', '.join(map(str, paths))}")
    rng, original = random.Random(1), text
    while len(text.encode()) < total_bytes:
        text += varied(original, rng)
    data = text.encode()
    cut = [0]
    while cut[-1] < total_bytes:
        end = min(cut[-1] + DOCUMENT_BYTES, total_bytes)
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end += 1
        cut.append(end)
    return [data[begin:end].decode() for begin, end in zip(cut, cut[1:])]


def vocabularies(model, texts, only):
    """name -> tokenizer, the trained ones only if asked for."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    def split(pattern):
        return [pre_tokenizers.Split(Regex(pattern), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]

    def smollm2():
        import gguf

        fields = gguf.GGUFReader(model).fields
        tokens = fields["tokenizer.ggml.tokens"].contents()
        merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
        tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer

    def byte_level(pattern, ignore_merges=False, nfc=False):
        tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
        if nfc:
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split(pattern))
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=VOCAB_SIZE, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        return tokenizer

    def llama2():
        """Trained with Metaspace, then with the normalisers of Llama 2's own file."""
        specials = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=VOCAB_SIZE, limit_alphabet=200, show_progress=False, special_tokens=specials))
        file = json.loads(tokenizer.to_str())
        file["added_tokens"] = file["added_tokens"][:3]
        tokenizer = Tokenizer.from_str(json.dumps(dict(file, pre_tokenizer=None)))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        return tokenizer

    def unigram():
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        tokenizer.train_from_iterator(texts[:200], trainers.UnigramTrainer(vocab_size=8000, show_progress=False, special_tokens=["<unk>"], unk_token="<unk>"))
        return tokenizer

    def wordpiece():
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        words = (re.sub(r"\S{100,}", "", text) for text in texts)  # else the encoded data among them become tokens
        tokenizer.train_from_iterator(words, trainers.WordPieceTrainer(vocab_size=VOCAB_SIZE, show_progress=False, special_tokens=["[UNK]"]))
        return tokenizer

    makers = {"smollm2": smollm2, "llama3": lambda: byte_level(LLAMA3, ignore_merges=True), "qwen2": lambda: byte_level(QWEN2, nfc=True),
              "gpt-4o": lambda: byte_level(GPT_4O), "llama2": llama2, "unigram": unigram, "wordpiece": wordpiece}
    for name in only or makers:
        folder = WORK / name
        if not (folder / "tokenizer_config.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            makers[name]().save(str(folder / "tokenizer.json"))
            (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}\n')
        yield name, folder, Tokenizer.from_file(str(folder / "tokenizer.json"))


def read_ids(path):
    data, at, all_ids = path.read_bytes(), 0, []
    while at < len(data):
        count, = struct.unpack_from("<I", data, at)
        all_ids.append(list(struct.unpack_from(f"<{count}i", data, at + 4)))
        at += 4 + 4 * count
    return all_ids


def compare(name, folder, tokenizer, texts, options):
    """Prints a line; returns whether the ids are equal."""
    texts_file, ids_file = WORK / "texts.bin", WORK / "ids.bin"
    texts_file.write_bytes(b"".join(struct.pack("<I", len(data)) + data for data in (text.encode() for text in texts)))
    hearth = subprocess.Popen([options.hearth, folder, texts_file, ids_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    seconds, ours = [], []
    for _ in range(options.rounds):
        start = time.perf_counter()
        encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        seconds.append(time.perf_counter() - start)
        try:
            hearth.stdin.write("\n")
            line = hearth.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            print(f"{name:12} hearth could not encode", flush=True)
            return False
        ours.append(float(line))
    hearth.stdin.close()
    hearth.wait()
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    theirs, mine = megabytes / statistics.median(seconds), megabytes / statistics.median(ours)
    different = sum(a.ids != b for a, b in zip(encodings, read_ids(ids_file), strict=True))
    print(f"{name:12} tokenizers {theirs:6.1f} MB/s   hearth {mine:6.1f} MB/s   ratio {mine / theirs:5.2f}   "
          f"{'ids are equal' if different == 0 else f'ids DIFFER in {different} of {len(texts)} documents'}", flush=True)
    return different == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hearth", required=True, help="the program encode_file")
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", action="append", type=pathlib.Path)
    parser.add_argument("--only", action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=10)
    options = parser.parse_args()
    python = WORK / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    if pathlib.Path(sys.prefix) != WORK / "venv":
        os.execv(python, [python, *sys.argv])
    texts = documents(options.text or [pathlib.Path(sysconfig.get_path("stdlib"))], int(options.megabytes * 1e6))
    equal = [compare(name, folder, tokenizer, texts, options) for name, folder, tokenizer in vocabularies(options.model, texts, options.only)]
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
