"""ResNet-50's trunk as BioViL-T and the classifier have it (torchvision's: the stride in the 3 x 3 convolution), with random weights."""
import torch
from torch import Tensor, nn


def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Sequential:
    """With its batch norm, which every system folds into it."""
    norm = nn.BatchNorm2d(outputs)
    # Below one, so that activations stay moderate over sixteen residual blocks.
    nn.init.constant_(norm.weight, 0.5)
    weights = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    nn.init.kaiming_normal_(weights.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(weights, norm)


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.reduce = convolution(inputs, channels, 1)
        self.middle = convolution(channels, channels, 3, stride)
        self.expand = convolution(channels, 4 * channels, 1)
        self.shortcut = nn.Identity() if inputs == 4 * channels else convolution(inputs, 4 * channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.reduce(x))
        y = torch.relu(self.middle(y))
        return torch.relu(self.expand(y) + self.shortcut(x))


def trunk() -> nn.Module:
    """[images, 3, side, side] to [images, 2048, side / 32, side / 32]."""
    torch.manual_seed(1)
    layers: list[nn.Module] = [convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for channels, blocks, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for block in range(blocks):
            layers.append(Bottleneck(inputs, channels, stride if block == 0 else 1))
            inputs = 4 * channels
    return nn.Sequential(*layers).eval()


def grey_films(images: int, side: int) -> Tensor:
    """One channel three times, as films are given to both networks."""
    torch.manual_seed(images)
    return torch.rand(images, 1, side, side).expand(-1, 3, -1, -1).contiguous()
