"""Random weights in the layouts that RaDialog's users download (model.md section 7): what `radialogctl model import` is tested and timed with.

    python reference/write_radialog_checkpoints.py DIR --generation v1|v2 [--size tiny|full] [--layers N] [--hidden N] [--seed N] [--expected]

    DIR/base                                        config.json, tokenizer.model, shards with their index: PyTorch's for v2, safetensors for v1
    DIR/adapter                                     adapter_config.json, adapter_model.bin; v2: non_lora_trainables.bin
    DIR/biovil_t_image_model_proj_size_128.pt
    DIR/ChexpertClassifier.ckpt                     as Lightning writes it
    DIR/checkpoint_4.pth                            v1
    DIR/expected                                    --expected: what PyTorch makes of these files, and SHA-256 of every merged weight in fp32 (exact in
                                                    tiny sets alone); the merged model has to fit in memory

`full` has the dimensions of the published models; its base is written shard by shard, and no more than one shard is in memory. Every tensor is drawn
from the seed and its own name. --layers and --hidden change the language model alone: `full` with 2 layers is the full width, `tiny` with 32 the full
depth, and `tiny` with 256 has rows that q4_k can take. Variances are kept from layer to layer, so that activations stay near one; the head's rows of control and byte pieces are
zero, so that greedy text is made of words and never ends by itself.
"""
import argparse
import collections
import hashlib
import json
import math
import pathlib
import random
import struct
import tempfile

import sentencepiece
import torch
from safetensors.torch import save_file

LABELS = ["No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation", "Pneumonia",
          "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices"]
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant acting as an experienced radiologist. The assistant gives "
          "professional, detailed, and polite answers to the user's questions.")
INSTRUCTION = ("<image>. Predicted Findings: {findings}. You are to act as a radiologist and write the finding section of a chest x-ray radiology "
               "report for this X-ray image and the given predicted findings. Write in the style of a radiologist, write one fluent text without "
               "enumeration, be concise and don't provide explanations or reasons.")
LINEARS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


class Sizes:
    """Every dimension of both networks and the language model."""

    def __init__(self, generation, size, layers=None, hidden=None):
        full = size == "full"
        v1 = generation == "v1"
        self.generation, self.full = generation, full
        self.stem, self.blocks, self.expansion = (64, [3, 4, 6, 3], 4) if full else (8, [2, 1, 1, 1], 4)
        self.channels = [64, 128, 256, 512] if full else [8, 8, 16, 16]
        self.patch, self.projection, self.pooler_blocks = (256, 128, 3) if full else (16, 32, 1)
        self.classifier_hidden, self.pool = (512, 4) if full else (64, 4)
        self.wide = 1408 if full else 64  # v1's projector
        self.queries, self.q_width, self.q_layers, self.q_feed_forward = (32, 768, 12, 3072) if full else (32, 128, 4, 256)
        self.words = 30523 if full else 50  # of the Q-Former's unused text path
        self.layers, self.hidden, self.heads, self.feed_forward = (32, 4096, 32, 11008) if full else (2, 128, 2, 256)
        self.layers = layers or self.layers
        if hidden:
            head = self.hidden // self.heads
            self.feed_forward, self.heads, self.hidden = self.feed_forward * hidden // self.hidden, hidden // head, hidden
        self.context = 2048 if v1 or not full else 4096
        self.epsilon = 1e-6 if v1 else 1e-5
        self.rank, self.alpha = (8, 16) if v1 else (128, 256) if full else (16, 32)
        self.targets = ["self_attn.q_proj", "self_attn.v_proj"] if v1 else LINEARS
        self.shard_bytes = 2 << 30 if full else 300_000

    def shape(self, linear):
        h, f = self.hidden, self.feed_forward
        return {"mlp.gate_proj": (f, h), "mlp.up_proj": (f, h), "mlp.down_proj": (h, f)}.get(linear, (h, h))


