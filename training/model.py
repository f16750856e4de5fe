"""The networks, with the official state-dict keys (docs/model-bundle.md)."""

import torch
import torch.nn.functional as F
from torch import nn

import config as c


class Bottleneck(nn.Module):
    """1x1, 3x3 (carries the stride), 1x1; torchvision's ResNet-50 block."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = width * c.EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, c.STEM, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(c.STEM)
        inputs = c.STEM
        for stage, (blocks, width) in enumerate(zip(c.STAGE_BLOCKS, c.STAGE_CHANNELS), start=1):
            layer = []
            for block in range(blocks):
                layer.append(Bottleneck(inputs, width, 2 if stage > 1 and block == 0 else 1))
                inputs = width * c.EXPANSION
            setattr(self, f"layer{stage}", nn.Sequential(*layer))
        self.outputs = inputs

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class MultiImageEncoder(nn.Module):
    """BioViL-T without a prior image: the difference half is `missing_previous_emb`."""

    def __init__(self):
        super().__init__()
        self.encoder = ResNet()
        self.backbone_to_vit = nn.Conv2d(self.encoder.outputs, c.PATCH_CHANNELS, 1, bias=False)
        self.missing_previous_emb = nn.Parameter(torch.randn(1, c.PATCH_CHANNELS, 1, 1) * 0.02)

    def forward(self, x):
        patches = self.backbone_to_vit(self.encoder(x))
        missing = self.missing_previous_emb.to(patches.dtype).expand_as(patches)
        return torch.cat([patches, missing], dim=1)


class Projector(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 1))

    def forward(self, x):
        return self.model(x)


class ImageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = MultiImageEncoder()
        self.projector = Projector(2 * c.PATCH_CHANNELS, c.PROJECTION)


class Classifier(nn.Module):
    """CheXpert head on the projected patches of a 244 x 244 crop."""

    def __init__(self):
        super().__init__()
        self.biovil_encoder = ImageModel()
        grid = -(-c.CLASSIFIER_SIDE // 32) // c.POOL
        self.fc1 = nn.Linear(c.PROJECTION * grid * grid, c.CLASSIFIER_HIDDEN)
        self.fc2 = nn.Linear(c.CLASSIFIER_HIDDEN, len(c.LABELS))

    def head(self, patches, drop=0.0):
        pooled = F.avg_pool2d(self.biovil_encoder.projector(patches), c.POOL).flatten(1)
        hidden = F.relu(self.fc1(F.dropout(pooled, drop, self.training)))
        return self.fc2(F.dropout(hidden, drop, self.training))

    def forward(self, x):
        return self.head(self.biovil_encoder.encoder(x))


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(c.HIDDEN))

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + c.RMS_EPS) * self.weight).to(x.dtype)


def rotary(positions):
    """cos and sin [B, 1, T, head dimension] for half-split pairs (Hugging Face layout)."""
    half = c.HIDDEN // c.HEADS // 2
    inverse = c.ROPE_THETA ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = positions.float()[..., None] * inverse
    angle = torch.cat([angle, angle], dim=-1)[:, None]
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat([-second, first], dim=-1) * sin.to(x.dtype)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(c.HIDDEN, c.HIDDEN, bias=False) for _ in range(4))

    def forward(self, x, cos, sin, mask):
        batch, length, _ = x.shape
        heads = lambda y: y.view(batch, length, c.HEADS, -1).transpose(1, 2)
        q, k, v = heads(self.q_proj(x)), heads(self.k_proj(x)), heads(self.v_proj(x))
        # Written out: on the CPU the fused kernel's backward pass is several times slower.
        scores = (rotate(q, cos, sin) * q.shape[-1] ** -0.5) @ rotate(k, cos, sin).transpose(2, 3)
        y = (scores + mask.to(scores.dtype)).softmax(-1).to(v.dtype) @ v
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, c.HIDDEN))


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj = nn.Linear(c.HIDDEN, c.FEED_FORWARD, bias=False)
        self.up_proj = nn.Linear(c.HIDDEN, c.FEED_FORWARD, bias=False)
        self.down_proj = nn.Linear(c.FEED_FORWARD, c.HIDDEN, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(), RMSNorm()
        self.self_attn, self.mlp = Attention(), MLP()

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class LanguageModel(nn.Module):
    """LLaMA. `hidden_states` takes embeddings, because image tokens have no ids."""

    def __init__(self):
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c.VOCABULARY, c.HIDDEN)
        self.model.layers = nn.ModuleList(Layer() for _ in range(c.LAYERS))
        self.model.norm = RMSNorm()
        self.lm_head = nn.Linear(c.HIDDEN, c.VOCABULARY, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=0.02 if not deep else 0.02 / (2 * c.LAYERS) ** 0.5)

    def hidden_states(self, x, positions, mask):
        cos, sin = rotary(positions)
        mask = torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, -1e30)
        for layer in self.model.layers:
            x = layer(x, cos, sin, mask)
        return self.model.norm(x)


class Alignment(nn.Module):
    def __init__(self):
        super().__init__()
        self.mm_projector = nn.Sequential(
            nn.Linear(2 * c.PATCH_CHANNELS, c.ALIGNMENT_HIDDEN), nn.GELU(), nn.Linear(c.ALIGNMENT_HIDDEN, c.HIDDEN))

    def forward(self, features):
        """[B, 2 x patch channels, grid, grid] -> [B, grid x grid, hidden]."""
        return self.mm_projector(features.flatten(2).transpose(1, 2))
