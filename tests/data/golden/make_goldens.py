#!/usr/bin/env python3
# Makes the golden checkpoints: tiny models with random weights, and what transformers computes from
# them. Out: one Hugging Face directory or one .gguf file each, with a golden .json beside it.
#
#     make_goldens.py            write them all anew, beside this file
#     make_goldens.py --check    write them elsewhere and compare with what lies here
#
# Everything is seeded; the libraries and their versions are in README.md.
import argparse
import filecmp
import importlib.metadata
import json
import os
import sys
import tempfile
import zlib
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

import tiny_gguf
import tiny_tokenizers
from cases import GGUF_CASES, HUGGING_FACE_CASES

SEQUENCES = (40, 128)  # tokens
PROMPT, GREEDY = 16, 32  # tokens
MARGIN_MIN = 0.02  # between the two best logits, wherever a golden names a best token
DISTINCT_MIN = 8  # different tokens among the greedy ones
FIRST_ID = 3  # the control tokens come before
EAGER = {"attn_implementation": "eager", "experts_implementation": "eager"}
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
VERSIONS = {module.__name__: module.__version__
            for module in (torch, transformers, tokenizers, safetensors)}
VERSIONS["gguf"] = importlib.metadata.version("gguf")


def generator(*key):
    """A source of numbers that depends on the names given and on nothing else."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, key)).encode()))


# ---- weights

def random_weight(case, seed, name, shape):
    """Scales that keep attention peaked, biases visible and logits at a deviation of about 2."""
    numbers = generator(case["name"], seed, name).standard_normal(shape)
    if name.endswith(".bias"):
        return numbers * 0.25
    # A family that multiplies its embedding has a smaller one, and a final norm that makes up for
    # it: else the embedding drowns what the layers say.
    shrink = case.get("shrink", 1.0)
    if len(shape) == 1:
        offset = -1 if case["config"]["model_type"].startswith("gemma") else 0
        return (1 + numbers * 0.2) / (shrink if name == "model.norm.weight" else 1) + offset
    if "embed_tokens" in name:
        tied = case["config"]["tie_word_embeddings"]
        return numbers * (2 * shrink / shape[1] ** 0.5 if tied else 1.0)
    gain = 2.0 if "lm_head" in name else 1.4 if "q_proj" in name or "k_proj" in name else 1.2
    return numbers * gain / shape[-1] ** 0.5


def new_model(config):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        known = AutoConfig.from_pretrained(folder)
    return AutoModelForCausalLM.from_config(
        known, **EAGER, dtype=torch.float32).eval()


def fill(model, weights):
    """Puts f32 arrays into the model; refuses if a name is left over on either side."""
    state = {name: torch.from_numpy(np.array(weight)) for name, weight in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    assert set(missing) <= tied and not unexpected, (missing, unexpected)


def random_weights(case, seed, model):
    """Name -> f32 array, already rounded to what the checkpoint can hold."""
    dtype = DTYPES[case["dtype"]]
    out = {}
    for name, parameter in model.named_parameters():
        weight = torch.from_numpy(random_weight(case, seed, name, tuple(parameter.shape)))
        out[name] = weight.to(torch.float32).to(dtype).to(torch.float32).numpy()
    return out


# ---- reference values

@torch.no_grad()
def logits_of(model, ids):
    """[batch, tokens] -> [batch, tokens, vocabulary], without any cache."""
    return model(input_ids=torch.as_tensor(ids), use_cache=False).logits


def margins_of(logits):
    best = logits.topk(2, dim=-1).values
    return best[..., 0] - best[..., 1]


def greedy(model, prompt):
    """Continues `prompt`; end tokens are not obeyed. Whole sequences anew at every step."""
    ids, margins = list(prompt), []
    for _ in range(GREEDY):
        last = logits_of(model, [ids])[0, -1]
        margins.append(margins_of(last).item())
        ids.append(last.argmax().item())
    return ids[len(prompt):], margins


def find_prompt(case, model):
    """A prompt whose continuation is varied and at no step a close call; None if there is none."""
    for attempt in range(40):
        numbers = generator(case["name"], "prompt", attempt)
        prompt = numbers.integers(FIRST_ID, model.config.vocab_size, PROMPT).tolist()
        ids, margins = greedy(model, prompt)
        if min(margins) > MARGIN_MIN and len(set(ids)) >= DISTINCT_MIN:
            return prompt
    return None


def find_sequence(case, model, tokens):
    """Random tokens after which the best next token is at no position a close call."""
    for attempt in range(200):
        numbers = generator(case["name"], "sequence", tokens, attempt)
        batch = numbers.integers(FIRST_ID, model.config.vocab_size, (32, tokens))
        clear = margins_of(logits_of(model, batch)).min(dim=1).values > MARGIN_MIN * 1.1
        if clear.any():
            return batch[int(clear.int().argmax())].tolist()
    return None


def sequence_golden(model, ids):
    """Per position: log-probability of the token there, the best next token, and its lead."""
    logits = logits_of(model, [ids])[0]
    log_probabilities = torch.log_softmax(logits, dim=-1)
    exact = torch.log_softmax(logits_of(model.double(), [ids])[0], dim=-1)
    model.float()
    noise = (log_probabilities - exact).abs().max().item()
    margins = margins_of(logits)
    assert noise < 2e-4 and margins.min() > MARGIN_MIN, (noise, margins.min())
    given = [round(log_probabilities[i - 1, ids[i]].item(), 6) for i in range(1, len(ids))]
    return {"ids": ids, "logprobs": [None] + given, "best_ids": logits.argmax(dim=-1).tolist(),
            "margins": [round(margin, 4) for margin in margins.tolist()]}


def golden(case, model, prompt, sequences):
    ids, margins = greedy(model, prompt)
    assert min(margins) > MARGIN_MIN
    return {
        "about": case["about"],
        "made_by": "tests/data/golden/make_goldens.py",
        "versions": VERSIONS,
        "sequences": [sequence_golden(model, ids) for ids in sequences],
        "greedy": {"prompt_ids": prompt, "ids": ids, "margins": [round(m, 4) for m in margins]},
    }


def choose(case, weights_of):
    """Tries weight seeds until every margin is clear. Returns the model, prompt and sequences."""
    for seed in range(100):
        model = weights_of(seed)
        prompt = find_prompt(case, model)
        sequences = [find_sequence(case, model, tokens) for tokens in SEQUENCES]
        if prompt and all(sequences):
            return seed, prompt, sequences
    raise SystemExit(f"{case['name']}: no seed gives clear margins")


# ---- writing

def layout(value, indent=0):
    """JSON with one line for each entry of an object; lists of plain values stay on one line."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and value:
        entries = [f"{pad}{json.dumps(key)}: {layout(v, indent + 1)}" for key, v in value.items()]
        return "{\n" + ",\n".join(entries) + "\n" + " " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        entries = [pad + layout(v, indent + 1) for v in value]
        return "[\n" + ",\n".join(entries) + "\n" + " " * indent + "]"
    return json.dumps(value)