class Draw:
    """Tensors from the seed and a name: the order in which they are asked for does not matter."""

    def __init__(self, seed, on_grid):
        self.seed, self.on_grid = seed, on_grid

    def generator(self, name):
        return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:8], "big") >> 1)

    def normal(self, name, shape, deviation, grid=None):
        """`grid`: tiny sets only; whole multiples of 1 / grid, so that fp16, bf16 and a merge in fp32 are exact."""
        tensor = torch.randn(shape, generator=self.generator(name)).mul_(deviation)
        return tensor.mul_(grid).round_().div_(grid) if grid and self.on_grid else tensor

    def uniform(self, name, shape, low, high):
        return torch.rand(shape, generator=self.generator(name)).mul_(high - low).add_(low)


# Vision ---------------------------------------------------------------------------------------------------------

def batch_norm(tensors, draw, name, width, gain=1.0):
    tensors[name + ".weight"] = draw.uniform(name + ".weight", width, 0.8 * gain, 1.2 * gain)
    tensors[name + ".bias"] = draw.normal(name + ".bias", width, 0.1)
    tensors[name + ".running_mean"] = draw.normal(name + ".running_mean", width, 0.1)
    tensors[name + ".running_var"] = draw.uniform(name + ".running_var", width, 0.8, 1.2)
    tensors[name + ".num_batches_tracked"] = torch.tensor(1000)


def linear(tensors, draw, name, outputs, inputs, gain=1.0):
    tensors[name + ".weight"] = draw.normal(name + ".weight", (outputs, inputs), gain / math.sqrt(inputs))
    tensors[name + ".bias"] = draw.normal(name + ".bias", outputs, 0.1)


def norm(tensors, draw, name, width):
    tensors[name + ".weight"] = draw.uniform(name + ".weight", width, 0.8, 1.2)
    tensors[name + ".bias"] = draw.normal(name + ".bias", width, 0.1)


def convolution(tensors, draw, name, outputs, inputs, side):
    tensors[name + ".weight"] = draw.normal(name + ".weight", (outputs, inputs, side, side), math.sqrt(2 / (inputs * side * side)))


def projector(tensors, draw, prefix, sizes, width):
    convolution(tensors, draw, prefix + "projector.model.0", width, 2 * sizes.patch, 1)
    batch_norm(tensors, draw, prefix + "projector.model.1", width)
    convolution(tensors, draw, prefix + "projector.model.3", width, width, 1)
    tensors[prefix + "projector.model.3.bias"] = draw.normal(prefix + "projector.model.3.bias", width, 0.1)


def encoder(draw, prefix, sizes, projection):
    """BioViL-T's state dict, the unused classification layer and the pooler included."""
    t = collections.OrderedDict()
    trunk = prefix + "encoder.encoder."
    convolution(t, draw, trunk + "conv1", sizes.stem, 3, 7)
    batch_norm(t, draw, trunk + "bn1", sizes.stem)
    inputs = sizes.stem
    for stage, channels in enumerate(sizes.channels, start=1):
        outputs = channels * sizes.expansion
        for block in range(sizes.blocks[stage - 1]):
            at = f"{trunk}layer{stage}.{block}."
            for index, (o, i, side) in enumerate([(channels, inputs, 1), (channels, channels, 3), (outputs, channels, 1)], start=1):
                convolution(t, draw, f"{at}conv{index}", o, i, side)
                batch_norm(t, draw, f"{at}bn{index}", o, 0.3 if index == 3 else 1.0)
            if block == 0:
                convolution(t, draw, at + "downsample.0", outputs, inputs, 1)
                batch_norm(t, draw, at + "downsample.1", outputs)
            inputs = outputs
    linear(t, draw, trunk + "fc", 1000, inputs)
    t[prefix + "encoder.missing_previous_emb"] = draw.normal(prefix + "missing", (1, sizes.patch, 1, 1), 1)
    convolution(t, draw, prefix + "encoder.backbone_to_vit", sizes.patch, inputs, 1)
    pooler = prefix + "encoder.vit_pooler."
    t[pooler + "type_embed"] = draw.normal(pooler + "type_embed", (2, 1, sizes.patch), 0.1)
    for block in range(sizes.pooler_blocks):
        at = f"{pooler}blocks.{block}."
        norm(t, draw, at + "norm1", sizes.patch)
        for part in "qkv":
            t[f"{at}attn.proj_{part}.weight"] = draw.normal(f"{at}{part}", (sizes.patch, sizes.patch), 1 / math.sqrt(sizes.patch))
        norm(t, draw, at + "norm2", sizes.patch)
        for part in ["attn.proj", "mlp.fc1", "mlp.fc2"]:
            linear(t, draw, at + part, sizes.patch, sizes.patch)
    norm(t, draw, pooler + "norm_post", sizes.patch)
    projector(t, draw, prefix, sizes, projection)
    return t


