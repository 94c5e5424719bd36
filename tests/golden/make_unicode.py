"""Writes tests/golden/tokenizers/unicode.json: what the `tokenizers` library makes of every code point, so that the tables hearth uses can be
held against those in the library's crates.

Version: tokenizers 0.23.3. "maps" has, for each normaliser and block of 4096 code points, the 32-bit FNV-1a of the UTF-8 of "a" + c + "a" for all c
in it, normalised, in order (surrogates left out). "classes" has, for each pre-tokenizer, the ranges of code points c for which "a" + c + "a" is cut.
"""

import json
from pathlib import Path

from tokenizers import normalizers, pre_tokenizers

BLOCK = 4096
NORMALIZERS = {
    "NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD(), "Lowercase": normalizers.Lowercase(),
    "StripAccents": normalizers.StripAccents(), "Nmt": normalizers.Nmt(), "BertNormalizer": normalizers.BertNormalizer(),
}
PRE_TOKENIZERS = {"Punctuation": pre_tokenizers.Punctuation(), "Digits": pre_tokenizers.Digits(individual_digits=True), "WhitespaceSplit": pre_tokenizers.WhitespaceSplit()}


def fnv1a(data):
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def code_points(begin=0, end=0x110000):
    return [c for c in range(begin, end) if not 0xD800 <= c < 0xE000]


if __name__ == "__main__":
    maps = {name: [fnv1a("".join(n.normalize_str("a" + chr(c) + "a") for c in code_points(b, b + BLOCK)).encode()) for b in range(0, 0x110000, BLOCK)] for name, n in NORMALIZERS.items()}
    classes = {name: ranges([c for c in code_points() if len(p.pre_tokenize_str("a" + chr(c) + "a")) > 1]) for name, p in PRE_TOKENIZERS.items()}
    out = Path(__file__).parent / "tokenizers" / "unicode.json"
    out.write_text("{" + ",\n".join(f'"{key}":{json.dumps(value, separators=(",", ":"))}' for key, value in (("maps", maps), ("classes", classes))) + "}\n")
    print(out.stat().st_size)