def write_json(path, value):
    path.write_text(layout(value) + "\n")


def as_published(case, weights):
    """Experts, which the model holds as one tensor, under the names that checkpoints give each."""
    is_mixtral = case["config"]["model_type"] == "mixtral"
    block = "block_sparse_moe" if is_mixtral else "mlp"
    gate, up, down = ("w1", "w3", "w2") if is_mixtral else ("gate_proj", "up_proj", "down_proj")
    out = {}
    for name, weight in weights.items():
        layer = name.split(".mlp.")[0]
        if is_mixtral and name.endswith(".mlp.gate.weight"):
            out[f"{layer}.{block}.gate.weight"] = weight
        elif name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(weight):
                prefix = f"{layer}.{block}.experts.{expert}"
                out[f"{prefix}.{gate}.weight"], out[f"{prefix}.{up}.weight"] = np.split(both, 2)
        elif name.endswith("experts.down_proj"):
            for expert, one in enumerate(weight):
                out[f"{layer}.{block}.experts.{expert}.{down}.weight"] = one
        else:
            out[name] = weight
    return out


def write_weights(case, weights, folder):
    """One model.safetensors, or `shards` of them with an index."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(weight)).to(DTYPES[case["dtype"]])
               for name, weight in as_published(case, weights).items()}
    shards = case.get("shards", 1)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(tensors)
    where = {name: f"model-{i * shards // len(names) + 1:05d}-of-{shards:05d}.safetensors"
             for i, name in enumerate(names)}
    for shard in sorted(set(where.values())):
        save_file({name: tensors[name] for name in names if where[name] == shard},
                  folder / shard, metadata={"format": "pt"})
    total = sum(tensor.nbytes for tensor in tensors.values())
    write_json(folder / "model.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": where})


def write_tokenizer(tiny, folder):
    made = tiny_tokenizers.reference(tiny, "qwen2")
    made.save(str(folder / "tokenizer.json"))
    config = {"bos_token": tiny.tokens[tiny.bos] if tiny.bos is not None else None,
              "eos_token": tiny.tokens[tiny.eos], "clean_up_tokenization_spaces": False,
              "tokenizer_class": "PreTrainedTokenizerFast"}
    if tiny.kind == "gpt2":
        config["chat_template"] = tiny_tokenizers.CHAT_TEMPLATE
    write_json(folder / "tokenizer_config.json", config)
    return tiny_tokenizers.encoded_texts(made)


def tokenizer_of(case):
    return case["tokenizer"](case["config"]["vocab_size"])


def make_hugging_face(case, out):
    """Writes out/NAME/. Returns the weights, for the GGUF files made from the same."""
    model = new_model(case["config"])

    def weights_of(seed):
        fill(model, random_weights(case, seed, model))
        return model

    seed, prompt, sequences = choose(case, weights_of)
    weights = random_weights(case, seed, model)
    folder = out / case["name"]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", case["config"])
    write_json(folder / "generation_config.json",
               {key: case["config"][key] for key in ("bos_token_id", "eos_token_id")})
    write_weights(case, weights, folder)
    texts = write_tokenizer(tokenizer_of(case), folder) if "tokenizer" in case else []
    on_disk = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, **EAGER).eval()
    write_json(folder / "golden.json", golden(case, on_disk, prompt, sequences) | {"texts": texts})
    return weights


def llama3_divisors(config):
    """GGUF's form of llama3 rope scaling: plain frequencies over the scaled ones. [head_dim / 2]"""
    scaled = new_model(config).model.rotary_emb.inv_freq.numpy()
    plain = new_model(config | {"rope_scaling": None}).model.rotary_emb.inv_freq.numpy()
    return plain / scaled