def fine_tuned(tensors, draw):
    """What LLaVA's trainer keeps of a tower: parameters in bf16, and no buffers."""
    for name, tensor in tensors.items():
        if not name.endswith((".running_mean", ".running_var", ".num_batches_tracked")):
            scale = 0.05 * tensor.std().item() if tensor.numel() > 1 else 0.05
            yield name, (tensor + draw.normal("tuned " + name, tensor.shape, scale)).bfloat16()


def q_former(draw, sizes):
    """`model` of checkpoint_4.pth as v1's writer leaves it, but with the projector; the first stage's text path beside the query path."""
    t, width, ffn = collections.OrderedDict(), sizes.q_width, sizes.q_feed_forward
    t["query_tokens"] = draw.normal("query_tokens", (1, sizes.queries, width), 1)
    t["temp"] = torch.tensor(0.07)
    projector(t, draw, "visual_encoder.", sizes, sizes.wide)
    norm(t, draw, "ln_vision", sizes.wide)
    bert = "Qformer.bert."
    t[bert + "embeddings.position_ids"] = torch.arange(512)[None]
    t[bert + "embeddings.word_embeddings.weight"] = draw.normal("words", (sizes.words, width), 0.02)
    t[bert + "embeddings.position_embeddings.weight"] = draw.normal("positions", (512, width), 0.02)
    norm(t, draw, bert + "embeddings.LayerNorm", width)
    for layer in range(sizes.q_layers):
        at = f"{bert}encoder.layer.{layer}."
        for part, context in [("attention", width)] + ([("crossattention", sizes.wide)] if layer % 2 == 0 else []):
            for name, inputs in [("query", width), ("key", context), ("value", context)]:
                linear(t, draw, f"{at}{part}.self.{name}", width, inputs)
            linear(t, draw, f"{at}{part}.output.dense", width, width)
            norm(t, draw, f"{at}{part}.output.LayerNorm", width)
        for suffix in ["", "_query"]:
            linear(t, draw, f"{at}intermediate{suffix}.dense", ffn, width)
            linear(t, draw, f"{at}output{suffix}.dense", width, ffn, gain=1.7)
            norm(t, draw, f"{at}output{suffix}.LayerNorm", width)
    for name in ["vision_proj", "text_proj"]:
        linear(t, draw, name, 256 if sizes.full else 8, width)
    linear(t, draw, "itm_head", 2, width)
    return t


def classifier(draw, sizes):
    t = encoder(draw, "model.biovil_encoder.", sizes, sizes.projection)
    grid = math.ceil(488 / 32) // sizes.pool
    linear(t, draw, "model.fc1", sizes.classifier_hidden, sizes.projection * grid * grid, gain=2)
    linear(t, draw, "model.fc2", 14, sizes.classifier_hidden, gain=2)
    return t


def lightning(state, draw):
    head = torch.nn.Parameter(state["model.fc2.bias"].clone())
    optimizer = torch.optim.AdamW([head], lr=1e-4)
    head.grad = draw.normal("gradient", head.shape, 1)
    optimizer.step()
    return {
        "epoch": 3, "global_step": 14_000, "pytorch-lightning_version": "1.9.0", "state_dict": state, "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val_f1'}": {"best_model_score": torch.tensor(0.5), "dirpath": "checkpoints"}},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [], "hparams_name": "args",
        "hyper_parameters": {"args": argparse.Namespace(lr=1e-4, name="chexpert_train")},
    }


