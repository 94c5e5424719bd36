"""jieba's dictionary and the tables of its hidden Markov model as one file that the program embeds (jieba_data.cpp reads it).

Usage: make_jieba_data.py JIEBA_DIRECTORY OUTPUT. The directory is that of Debian's package python3-jieba (jieba is MIT). Little endian:
  u64 total of all frequencies; u32 words, u32 characters of words, u32 characters of the model, u32 0
  u32 begin of each word and the end of the last; u32 frequency of each word; u16 their characters, words in order; to a multiple of 8
  f64 start[4]; f64 transition[from][to]; u16 characters of the model, in order; to a multiple of 8; f64 emission[character][4]
States are in the order B, M, E, S. Every character is of the basic plane.
"""
import array
import pathlib
import runpy
import struct
import sys

STATES = "BMES"
LEAST = -3.14e100  # finalseg's MIN_FLOAT


def read_words(path):
    words, total = {}, 0
    for line in path.read_text("utf-8").splitlines():
        word, frequency = line.strip().split(" ")[:2]
        words[word] = int(frequency)  # a word that stands there twice counts twice in the total, and has its last number
        total += int(frequency)
    return sorted(words.items()), total


def numbers(kind, values):
    data = array.array(kind, values)
    assert data.itemsize == {"H": 2, "I": 4, "d": 8}[kind] and sys.byteorder == "little"
    return data.tobytes()


def padded(data):
    return data + b"\0" * (-len(data) % 8)


def main(jieba, output):
    words, total = read_words(jieba / "dict.txt")
    start, transition, emission = (runpy.run_path(str(jieba / "finalseg" / f"prob_{name}.py"))["P"] for name in ("start", "trans", "emit"))
    begins = [0]
    for word, _ in words:
        begins.append(begins[-1] + len(word))
    characters = sorted(set().union(*(emission[state] for state in STATES)))
    head = struct.pack("<QIIII", total, len(words), begins[-1], len(characters), 0)
    tables = numbers("I", begins) + numbers("I", [frequency for _, frequency in words]) + numbers("H", [ord(c) for word, _ in words for c in word])
    model = numbers("d", [start[s] for s in STATES] + [transition[a].get(b, LEAST) for a in STATES for b in STATES])
    emitted = numbers("d", [emission[s].get(c, LEAST) for c in characters for s in STATES])
    output.write_bytes(padded(head + tables) + model + padded(numbers("H", [ord(c) for c in characters])) + emitted)


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