def make_gguf(case, out, known_weights):
    """Writes out/gguf/NAME.gguf; the reference is computed from what the file then holds."""
    config = case["config"]
    model = new_model(config)
    tiny = tokenizer_of(case)
    folder = out / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case['name']}.gguf"
    scaling = config.get("rope_scaling") or {}
    divisors = llama3_divisors(config) if scaling.get("rope_type") == "llama3" else None

    def write_and_load(seed):
        weights = known_weights.get(case.get("source")) or random_weights(case, seed, model)
        tiny_gguf.write_gguf(path, config, weights, case["kind_of"], tiny, case["pre"],
                             case.get("version", 3), divisors)
        shapes = {name: weight.shape for name, weight in weights.items()}
        fill(model, tiny_gguf.read_weights(path, config, shapes))
        return model

    seed, prompt, sequences = choose(case, write_and_load)
    values = golden(case, write_and_load(seed), prompt, sequences)
    texts = tiny_tokenizers.encoded_texts(tiny_tokenizers.reference(tiny, case["pre"]))
    write_json(folder / f"{case['name']}.json", values | {"texts": texts})


def make_all(out):
    known_weights = {}
    for case in HUGGING_FACE_CASES:
        known_weights[case["name"]] = make_hugging_face(case, out)
        report(out / case["name"])
    for case in GGUF_CASES:
        make_gguf(case, out, known_weights)
        report(out / "gguf" / f"{case['name']}.gguf")


def report(path):
    files = path.iterdir() if path.is_dir() else [path]
    print(f"{path.name:24} {sum(file.stat().st_size for file in files) / 1000:7.1f} kB", flush=True)


def different_files(made, kept):
    names = [file.relative_to(made) for file in sorted(made.rglob("*")) if file.is_file()]
    return [name for name in names
            if not (kept / name).exists() or not filecmp.cmp(made / name, kept / name, False)]


def main():
    parser = argparse.ArgumentParser(description="Makes the golden checkpoints.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    here = Path(__file__).resolve().parent
    if not arguments.check:
        make_all(here)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        make_all(Path(folder))
        different = different_files(Path(folder), here)
    for name in different:
        print(f"differs: {name}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