# Tokenizer ------------------------------------------------------------------------------------------------------

def piece(text, score):
    """One NORMAL piece of a SentencePiece ModelProto; a repeated field of a protobuf message grows by appending."""
    text = text.encode()
    body = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", score)
    return b"\x0a" + bytes([len(body)]) + body


def tokenizer(sizes, seed):
    """A BPE model with byte fallback, trained on the prompts and made-up words; `full` is filled up to 32000 pieces with words of its own."""
    source = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words = ["".join(source.choices(syllables, k=source.randint(2, 4))) for _ in range(400)]
    lines = [SYSTEM, INSTRUCTION.replace("<image>", "").replace("{findings}", ", ".join(LABELS).lower()), "USER: ASSISTANT: Image information:"] * 20
    lines += [" ".join(source.choices(words, k=12)) + "." for _ in range(400)]
    with tempfile.TemporaryDirectory() as folder:
        text, model = pathlib.Path(folder) / "text", pathlib.Path(folder) / "model"
        text.write_text("\n".join(lines))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(model), vocab_size=1000 if sizes.full else 500, model_type="bpe", byte_fallback=True,
            character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
            unk_id=0, bos_id=1, eos_id=2, pad_id=-1, num_threads=1, minloglevel=2, unk_surface=" \u2047 ")
        data = model.with_suffix(".model").read_bytes()
    if sizes.full:
        made = sentencepiece.SentencePieceProcessor(model_proto=data)
        known = {made.id_to_piece(index) for index in range(made.vocab_size())}
        count = 32000 - len(known)
        while count > 0:
            text = "▁" + "".join(source.choices(syllables, k=source.randint(3, 5)))
            if text not in known:
                known.add(text)
                data += piece(text, -1e6 - count)
                count -= 1
    return data, sentencepiece.SentencePieceProcessor(model_proto=data)


# Language model -------------------------------------------------------------------------------------------------

def silent_rows(processor):
    """Pieces that a report does not begin or end with: control, unknown, bytes, blanks."""
    return [index for index in range(processor.vocab_size())
            if processor.is_control(index) or processor.is_unknown(index) or processor.is_byte(index) or not processor.id_to_piece(index).strip("▁")]


