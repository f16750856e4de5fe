#!/usr/bin/env python3
"""write_activation_maps.py BUNDLE FILM [FILM ...]: fixtures/activation-maps, what PyTorch says of maps and of where they lie.

    <film>.safetensors   `maps` [labels, grid, grid] for every label: sum over channels of d logit / d patch x patch, by autograd
    geometry.safetensors `<rows>x<columns>.map` a map, and `.film` the same at every `step`-th pixel of a film of that size (from pixel 0);
                         `.shape` holds rows, columns, shorter side, crop side and step. NaN where the crop does not reach.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import radialog

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[1] / "fixtures/activation-maps"


def film_maps(bundle, film):
    values, monochrome1 = radialog.read_film(film)
    p = bundle.manifest["preprocessing"]
    resized = radialog.resize_shorter(radialog.render(values, monochrome1)[1], p["shorter_side"])
    _, patches, gradients = radialog.classify(radialog.centre_crop(resized, p["classifier_side"]), bundle)
    return torch.stack([radialog.activation_map(patches, gradient) for gradient in gradients])


def at_film_size(cells, rows, columns, shorter, side):
    """[grid, grid] -> [rows, columns]: grid_sample at the film's pixel centres."""
    resized = [int(shorter * n / min(rows, columns)) for n in (rows, columns)]
    axes = []
    for length, new in zip((rows, columns), resized):
        start = int(round((new - side) / 2.0)) if new > side else -((side - new) // 2)
        axes.append(((torch.arange(length, dtype=torch.float64) + 0.5) * new / length - start) / side * 2 - 1)  # -1...1 over the crop
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)  # x, y
    film = F.grid_sample(cells.double()[None, None], places[None], mode="bilinear", padding_mode="border", align_corners=False)[0, 0]
    return film.masked_fill((places.abs() > 1).any(-1), float("nan")).float()


def main(bundle_folder, films):
    OUT.mkdir(parents=True, exist_ok=True)
    bundle = radialog.Bundle(bundle_folder)
    for film in films:
        save_file({"maps": film_maps(bundle, film)}, OUT / f"{Path(film).stem}.safetensors")

    torch.manual_seed(11)
    tensors = {}
    for rows, columns, shorter, side, grid, step in [
            (512, 512, 512, 488, 16, 13), (636, 764, 512, 488, 16, 17), (1101, 877, 512, 488, 16, 23), (97, 64, 512, 488, 16, 3),
            (211, 169, 256, 244, 8, 5), (60, 40, 32, 48, 3, 1)]:
        cells = torch.rand(grid, grid)
        film = at_film_size(cells, rows, columns, shorter, side)
        if rows == columns == shorter:  # here the resize does nothing, and the map is what anyone's interpolate makes of it
            margin = (shorter - side) // 2
            plain = F.interpolate(cells[None, None], size=(side, side), mode="bilinear", align_corners=False)[0, 0]
            assert (film[margin:-margin, margin:-margin] - plain).abs().max() < 1e-5
            assert film.isnan().sum() == shorter * shorter - side * side
        name = f"{rows}x{columns}"
        tensors[name + ".map"] = cells
        tensors[name + ".film"] = film[::step, ::step].contiguous()
        tensors[name + ".shape"] = torch.tensor([rows, columns, shorter, side, step], dtype=torch.float32)
    save_file(tensors, OUT / "geometry.safetensors")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
