"""Fails on an #include that points up the ladder base < runtime < models < finetune < server (templates stands on base alone)."""

import pathlib
import re
import sys

# The longest prefix that matches a file decides what it may include.
ALLOWED = {
    "runtime/base": ["runtime/base"],
    "runtime/kernels": ["runtime/base", "runtime/kernels"],
    "runtime/http_client": ["runtime/base", "runtime/http_client"],
    "runtime/io": ["runtime/base", "runtime/kernels/format.h", "runtime/io", "runtime/tensor.h", "runtime/weight.h"],
    "runtime/tokenizer": ["runtime/base", "runtime/io", "runtime/tokenizer"],
    "runtime/grammar": ["runtime/base", "runtime/tokenizer", "runtime/grammar", "runtime/token_constraint.h"],
    "runtime/ops": ["runtime"],
    "runtime/engine": ["runtime"],
    "runtime": ["runtime"],
    "templates": ["runtime/base", "templates"],
    "models/images": ["runtime/base", "models/images"],
    "models": ["runtime", "templates", "models"],
    "finetune": ["runtime", "templates", "models", "finetune"],
    "server": ["runtime", "templates", "models", "finetune", "server"],
}
FORBIDDEN = {  # inside what is allowed above
    "runtime/ops": ["runtime/engine", "runtime/io", "runtime/tokenizer"],
    "runtime/engine": ["runtime/io", "runtime/tokenizer", "runtime/grammar"],
    "runtime": ["runtime/engine", "runtime/io", "runtime/tokenizer", "runtime/grammar"],
    "models": ["runtime/engine"],
}
ONLY_IN = {"httplib.h": ["server/http_server.cpp"]}




def main():
    faults = files = 0
    for root in sorted({name.split("/")[0] for name in ALLOWED}):
        for source in sorted(pathlib.Path(root).rglob("*")):
            if source.suffix not in (".h", ".cpp", ".inl"):
                continue
            files += 1
            path = source.as_posix()
            key = max((name for name in ALLOWED if path.startswith(name + "/")), key=len)
            forbidden = FORBIDDEN.get(key, [])
            for number, line in enumerate(source.read_text().splitlines(), 1):
                found = re.match(r'#include ["<]([^">]+)[">]', line)
                if not found:
                    continue
                target = found[1]
                if target in ONLY_IN and path not in ONLY_IN[target]:
                    print(f"{path}:{number}: {target} may be included only by {', '.join(ONLY_IN[target])}")
                    faults += 1
                if '"' not in line:
                    continue
                allowed = any(target.startswith(prefix) for prefix in ALLOWED[key])
                if not allowed or any(target.startswith(prefix) for prefix in forbidden):
                    print(f"{path}:{number}: {key} may not include {target}")
                    faults += 1
    if not files:
        sys.exit("no source found: run from the root of the tree")
    print(f"{files} files, {faults} includes that point the wrong way")
    sys.exit(1 if faults else 0)


main()