def base_tensors(draw, sizes, vocabulary):
    """(name, shape, function that makes it) in the order of the model."""
    h = sizes.hidden
    vector = lambda name: lambda: draw.uniform(name, h, 0.8, 1.2).half()
    matrix = lambda name, shape, deviation: lambda: draw.normal(name, shape, deviation, grid=1024).half()
    yield "model.embed_tokens.weight", matrix("embedding", (vocabulary, h), 1)
    for layer in range(sizes.layers):
        at = f"model.layers.{layer}."
        for name in LINEARS:
            shape = sizes.shape(name)
            yield f"{at}{name}.weight", matrix(at + name, shape, (1.5 if name.startswith("mlp") else 1) / math.sqrt(shape[1]))
        for name in ["input_layernorm", "post_attention_layernorm"]:
            yield f"{at}{name}.weight", vector(at + name)
        if sizes.generation == "v1":
            yield at + "self_attn.rotary_emb.inv_freq", lambda: 10000 ** (-torch.arange(0, h // sizes.heads, 2).float() / (h // sizes.heads))
    yield "model.norm.weight", vector("norm")
    yield "lm_head.weight", matrix("head", (vocabulary, h), 3 / math.sqrt(h))
    if sizes.generation == "v2":
        # LLaVA's own projector, for its CLIP tower: RaDialog does not use it.
        for index, inputs in [(0, 1024 if sizes.full else 32), (2, h)]:
            yield f"model.mm_projector.{index}.weight", matrix(f"clip {index}", (h, inputs), 1 / math.sqrt(inputs))
            yield f"model.mm_projector.{index}.bias", lambda index=index: draw.normal(f"clip bias {index}", h, 0.1).half()


def write_base(folder, draw, sizes, processor, model):
    folder.mkdir(parents=True)
    (folder / "tokenizer.model").write_bytes(model)
    v1, vocabulary, silent = sizes.generation == "v1", processor.vocab_size(), silent_rows(processor)
    config = {
        "architectures": ["LlamaForCausalLM" if v1 else "LlavaLlamaForCausalLM"], "model_type": "llama" if v1 else "llava", "bos_token_id": 1,
        "eos_token_id": 2, "pad_token_id": 0, "hidden_act": "silu", "hidden_size": sizes.hidden, "initializer_range": 0.02,
        "intermediate_size": sizes.feed_forward, "max_position_embeddings": sizes.context, "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers, "rms_norm_eps": sizes.epsilon, "tie_word_embeddings": False, "torch_dtype": "float16",
        "transformers_version": "4.28.1" if v1 else "4.31.0", "use_cache": not v1, "vocab_size": vocabulary,
    }
    if not v1:
        config |= {"num_key_value_heads": sizes.heads, "pretraining_tp": 1, "rope_scaling": None, "mm_projector_type": "mlp2x_gelu",
                   "mm_vision_tower": "openai/clip-vit-large-patch14-336", "mm_hidden_size": 1024, "tokenizer_model_max_length": 2048}
    (folder / "config.json").write_text(json.dumps(config, indent=2))

    # Two passes over the names: how many shards there are stands in every shard's name.
    def byte_count(name):
        h = sizes.hidden
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            return 2 * vocabulary * h
        part = next((part for part in LINEARS if part in name), None)
        return 2 * math.prod(sizes.shape(part)) if part else 2 * h

    groups, room = [[]], sizes.shard_bytes
    for name, make in base_tensors(draw, sizes, vocabulary):
        if groups[-1] and byte_count(name) > room:
            groups.append([])
            room = sizes.shard_bytes
        groups[-1].append((name, make))
        room -= byte_count(name)
    places, total = {}, 0
    for number, group in enumerate(groups, start=1):
        suffix = f"{number:05}-of-{len(groups):05}"
        file = f"model-{suffix}.safetensors" if v1 else f"pytorch_model-{suffix}.bin"
        shard = collections.OrderedDict()
        for name, make in group:
            shard[name] = make()
            if name == "lm_head.weight":
                shard[name][silent] = 0
            places[name] = file
            total += shard[name].nbytes
        save_file(dict(shard), folder / file, metadata={"format": "pt"}) if v1 else torch.save(shard, folder / file)
        print(f"{file}: {len(shard)} tensors", flush=True)
    index = "model.safetensors.index.json" if v1 else "pytorch_model.bin.index.json"
    (folder / index).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=2))


