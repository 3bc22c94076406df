#!/usr/bin/env python3
# SmolLM2's GGUF as the directory that OpenVINO GenAI's NPU pipeline takes: first a Hugging Face
# checkpoint, then optimum-intel's export with weights of int4, symmetric, a scale for each row, as
# GenAI's documents ask for on an NPU. Needs scripts/requirements-npu-peers.txt.
#
#     export_peer_model.py MODEL.gguf -o DIR        makes DIR/hugging_face and DIR/openvino
import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # the export must not depend on what a hub says today

import torch
from gguf import GGUFReader
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

CONTROL = 3  # in tokenizer.ggml.token_type: a token that no text may spell


def tokenizer_of(gguf):
    """Byte-level BPE, as the GGUF lists it. transformers' own reader takes it for another kind."""
    fields = GGUFReader(gguf).fields

    def value(key):
        return fields["tokenizer." + key].contents()

    if value("ggml.pre") != "smollm":
        sys.exit(f"{gguf}: its pre-tokenizer is {value('ggml.pre')}; this script knows smollm only")
    tokens = value("ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in value("ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [token for token, kind in zip(tokens, value("ggml.token_type")) if kind == CONTROL])
    named = {name: tokens[value(f"ggml.{key}_token_id")] for name, key in (
        ("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"),
        ("pad_token", "padding"))}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=value("chat_template"),
                                   clean_up_tokenization_spaces=False, **named)


def write_hugging_face(gguf, folder):
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name,
                                                 dtype=torch.float16)
    model.save_pretrained(folder)
    tokenizer_of(gguf).save_pretrained(folder)


def export(checkpoint, folder):
    optimum = Path(sys.executable).with_name("optimum-cli")
    subprocess.run([optimum, "export", "openvino", "--model", checkpoint,
                    "--task", "text-generation-with-past", "--weight-format", "int4", "--sym",
                    "--group-size", "-1", "--ratio", "1.0", folder], check=True)


def main():
    parser = argparse.ArgumentParser(description="Makes what GenAI's NPU pipeline takes.")
    parser.add_argument("gguf", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    asked = parser.parse_args()
    checkpoint = asked.output / "hugging_face"
    write_hugging_face(asked.gguf, checkpoint)
    export(checkpoint, asked.output / "openvino")
    if not (asked.output / "openvino" / "openvino_tokenizer.xml").exists():
        sys.exit("the export has no openvino_tokenizer.xml: openvino-tokenizers is missing")


if __name__ == "__main__":
    main()
