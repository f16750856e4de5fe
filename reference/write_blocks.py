#!/usr/bin/env python3
"""Writes fixtures/blocks: rows of GGUF blocks with what they mean, by the `gguf` package (pip install gguf numpy).

    python3 reference/write_blocks.py [TARGET]

    <type>.blocks   random and extreme blocks (2 rows of 512 numbers)
    <type>.floats   what gguf's numpy dequantiser makes of them, f32
    source.floats   4 rows of 512 numbers: bell-shaped, heavy-tailed, one-sided, and zeros, constants and tiny numbers
    <type>.quantised  source.floats as gguf's numpy quantiser writes them (F16, BF16, Q8_0, Q5_0, Q4_0)
    Q4_K.quantised  the same by ggml's C reference, which the package lacks; only where RADIALOG_GGML names a libggml-base.so
    sample.gguf     a small file with metadata of all types, written by gguf's writer
"""
import ctypes, os, pathlib, sys
import numpy as np
import gguf
from gguf import GGMLQuantizationType as T, quants

target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "fixtures/blocks")
target.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(20261122)
COLUMNS = 512

# Halves of a block (scales), at these byte offsets; everything else is free.
SCALES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}
for kind, places in SCALES.items():
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (2 * COLUMNS // elements, size), dtype=np.uint8)
    for place in places:
        scales = (random.standard_normal(len(blocks)) * 0.05).astype(np.float16)
        scales[-1] = np.float16(6e-8)  # a subnormal half
        blocks[:, place : place + 2] = scales.view(np.uint8).reshape(-1, 2)
    rows = blocks.reshape(2, -1)
    (target / f"{kind.name}.blocks").write_bytes(rows.tobytes())
    (target / f"{kind.name}.floats").write_bytes(quants.dequantize(rows, kind).astype("<f4").tobytes())

source = np.zeros((4, COLUMNS), np.float32)
source[0] = random.standard_normal(COLUMNS) * 0.02
source[1] = random.standard_normal(COLUMNS) ** 3 * 0.1
source[2] = np.abs(random.standard_normal(COLUMNS)) + 0.5
source[3, 32:64] = -0.75
source[3, 64:96] = 3
source[3, 96:128] = np.arange(32) * 1e-6
source[3, 128:160] = np.arange(-16, 16) / 8  # halves between levels
source[3, 160:192] = 60000 * np.sin(np.arange(32))
source[3, 192:] = random.standard_normal(COLUMNS - 192) * 1e-3
(target / "source.floats").write_bytes(source.astype("<f4").tobytes())
for kind in (T.F16, T.BF16, T.Q8_0, T.Q5_0, T.Q4_0):
    (target / f"{kind.name}.quantised").write_bytes(quants.quantize(source, kind).tobytes())
if library := os.environ.get("RADIALOG_GGML"):
    packed = ctypes.create_string_buffer(4 * COLUMNS // 256 * 144)
    ctypes.CDLL(library).quantize_row_q4_K_ref(source.ctypes.data_as(ctypes.c_void_p), packed, ctypes.c_int64(4 * COLUMNS))
    (target / "Q4_K.quantised").write_bytes(packed.raw)

writer = gguf.GGUFWriter(target / "sample.gguf", "llama")
for bits in (8, 16, 32, 64):
    getattr(writer, f"add_uint{bits}")(f"t.u{bits}", 2 ** (bits - 1) - 1)
    getattr(writer, f"add_int{bits}")(f"t.i{bits}", -(2 ** (bits - 1)))
writer.add_float32("t.f32", 0.5)
writer.add_float64("t.f64", -0.1)
writer.add_bool("t.bool", True)
writer.add_string("t.string", "Röntgen")
writer.add_array("t.strings", ["a", "", "Ġé"])
writer.add_array("t.floats", [0.25, -1.5])
writer.add_array("t.ints", [3, -4])
writer.add_tensor("matrix", source[:2, :96].copy())
writer.add_tensor("half", source[0, :6].astype(np.float16).reshape(2, 3))
writer.add_tensor("q8", quants.quantize(source[:3, :64].copy(), T.Q8_0), raw_dtype=T.Q8_0)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
print(sum(f.stat().st_size for f in target.iterdir()), "bytes in", target)
