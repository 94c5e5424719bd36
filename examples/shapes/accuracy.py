#!/usr/bin/env python3
"""How many answers are right, of each kind of question, beside what guessing gives.

    examples/shapes/accuracy.py DIRECTORY          where hearth eval left generated_predictions.jsonl
"""

import collections
import json
import pathlib
import sys

KINDS = {"how many": "counting", "is there": "yes or no", "what colour": "colour"}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = (pathlib.Path(sys.argv[1]) / "generated_predictions.jsonl").read_text().splitlines()
    right, labels = collections.Counter(), collections.defaultdict(collections.Counter)
    for row in map(json.loads, lines):
        kind = next(name for words, name in KINDS.items() if words in row["prompt"])
        label = row["label"].strip()
        labels[kind][label] += 1
        right[kind] += row["predict"].strip() == label
    total = {kind: sum(counts.values()) for kind, counts in labels.items()}
    print(f"accuracy {sum(right.values()) / sum(total.values()):.3f} of {sum(total.values())} answers")
    for kind in sorted(total):
        most, times = labels[kind].most_common(1)[0]
        print(f"  {kind}: {right[kind] / total[kind]:.3f} of {total[kind]} (always '{most}': {times / total[kind]:.3f})")


if __name__ == "__main__":
    main()
