"""The whole pipeline in PyTorch, in the order of docs/model.md: the executable description that Swift is tested against.

Everything runs in fp32 from a bundle folder (docs/model-bundle.md). Nothing here is tuned for speed.
"""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pydicom
import sentencepiece as spm
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file


class Bundle:
    """A bundle folder, its hashes checked, its weights as fp32 tensors."""

    def __init__(self, folder):
        folder = Path(folder)
        data = (folder / "manifest.json").read_bytes()
        self.hash = hashlib.sha256(data).hexdigest()
        self.manifest = m = json.loads(data)
        for name, entry in m["files"].items():
            content = (folder / name).read_bytes()
            if len(content) != entry["bytes"] or hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise SystemExit(f"{folder / name}: size or SHA-256 differs from manifest.json")
        load = lambda part: {k: v.float() for k, v in load_file(folder / m[part]["weights"]).items()}
        self.image_encoder, self.classifier = load("image_encoder"), load("classifier")
        self.alignment, self.language_model = load("alignment"), load("language_model")
        self.tokenizer = spm.SentencePieceProcessor(model_file=str(folder / m["tokenizer"]["model"]))


# 1. Preprocessing -----------------------------------------------------------------------------------------------

def read_film(path):
    """(values after the modality LUT as float64 [rows, columns], is MONOCHROME1). Other suffixes: 8-bit grey."""
    if Path(path).suffix.lower() in (".png", ".jpg", ".jpeg"):
        return np.asarray(Image.open(path).convert("L"), dtype=np.float64), False
    film = pydicom.dcmread(path)
    values = film.pixel_array.astype(np.float64)
    values = values * float(film.get("RescaleSlope", 1)) + float(film.get("RescaleIntercept", 0))
    return values, film.PhotometricInterpretation == "MONOCHROME1"


def equalise(image):
    """OpenCV's equalizeHist on uint8: cumulative histogram, single-precision scale, round half to even."""
    histogram = np.bincount(image.reshape(-1), minlength=256)
    first = int(np.nonzero(histogram)[0][0])
    if histogram[first] == image.size:
        return np.full_like(image, first)
    scale = np.float32(255) / np.float32(image.size - histogram[first])
    sums = np.cumsum(histogram) - histogram[first]
    sums[: first + 1] = 0
    table = np.clip(np.rint(sums.astype(np.float32) * scale), 0, 255).astype(np.uint8)
    return table[image]


def render(values, monochrome1):
    """The `mimic-cxr-jpg` rendering: (8-bit image before JPEG, after the JPEG round trip)."""
    low, high = values.min(), values.max()
    image = ((values - low) / (high - low) * 255).astype(np.uint8) if high > low else np.zeros(values.shape, np.uint8)
    image = equalise(255 - image if monochrome1 else image)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=95)
    return image, np.asarray(Image.open(stream))


def resize_shorter(image, side):
    """min/max remap to uint8, then torchvision's Resize(side) on a PIL image: bilinear with antialiasing."""
    image = image.astype(np.float64) - image.min()
    if image.max() > 0:
        image = image / image.max()
    picture = Image.fromarray((image * 255).astype(np.uint8))
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    longer = int(side * long / short)
    return np.asarray(picture.resize((side, longer) if width <= height else (longer, side), Image.BILINEAR))


def centre_crop(image, side):
    top, left = int(round((image.shape[0] - side) / 2.0)), int(round((image.shape[1] - side) / 2.0))
    return image[top : top + side, left : left + side]


def network_input(crop):
    """uint8 [side, side] -> [1, 3, side, side] in 0...1."""
    return torch.from_numpy(crop.copy()).float().div(255).expand(1, 3, -1, -1)


# 2 and 3. Image encoder and classifier --------------------------------------------------------------------------

