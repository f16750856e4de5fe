"""Times ResNet-50's trunk in one of the peers: one film and eight at 448 and at 488, milliseconds an image.

    python Benchmarks/peers/vision.py PEER [--threads N] [--sides 448,488] [--images 1,8] [--repetitions N]

PEER: torch-bf16 (compiled and frozen, channels last), onnxruntime-fp32, openvino-f16, openvino-bf16, openvino-fp32. One to a process: their thread
pools would disturb each other. Prints one JSON object (README.md); `error` is the largest difference from PyTorch's fp32 by the largest value.
"""
import argparse
import os
import pathlib
import sys
import tempfile
import time
import warnings
from collections.abc import Callable

import torch

from results import report, row
from trunk import grey_films, trunk

Run = Callable[[], torch.Tensor]
SIDES = [448, 488]  # of the encoder and of the classifier
SECONDS = 0.5  # of one repetition at least


def torch_bf16(model: torch.nn.Module, films: torch.Tensor, threads: int) -> Run:
    import torch._inductor.config
    torch._inductor.config.freezing = True
    torch._dynamo.reset()
    compiled = torch.compile(model.bfloat16().to(memory_format=torch.channels_last))
    x = films.bfloat16().to(memory_format=torch.channels_last)
    return lambda: compiled(x).float()


def export(model: torch.nn.Module, films: torch.Tensor, folder: str) -> str:
    path = str(pathlib.Path(folder) / "trunk.onnx")
    torch.onnx.export(model, (films,), path, input_names=["films"], output_names=["features"], opset_version=17, dynamo=False)
    return path


def onnxruntime_fp32(model: torch.nn.Module, films: torch.Tensor, threads: int) -> Run:
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(export(model, films, folder), settings, providers=["CPUExecutionProvider"])
    feed = {"films": films.numpy()}
    return lambda: torch.from_numpy(session.run(None, feed)[0])


def openvino(precision: str) -> Callable[[torch.nn.Module, torch.Tensor, int], Run]:
    def prepare(model: torch.nn.Module, films: torch.Tensor, threads: int) -> Run:
        import openvino
        from openvino import properties
        from openvino.properties import hint
        settings = {
            hint.inference_precision: getattr(openvino.Type, precision), properties.inference_num_threads: threads,
            hint.performance_mode: hint.PerformanceMode.LATENCY,
        }
        with tempfile.TemporaryDirectory() as folder:
            request = openvino.Core().compile_model(export(model, films, folder), "CPU", settings).create_infer_request()
        feed = {"films": films.numpy()}
        return lambda: torch.from_numpy(request.infer(feed)["features"])
    return prepare


PEERS = {
    "torch-bf16": torch_bf16, "onnxruntime-fp32": onnxruntime_fp32,
    "openvino-f16": openvino("f16"), "openvino-bf16": openvino("bf16"), "openvino-fp32": openvino("f32"),
}


def milliseconds(run: Run, repetitions: int) -> list[float]:
    """One value for each repetition: the mean of as many runs as fill it."""
    values = []
    for _ in range(repetitions):
        start, runs = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - start) < SECONDS or runs == 0:
            run()
            runs += 1
        values.append(1000 * elapsed / runs)
    return values


def time_trunk(peer: str, images: int, side: int, options: argparse.Namespace) -> tuple[list[float], float]:
    """Milliseconds an image, and the error."""
    films = grey_films(images, side)
    expected = trunk()(films)
    run = PEERS[peer](trunk(), films, options.threads)
    for _ in range(3):
        found = run()
    error = float((found - expected).abs().max() / expected.abs().max())
    return [value / images for value in milliseconds(run, options.repetitions)], error


def version(peer: str) -> str:
    name = peer.split("-")[0]
    return f"{name} {sys.modules[name].__version__}"


def counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--sides", type=counts, default=SIDES)
    parser.add_argument("--images", type=counts, default=[1, 8])
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()

    warnings.simplefilter("ignore")  # the exporter's, that it is the older one
    torch.set_num_threads(options.threads)
    rows = []
    for images in options.images:
        film = [0.0] * options.repetitions
        for side in options.sides:
            values, error = time_trunk(options.peer, images, side, options)
            rows.append(row("trunk", "ms/image", values, side=side, images=images) | {"error": error})
            film = [sum(pair) for pair in zip(film, values)]
        if options.sides == SIDES:
            rows.append(row("trunks of a film", "ms/film", film, images=images))
    report(options.peer, version(options.peer), rows, threads=options.threads)


if __name__ == "__main__":
    main()