def write_adapter(folder, draw, sizes, processor):
    folder.mkdir(parents=True)
    v1, root, scale = sizes.generation == "v1", "base_model.model.", sizes.alpha / sizes.rank
    state = collections.OrderedDict()
    for layer in range(sizes.layers):
        for name in sizes.targets:
            (outputs, inputs), at = sizes.shape(name), f"model.layers.{layer}.{name}"
            a = draw.normal(at + " A", (sizes.rank, inputs), 1 / math.sqrt(inputs), grid=256)
            b = draw.normal(at + " B", (outputs, sizes.rank), 0.2 / (scale * math.sqrt(sizes.rank)), grid=256)
            state[f"{root}{at}.lora_A.weight"], state[f"{root}{at}.lora_B.weight"] = (a, b) if v1 else (a.bfloat16(), b.bfloat16())
    saved = None
    if v1:
        # <IMG> is one more piece: the adapter brings embedding and head with a row for it.
        saved = ["img_proj_layer", "embed_tokens", "lm_head"]
        rows = processor.vocab_size() + 1
        linear(state, draw, root + "model.img_proj_layer", sizes.hidden, sizes.q_width)
        state[root + "model.embed_tokens.weight"] = draw.normal("saved embedding", (rows, sizes.hidden), 1).half()
        head = draw.normal("saved head", (rows, sizes.hidden), 3 / math.sqrt(sizes.hidden)).half()
        head[silent_rows(processor) + [rows - 1]] = 0
        state[root + "lm_head.weight"] = head
    torch.save(state, folder / "adapter_model.bin")
    config = {
        "base_model_name_or_path": "lmsys/vicuna-7b-v1.3" if v1 else "liuhaotian/llava-v1.5-7b", "bias": "none", "fan_in_fan_out": False,
        "inference_mode": True, "init_lora_weights": True, "lora_alpha": sizes.alpha, "lora_dropout": 0.05, "modules_to_save": saved,
        "peft_type": "LORA", "r": sizes.rank, "target_modules": [name.split(".")[1] for name in sizes.targets], "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))


def mlp(draw, sizes):
    t = collections.OrderedDict()
    linear(t, draw, "mm_projector.0", sizes.hidden, 2 * sizes.patch)
    linear(t, draw, "mm_projector.2", sizes.hidden, sizes.hidden, gain=1.7)
    return t


# What PyTorch makes of it ---------------------------------------------------------------------------------------

def merged(folder, sizes):
    """W + (alpha / r) B A in double precision, rounded to fp32 once; from the files, with PyTorch's own readers."""
    from safetensors.torch import load_file
    base = {}
    for shard in sorted((folder / "base").glob("*.safetensors")):
        base |= load_file(shard)
    for shard in sorted((folder / "base").glob("*.bin")):
        base |= torch.load(shard, weights_only=True)
    adapter = torch.load(folder / "adapter" / "adapter_model.bin", weights_only=True)
    weights = {}
    for name, tensor in base.items():
        if name.endswith("inv_freq") or "mm_projector" in name:
            continue
        module = "base_model.model." + name.removesuffix(".weight")
        weights[name] = adapter.get(module + ".weight", tensor).double()
        if module + ".lora_A.weight" in adapter:
            a, b = adapter[module + ".lora_A.weight"].double(), adapter[module + ".lora_B.weight"].double()
            weights[name] += sizes.alpha / sizes.rank * (b @ a)
    return {name: tensor.float().contiguous() for name, tensor in weights.items()}, adapter


class Expected:
    """Stands in for radialog.Bundle: the same files, read and put together by PyTorch, with the manifest that model.md asks for."""

    def __init__(self, folder, sizes):
        load = lambda name: torch.load(folder / name, weights_only=False)
        self.language_model, adapter = merged(folder, sizes)
        biovil = load("biovil_t_image_model_proj_size_128.pt")
        self.classifier = {k.removeprefix("model."): v for k, v in load("ChexpertClassifier.ckpt")["state_dict"].items()}
        if sizes.generation == "v2":
            trained = {k.removeprefix("base_model.model.model."): v.float() for k, v in load("adapter/non_lora_trainables.bin").items()}
            tower = {k.removeprefix("vision_tower."): v for k, v in trained.items() if k.startswith("vision_tower.")}
            self.image_encoder = biovil | tower
            self.alignment = {k: v for k, v in trained.items() if k.startswith("mm_projector.")}
            alignment = {"architecture": "mlp"}
        else:
            state = load("checkpoint_4.pth")["model"]
            wide = {k.removeprefix("visual_encoder."): v for k, v in state.items() if k.startswith("visual_encoder.")}
            self.image_encoder = {k: v for k, v in biovil.items() if not k.startswith("projector.")} | wide
            self.alignment = state | {k.removeprefix("base_model.model.model."): v.float() for k, v in adapter.items() if "img_proj_layer" in k}
            alignment = {"architecture": "q-former", "layers": sizes.q_layers, "heads": sizes.q_width // 64, "cross_attention_every": 2,
                         "layer_norm_eps": 1e-12, "vision_norm_eps": 1e-5}
        trunk = {"stage_blocks": sizes.blocks, "batch_norm_eps": 1e-5}
        self.manifest = {
            "preprocessing": {"shorter_side": 512, "encoder_side": 448, "classifier_side": 488}, "image_encoder": trunk,
            "classifier": trunk | {"pool": sizes.pool, "labels": LABELS, "thresholds": [0.5] * 14}, "alignment": alignment,
            "language_model": {"layers": sizes.layers, "heads": sizes.heads, "key_value_heads": sizes.heads, "rms_norm_eps": sizes.epsilon,
                               "rope_theta": 10000, "tied_embeddings": False, "context": sizes.context},
            # The first generation's tokenizer strips the blank in front of its 32 <IMG> (docs/model-bundle.md).
            "prompts": {"system": SYSTEM, "report_instruction": ("Image information:" if sizes.generation == "v1" else "") + INSTRUCTION},
            "generation": {"max_report_tokens": 64},
        }
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(folder / "base" / "tokenizer.model"))


