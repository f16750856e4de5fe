"""Writes the committed fixtures of fixtures/checkpoints: small checkpoints as PyTorch writes them, and hostile ones.

    python reference/write_checkpoints.py [FOLDER]

Needs torch and safetensors. Every file's contents follow from this script (no random numbers), so that the tests can say what they are. The files
themselves are not reproducible byte for byte: torch writes storage addresses (legacy layout) and its own version's pickles.
"""
import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import sys
import zipfile

import torch
from safetensors.torch import save_file


def values(*shape, start=0.0, step=0.25):
    """start, start + step, ... in row-major order: exact in every float type for small shapes."""
    count = 1
    for side in shape:
        count *= side
    return (torch.arange(count, dtype=torch.float32) * step + start).reshape(shape)


def state_dict():
    """One of every kind that a state dict holds."""
    matrix = values(3, 4)
    shared = values(2, 6, start=100)
    tensors = collections.OrderedDict()
    tensors["f32"] = matrix
    tensors["f16"] = matrix.half()
    tensors["bf16"] = matrix.bfloat16()
    tensors["f64"] = matrix.double()
    tensors["i64"] = torch.arange(5) - 2
    tensors["i32"] = (torch.arange(5) - 2).int()
    tensors["i16"] = (torch.arange(5) - 2).short()
    tensors["i8"] = (torch.arange(5) - 2).to(torch.int8)
    tensors["u8"] = torch.arange(5).to(torch.uint8)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(7)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["shared.whole"] = shared
    tensors["shared.row"] = shared[1]            # an offset into the same storage
    tensors["shared.column"] = shared[:, 2]      # strided
    tensors["transposed"] = values(3, 4, start=-3).half().t()
    tensors["permuted"] = values(2, 3, 4).permute(2, 0, 1)
    tensors["expanded"] = values(3, 1).expand(3, 4)
    tensors["parameter"] = torch.nn.Parameter(values(2, 2))
    return tensors


class Callback:
    """A class that no import may need."""

    def __init__(self):
        self.state = {"best": 0.5, "weights": torch.ones(3)}


Callback.__module__ = "pytorch_lightning.callbacks.model_checkpoint"
Callback.__qualname__ = "ModelCheckpoint"


class Runs:
    """What a hostile checkpoint does: unpickling it calls os.system."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def register_callback():
    """The pickler wants to find the class under its name."""
    import types
    for name in ["pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.model_checkpoint"]:
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["pytorch_lightning.callbacks.model_checkpoint"].ModelCheckpoint = Callback


def lightning():
    """As Lightning's Trainer.save_checkpoint writes it: tensors under state_dict, and everything else beside them."""
    register_callback()
    weight = torch.nn.Parameter(values(2, 3))
    optimizer = torch.optim.AdamW([weight])
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    return {
        "epoch": 3, "global_step": 1234, "pytorch-lightning_version": "1.9.0",
        "state_dict": collections.OrderedDict([("model.fc1.weight", values(4, 3)), ("model.fc1.bias", values(4))]),
        "callbacks": {"ModelCheckpoint{'monitor': None}": Callback()},
        "optimizer_states": [optimizer.state_dict()],
        "hyper_parameters": {"args": argparse.Namespace(lr=1e-4, path=pathlib.PurePosixPath("/data"), type=torch.float16)},
        "loops": {"fit_loop": collections.defaultdict(int, {"a": 1})},
        "set": {1, 2}, "complex": complex(1, 2), "bytes": b"\x00\x01", "big": 1 << 80, "negative": -5, "range": range(3),
    }


def deflated(source):
    """The same archive, compressed by another tool."""
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    return target.getvalue()


def zip64(source):
    """The same archive as Python's zipfile writes it with zip64 fields, as torch does above 4 GiB: sizes and offsets of all ones, the true ones in
    the extra fields and the zip64 end record."""
    data, directory = bytearray(), bytearray()
    count = 0
    with zipfile.ZipFile(source) as old:
        for entry in old.infolist():
            name, content = entry.filename.encode(), old.read(entry)
            offset = len(data)
            extra = struct.pack("<HHQQ", 1, 16, len(content), len(content))
            data += struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0x800, 0, 0, 0, entry.CRC, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra)) + name + extra + content
            extra = struct.pack("<HHQQQ", 1, 24, len(content), len(content), offset)
            directory += struct.pack(
                "<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, 0x800, 0, 0, 0, entry.CRC, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra), 0, 0, 0, 0, 0xFFFFFFFF)
            directory += name + extra
            count += 1
    start = len(data)
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<IIQI", 0x07064B50, 0, start + len(directory), 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(data + directory + end + locator + last)


def legacy_with_view():
    """A legacy file whose tensor's storage is a view of another one, as PyTorch 0.4 and older wrote them (persistent id of six parts)."""
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.identifier if isinstance(value, Storage) else None

    class Storage:
        def __init__(self, identifier):
            self.identifier = identifier

    class Tensor:
        def __init__(self, *arguments):
            self.arguments = arguments

        def __reduce__(self):
            return torch._utils._rebuild_tensor, self.arguments

    whole = ("storage", torch.FloatStorage, "root", "cpu", 6)
    target = io.BytesIO()
    pickle.dump(0x1950a86a20f9469cfc6c, target, protocol=2)
    pickle.dump(1001, target, protocol=2)
    pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, target, protocol=2)
    Pickler(target, protocol=2).dump({
        "whole": Tensor(Storage(whole + (None,)), 0, (6,), (1,)),
        "view": Tensor(Storage(whole + (("view", 2, 3),)), 1, (2,), (1,)),
    })
    pickle.dump(["root"], target, protocol=2)
    target.write(struct.pack("<q6f", 6, *range(6)))
    return target.getvalue()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "fixtures" / "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    tensors = state_dict()
    torch.save(tensors, folder / "kinds.pt")
    torch.save(tensors, folder / "kinds-protocol4.pt", pickle_protocol=4)
    torch.save(tensors, folder / "kinds-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"u16": torch.arange(3).to(torch.uint16), "f8": torch.ones(2).to(torch.float8_e4m3fn), "complex": torch.ones(2, dtype=torch.complex64), "f32": values(2)},
               folder / "unusual.pt")
    torch.save(lightning(), folder / "lightning.ckpt")
    mark = "/tmp/radialog-was-executed"
    torch.save({"weight": values(2), "state": Runs(mark)}, folder / "hostile-beside.pt")
    torch.save({"state_dict": Runs(mark)}, folder / "hostile-root.pt")
    torch.save({"state_dict": {"weight": Runs(mark), "bias": values(2)}}, folder / "hostile-tensor.pt")
    (folder / "deflated.pt").write_bytes(deflated(folder / "lightning.ckpt"))
    (folder / "zip64.pt").write_bytes(zip64(folder / "kinds.pt"))
    (folder / "legacy-view.pt").write_bytes(legacy_with_view())
    save_file({"f32": values(3, 4), "bf16": values(3, 4).bfloat16()}, folder / "plain.safetensors")
    total = sum(path.stat().st_size for path in folder.iterdir())
    print(json.dumps({"folder": str(folder), "bytes": total}))


if __name__ == "__main__":
    main()