def batch_norm(x, w, name, eps):
    return F.batch_norm(x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"], eps=eps)


def patch_features(x, w, prefix, spec):
    """[1, 3, side, side] -> [1, 2 x patch channels, grid, grid]: ResNet, backbone_to_vit, missing_previous_emb."""
    eps, base = spec["batch_norm_eps"], prefix + "encoder.encoder."
    norm = lambda y, name: batch_norm(y, w, base + name, eps)
    conv = lambda y, name, stride=1, padding=0: F.conv2d(y, w[f"{base}{name}.weight"], stride=stride, padding=padding)
    x = F.max_pool2d(F.relu(norm(conv(x, "conv1", 2, 3), "bn1")), 3, 2, 1)
    for stage, blocks in enumerate(spec["stage_blocks"], start=1):
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1
            y = F.relu(norm(conv(x, at + "conv1"), at + "bn1"))
            y = F.relu(norm(conv(y, at + "conv2", stride, 1), at + "bn2"))
            y = norm(conv(y, at + "conv3"), at + "bn3")
            if f"{base}{at}downsample.0.weight" in w:
                x = norm(conv(x, at + "downsample.0", stride), at + "downsample.1")
            x = F.relu(x + y)
    patches = F.conv2d(x, w[prefix + "encoder.backbone_to_vit.weight"])
    return torch.cat([patches, w[prefix + "encoder.missing_previous_emb"].expand_as(patches)], dim=1)


def place_embedding(grid, channels):
    """[grid x grid, channels]: BioViL-T's sine embedding, a row's half and then a column's, sines and cosines interleaved."""
    axis = channels // 2
    angle = torch.arange(1, grid + 1, dtype=torch.float32) / (grid + 1e-6) * (2 * torch.pi)
    turns = angle[:, None] / 10000 ** (2 * (torch.arange(axis, dtype=torch.float32) // 2) / axis)
    waves = torch.stack([turns[:, 0::2].sin(), turns[:, 1::2].cos()], dim=-1).flatten(1)  # [grid, axis]
    return torch.cat([waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)], dim=-1).flatten(0, 1)


def attend(queries, keys, values, heads):
    """[Q, C], [K, C], [K, C] -> [Q, C]: every query sees every key."""
    split = lambda x: x.view(x.shape[0], heads, -1).transpose(0, 1)
    q, k, v = split(queries), split(keys), split(values)
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(0, 1).flatten(1)


def linear(x, w, name):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def layer_norm(x, w, name, eps):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)


def pool_prior(current, prior, w, prefix, spec):
    """[C, grid, grid] of two films after backbone_to_vit -> [C, grid, grid], what stands for missing_previous_emb."""
    channels, grid = current.shape[:2]
    eps, name = spec["layer_norm_eps"], prefix + "encoder.vit_pooler."
    x = torch.cat([current.flatten(1).T, prior.flatten(1).T])
    places = torch.cat([place_embedding(grid, channels) + kind for kind in w[name + "type_embed"]])
    for i in range(spec["blocks"]):
        at = f"{name}blocks.{i}."
        y = layer_norm(x, w, at + "norm1", eps) + places
        q, k, v = (linear(y, w, f"{at}attn.proj_{part}") for part in "qkv")
        x = x + linear(attend(q, k, v, spec["heads"]), w, at + "attn.proj")
        x = x + linear(F.gelu(linear(layer_norm(x, w, at + "norm2", eps), w, at + "mlp.fc1")), w, at + "mlp.fc2")
    return layer_norm(x[: grid * grid], w, name + "norm_post", eps).T.reshape(current.shape)


def project(features, w, prefix, eps):
    x = F.conv2d(features, w[prefix + "projector.model.0.weight"])
    x = F.relu(batch_norm(x, w, prefix + "projector.model.1", eps))
    return F.conv2d(x, w[prefix + "projector.model.3.weight"], w[prefix + "projector.model.3.bias"])


def classify(crop, bundle):
    """(logits [14], projected patches [projection, grid, grid], gradient of each logit to the patches [14, ...])."""
    spec, w = bundle.manifest["classifier"], bundle.classifier
    patches = project(patch_features(network_input(crop), w, "biovil_encoder.", spec), w, "biovil_encoder.", spec["batch_norm_eps"])
    patches = patches.detach().requires_grad_()
    pooled = F.avg_pool2d(patches, spec["pool"]).flatten(1)
    logits = F.linear(F.relu(F.linear(pooled, w["fc1.weight"], w["fc1.bias"])), w["fc2.weight"], w["fc2.bias"])[0]
    gradients = torch.stack([torch.autograd.grad(logit, patches, retain_graph=True)[0][0] for logit in logits])
    return logits.detach(), patches.detach()[0], gradients


def activation_map(patches, gradient):
    """Where the patches raise the logit: sum over channels of gradient x patch, [grid, grid], negative values kept."""
    return (patches * gradient).sum(0)


def prompt_findings(scores, spec):
    """The prompt's findings string from 14 probabilities; model.md section 3."""
    names = [label for label, score, t in zip(spec["labels"], scores, spec["thresholds"]) if score > t]
    if any(n not in ("No Finding", "Support Devices") for n in names):
        names = [n for n in names if n != "No Finding"]
    return ", ".join(n.lower() for n in names) if names else "no common findings"


# 4. Alignment ---------------------------------------------------------------------------------------------------

def align(features, bundle):
    """[1, C, grid, grid] -> [tokens, hidden] by the architecture that the bundle names."""
    m = bundle.manifest
    if m["alignment"]["architecture"] == "mlp":
        return mlp(features, bundle.alignment)
    projected = project(features, bundle.image_encoder, "", m["image_encoder"]["batch_norm_eps"])
    return q_former(projected[0], bundle.alignment, m["alignment"])


def q_former(projected, w, spec):
    """[D, grid, grid] -> [queries, language model's width]; v1. The image is *read* as [grid x grid, D], not transposed."""
    eps = spec["layer_norm_eps"]
    image = layer_norm(projected.contiguous().view(-1, projected.shape[0]), w, "ln_vision", spec["vision_norm_eps"])
    x = layer_norm(w["query_tokens"][0], w, "Qformer.bert.embeddings.LayerNorm", eps)
    for i in range(spec["layers"]):
        at = f"Qformer.bert.encoder.layer.{i}."
        for part, context in [("attention", None), ("crossattention", image)]:
            if part == "crossattention" and i % spec["cross_attention_every"] != 0:
                continue
            q = linear(x, w, f"{at}{part}.self.query")
            k, v = (linear(x if context is None else context, w, f"{at}{part}.self.{n}") for n in ("key", "value"))
            y = linear(attend(q, k, v, spec["heads"]), w, f"{at}{part}.output.dense")
            x = layer_norm(y + x, w, f"{at}{part}.output.LayerNorm", eps)
        y = linear(F.gelu(linear(x, w, at + "intermediate_query.dense")), w, at + "output_query.dense")
        x = layer_norm(y + x, w, at + "output_query.LayerNorm", eps)
    return linear(x, w, "img_proj_layer")


def mlp(features, w):
    """[1, C, grid, grid] -> [grid x grid, hidden], row-major over the grid, exact GELU."""
    x = features[0].flatten(1).T
    x = F.gelu(F.linear(x, w["mm_projector.0.weight"], w["mm_projector.0.bias"]))
    return F.linear(x, w["mm_projector.2.weight"], w["mm_projector.2.bias"])


# 5. Language model ----------------------------------------------------------------------------------------------

class LanguageModel:
    """LLaMA with a key and value cache. `feed` takes embeddings [T, hidden] and returns the last row's logits."""

    def __init__(self, bundle):
        self.spec, self.w = bundle.manifest["language_model"], bundle.language_model
        self.cache = [None] * self.spec["layers"]
        self.length = 0

    def embed(self, ids):
        return self.w["model.embed_tokens.weight"][torch.tensor(ids)]

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.spec["rms_norm_eps"]) * self.w[name + ".weight"]

    def rotate(self, x):
        """Half-split rotary embedding of [heads, T, d] at the positions after the cache."""
        half = x.shape[-1] // 2
        inverse = self.spec["rope_theta"] ** (-torch.arange(half, dtype=torch.float32) / half)
        angle = (torch.arange(x.shape[1]) + self.length).float()[:, None] * inverse
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=-1)

    def feed(self, x):
        heads, groups = self.spec["heads"], self.spec["key_value_heads"]
        new = x.shape[0]
        for i in range(self.spec["layers"]):
            at = f"model.layers.{i}."
            linear = lambda y, name: F.linear(y, self.w[f"{at}{name}.weight"])
            split = lambda y, n: y.view(new, n, -1).transpose(0, 1)
            y = self.norm(x, at + "input_layernorm")
            q = self.rotate(split(linear(y, "self_attn.q_proj"), heads))
            k = self.rotate(split(linear(y, "self_attn.k_proj"), groups))
            v = split(linear(y, "self_attn.v_proj"), groups)
            if self.cache[i] is not None:
                k, v = torch.cat([self.cache[i][0], k], 1), torch.cat([self.cache[i][1], v], 1)
            self.cache[i] = (k, v)
            k, v = (t.repeat_interleave(heads // groups, 0) for t in (k, v))
            scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
            later = torch.arange(k.shape[1])[None] > (torch.arange(new) + self.length)[:, None]
            attended = scores.masked_fill(later, float("-inf")).softmax(-1) @ v
            x = x + linear(attended.transpose(0, 1).reshape(new, -1), "self_attn.o_proj")
            y = self.norm(x, at + "post_attention_layernorm")
            x = x + linear(F.silu(linear(y, "mlp.gate_proj")) * linear(y, "mlp.up_proj"), "mlp.down_proj")
        self.length += new
        head = "model.embed_tokens.weight" if self.spec["tied_embeddings"] else "lm_head.weight"
        return self.w[head] @ self.norm(x[-1], "model.norm")

    def greedy(self, logits, end, limit):
        """Ids up to, without, `end`; at most `limit`. The end token is not fed: `close` does it."""
        ids = []
        while len(ids) < limit and self.length < self.spec["context"]:
            best = int(logits.argmax())
            if best == end:
                break
            ids.append(best)
            logits = self.feed(self.embed([best]))
        return ids


# 6. Prompts -----------------------------------------------------------------------------------------------------

def report_prompt(bundle, findings):
    """(ids before the image with BOS, ids after it). The two texts are tokenised separately."""
    prompts, tokenizer = bundle.manifest["prompts"], bundle.tokenizer
    text = f"{prompts['system']} USER: {prompts['report_instruction'].format(findings=findings)} ASSISTANT:"
    before, after = text.split("<image>")
    return [tokenizer.bos_id()] + tokenizer.encode(before), tokenizer.encode(after)


class Draft:
    """One film through every stage. Each stage's tensors stay readable as attributes, for the goldens."""

    def __init__(self, bundle, values, monochrome1):
        self.bundle, m = bundle, bundle.manifest
        p = m["preprocessing"]
        self.equalised, self.rendered = render(values, monochrome1)
        self.resized = resize_shorter(self.rendered, p["shorter_side"])
        self.encoder_crop = centre_crop(self.resized, p["encoder_side"])
        self.classifier_crop = centre_crop(self.resized, p["classifier_side"])
        self.logits, self.patches, self.gradients = classify(self.classifier_crop, bundle)
        self.scores = torch.sigmoid(self.logits).tolist()
        self.findings = prompt_findings(self.scores, m["classifier"])
        with torch.no_grad():
            self.features = patch_features(network_input(self.encoder_crop), bundle.image_encoder, "", m["image_encoder"])
            self.image_tokens = align(self.features, bundle)
            self.before, self.after = report_prompt(bundle, self.findings)
            self.model = LanguageModel(bundle)
            prompt = torch.cat([self.model.embed(self.before), self.image_tokens, self.model.embed(self.after)])
            self.first_logits = self.model.feed(prompt)
            self.ids = self.model.greedy(self.first_logits, bundle.tokenizer.eos_id(), m["generation"]["max_report_tokens"])
        self.text = bundle.tokenizer.decode(self.ids)

    @torch.no_grad()
    def ask(self, question):
        """(ids, text) of the answer to a question right after the report turn; the report's cache is kept for more."""
        tokenizer, kept = self.bundle.tokenizer, (list(self.model.cache), self.model.length)
        end = tokenizer.eos_id()
        # The last report id may not be in the cache when the limit ended it; greedy feeds every id it returns.
        turn = [end] + tokenizer.encode(f"USER: {question} ASSISTANT:")
        logits = self.model.feed(self.model.embed(turn))
        ids = self.model.greedy(logits, end, self.bundle.manifest["generation"]["max_answer_tokens"])
        self.model.cache, self.model.length = kept
        return ids, tokenizer.decode(ids)