def film():
    """Rows x columns that a test can make again: 12 bits of waves."""
    row, column = torch.arange(600)[:, None], torch.arange(520)[None]
    return ((row * 31 + column * 17 + row * column // 7) % 4096).double().numpy()


def write_expected(folder, sizes):
    import radialog
    bundle = Expected(folder, sizes)
    draft = radialog.Draft(bundle, film(), False)
    (folder / "expected").mkdir()
    (folder / "expected" / "merged.json").write_text(json.dumps(
        {name: hashlib.sha256(tensor.float().contiguous().numpy().astype("<f4").tobytes()).hexdigest() for name, tensor in bundle.language_model.items()}, indent=1))
    features = draft.features[0].flatten(1).T.contiguous()
    save_file(
        {"features": features, "image_tokens": draft.image_tokens.contiguous(), "first_logits": draft.first_logits.contiguous(),
         "classifier_logits": draft.logits.contiguous()}, folder / "expected" / "forward.safetensors")
    (folder / "expected" / "forward.json").write_text(json.dumps(
        {"findings": draft.findings, "before": draft.before, "after": draft.after, "ids": draft.ids, "text": draft.text}, indent=1))
    print(f"{len(draft.ids)} ids, {len(set(draft.ids))} different; features {features.std():.3f}, image tokens {draft.image_tokens.std():.3f}, "
          f"logits {draft.first_logits.std():.3f}; findings: {draft.findings}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--generation", choices=["v1", "v2"], required=True)
    parser.add_argument("--size", choices=["tiny", "full"], default="tiny")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--expected", action="store_true")
    options = parser.parse_args()
    if options.expected and options.size == "full" and (options.layers or 32) > 4:
        parser.error("--expected needs the merged model in memory, in double precision one tensor at a time: at full width give --layers 2")
    folder, sizes = options.folder, Sizes(options.generation, options.size, options.layers, options.hidden)
    draw = Draw(options.seed, on_grid=not sizes.full)
    folder.mkdir(parents=True, exist_ok=True)

    biovil = encoder(draw, "", sizes, sizes.projection)
    torch.save(biovil, folder / "biovil_t_image_model_proj_size_128.pt")
    torch.save(lightning(classifier(draw, sizes), draw), folder / "ChexpertClassifier.ckpt")
    model, processor = tokenizer(sizes, options.seed)
    write_adapter(folder / "adapter", draw, sizes, processor)
    if options.generation == "v2":
        root = "base_model.model.model."
        state = {f"{root}vision_tower.{name}": tensor for name, tensor in fine_tuned(biovil, draw)}
        state |= {root + name: tensor.bfloat16() for name, tensor in mlp(draw, sizes).items()}
        torch.save(state, folder / "adapter" / "non_lora_trainables.bin")
    else:
        torch.save({"model": q_former(draw, sizes), "optimizer": {"state": {}, "param_groups": []}, "config": {"run": {"amp": True}}, "scaler": None, "epoch": 4},
                   folder / "checkpoint_4.pth")
    write_base(folder / "base", draw, sizes, processor, model)
    if options.expected:
        write_expected(folder, sizes)


if __name__ == "__main__":
    main()
