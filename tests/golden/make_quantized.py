"""Writes tests/golden/formats/quantized.json: how far ggml's own quantisers are from 64 rows of 1024 values, as root mean squares.

llama-cpp-python==0.3.36 numpy==2.4.6; run with: python tests/golden/make_quantized.py

The values are what quantize_test.cpp makes: sums of three 16-bit numbers of a linear congruential generator, some rows with a few large ones among them.
"""

import ctypes
import json
import pathlib

import llama_cpp
import numpy as np

ROWS, COLUMNS = 64, 1024
TYPES = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "BF16": 30}
BLOCKS = {"F16": (1, 2), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210), "BF16": (1, 2)}


def values():
    state, out = 1, np.empty(ROWS * COLUMNS)
    for i in range(ROWS * COLUMNS):
        total = 0
        for _ in range(3):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += (state >> 48) - 32768
        out[i] = total / 2**20
        if i // COLUMNS % 4 == 3 and i % 37 == 0:
            out[i] *= 6
    return out.astype(np.float32)


def main():
    folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
    ggml = ctypes.CDLL(str(folder / "libggml-base.so"))
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    ggml.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
    x, out = values(), {}
    for name, number in TYPES.items():
        per_block, block_bytes = BLOCKS[name]
        blocks = np.zeros(x.size // per_block * block_bytes, np.uint8)
        ggml.ggml_quantize_chunk(number, x.ctypes.data, blocks.ctypes.data, 0, ROWS, COLUMNS, None)
        y = np.zeros_like(x)
        ggml.ggml_get_type_traits(number).contents.to_float(blocks.ctypes.data, y.ctypes.data, x.size)
        out[name] = float(np.sqrt(np.mean((x.astype(np.float64) - y) ** 2)))
    path = pathlib.Path(__file__).parent / "formats" / "quantized.json"
    path.write_text(json.dumps(out, indent=1) + "\n")


class TypeTraits(ctypes.Structure):
    _fields_ = [
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
    ]


main()
