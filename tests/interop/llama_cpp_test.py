#!/usr/bin/env python3
# llama.cpp reads the golden GGUF files and says the golden log-probabilities: they are files as it
# makes and means them.
#
#     llama_cpp_test.py tests/data/golden/gguf/*.gguf
#
# Every file is given to it rewritten in F32 by gguf-py: llama.cpp rounds activations to the type of
# the weights they meet.
import ctypes
import json
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter, quants

CONTEXT = 256  # tokens; more than the goldens have
GGML_TYPE_F32 = 0
WORST = 1e-4  # what llama.cpp's own order of sums costs
GELU_WORST = 5e-3  # it looks GELU up in f16
# Tokens after which llama.cpp goes another way: it knows no window of Phi-3.
COMPARED = {"phi_short_f16": 32}
MESSAGES = []


@llama_cpp.llama_log_callback
def remember(level, text, data):
    del level, data
    MESSAGES.append(text.decode(errors="replace"))


def rewrite_in_f32(source, target):
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        if field.types[0] == GGUFValueType.ARRAY:
            writer.add_array(field.name, field.contents())
        else:
            writer.add_key_value(field.name, field.contents(), field.types[0])
    for tensor in reader.tensors:
        shape = [int(size) for size in tensor.shape][::-1]
        numbers = quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        writer.add_tensor(tensor.name, numbers.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model:
    def __init__(self, path):
        parameters = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise SystemExit("llama.cpp refuses it: " + "".join(MESSAGES[-3:]))
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def logits(self, ids):
        """[tokens, vocabulary]"""
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = CONTEXT
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.type_k = parameters.type_v = GGML_TYPE_F32
        parameters.flash_attn_type = 0  # that one rounds to f16
        context = llama_cpp.llama_init_from_model(self.model, parameters)
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids):
            batch.token[place], batch.pos[place] = token, place
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
            batch.logits[place] = 1
        assert llama_cpp.llama_decode(context, batch) == 0
        rows = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, place),
                                      (self.vocabulary,)).astype(np.float64)
                for place in range(len(ids))]
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
        return np.stack(rows)


def worst_difference(model, sequence, compared):
    ids = sequence["ids"][:compared]
    logits = model.logits(ids)
    logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    seen = logprobs[np.arange(len(ids) - 1), ids[1:]]
    return np.abs(seen - np.array(sequence["logprobs"][1:len(ids)])).max()


def check(path):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "f32.gguf"
        rewrite_in_f32(path, copy)
        model = Model(copy)
        sequences = json.loads(path.with_suffix(".json").read_text())["sequences"]
        worst = max(worst_difference(model, sequence, COMPARED.get(path.stem))
                    for sequence in sequences)
    limit = GELU_WORST if path.stem.startswith("gemma") else WORST
    print(f"{path.stem:20} {worst:.1e}{'' if worst <= limit else '  FAILED'}", flush=True)
    return worst <= limit


def main():
    llama_cpp.llama_log_set(remember, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return 0 if all([check(Path(name)) for name in sys.argv[1:]]) else 1


if __name__ == "__main__":
    sys.exit(main())
