"""examples/seven_steps.sh on real data with the default model, from splitting the rows to chatting with the adapter. Slow: minutes."""

import os
import pathlib
import subprocess
import tempfile

from training_job import ROOT, binary, conclude

DATA = ROOT.parent / "shared" / "data" / "alpaca_en_demo.json"


def main():
    if not DATA.is_file():
        print(f"SKIPPED: {DATA} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        run = subprocess.run([ROOT / "examples" / "seven_steps.sh", DATA, out], capture_output=True, text=True, timeout=3000, env={**os.environ, "HEARTH": binary()})
        print(run.stdout[-3000:], run.stderr[-3000:])
        results = {"every step succeeds": run.returncode == 0, "there are seven": run.stdout.count("\n== ") == 7}
        if run.returncode == 0:
            header, base, adapter = (line.split("\t") for line in (out / "scores.tsv").read_text().splitlines())
            for name, before, after in zip(header[1:], base[1:], adapter[1:], strict=True):
                results[f"{name} rises"] = float(after) > float(before) + 1
    conclude(results)


main()
