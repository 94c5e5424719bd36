"""stdin as an asciicast v2 file, which `asciinema play` shows: asciicast.py FILE WIDTH HEIGHT TITLE. Every event is on disk as soon as it came."""

import codecs
import json
import os
import sys
import time


def main():
    path, width, height, title = sys.argv[1:]
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    started = time.monotonic()
    with open(path, "w", encoding="utf-8") as file:
        header = {"version": 2, "width": int(width), "height": int(height), "timestamp": int(time.time()), "title": title, "env": {"TERM": "tmux-256color"}}
        print(json.dumps(header), file=file, flush=True)
        while data := os.read(0, 1 << 16):
            if text := decoder.decode(data):
                print(json.dumps([round(time.monotonic() - started, 6), "o", text], ensure_ascii=False), file=file, flush=True)


main()
