"""Writes tests/golden/formats/<format>.bin: random blocks and what gguf's reference dequantises them to.

gguf==0.19.0 numpy==2.4.6; run with: python tests/golden/make_formats.py

A file is: u32 number of values, the blocks, the f32 values. Scales are small f16 numbers of both signs (one subnormal), all other bytes are random.
gguf.quants rounds each f32 step as ggml's dequantize_row_* do, so values must agree bit for bit.
"""

import pathlib
import struct

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

SCALE_OFFSETS = {  # byte offsets of the f16 scales and minimums in a block
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}  # fmt: skip


def main():
    random = np.random.default_rng(3)
    folder = pathlib.Path(__file__).parent / "formats"
    folder.mkdir(exist_ok=True)
    for kind in [T.F32, T.F16, T.BF16, *SCALE_OFFSETS]:
        values_per_block, block_bytes = GGML_QUANT_SIZES[kind]
        count = max(1, 512 // values_per_block) if values_per_block > 1 else 64
        blocks = random.integers(0, 256, (count, block_bytes), dtype=np.uint8)
        for offset in SCALE_OFFSETS.get(kind, []):
            scales = (random.standard_normal(count) * 0.02).astype(np.float16)
            scales[0] = 3e-6
            blocks[:, offset : offset + 2] = scales.view(np.uint8).reshape(count, 2)
        if kind == T.F32:
            blocks = random.standard_normal(count).astype(np.float32).view(np.uint8).reshape(count, 4)
        if kind == T.F16:
            blocks = np.concatenate([random.standard_normal(count - 4), [3e-7, -65504, 0, -0.0]]).astype(np.float16).view(np.uint8).reshape(count, 2)
        if kind == T.BF16:
            blocks = (random.standard_normal(count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8).reshape(count, 2)
        flat = blocks.reshape(-1)
        raw = flat.view({T.F32: np.float32, T.F16: np.float16}.get(kind, np.uint8))
        values = np.asarray(dequantize(raw, kind), dtype=np.float32).reshape(-1)
        content = struct.pack("<I", values.size) + flat.tobytes() + values.tobytes()
        (folder / f"{kind.name.lower()}.bin").write_bytes(content)


main()
