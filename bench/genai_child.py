# One process of OpenVINO GenAI, started by programs.py or npu_host_work.py. In: a request as JSON
# in the only argument. Out: one line of JSON.
import json
import sys

import numpy as np
import openvino
import openvino_genai


def load(request, **more):
    """The pipeline over the GGUF, with a cache of 1 GiB and without reuse of prefixes."""
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False
    scheduler.cache_size = 1
    return openvino_genai.LLMPipeline(request["model"], "CPU", scheduler_config=scheduler,
                                      INFERENCE_NUM_THREADS=request["threads"], **more)


def answer(pipeline, ids, max_tokens, **settings):
    config = openvino_genai.GenerationConfig(max_new_tokens=max_tokens, do_sample=False)
    for name, value in settings.items():
        setattr(config, name, value)
    return pipeline.generate(openvino.Tensor(np.array([ids], np.int64)), config)


def figures(request):
    """TTFT and decode rate, for the prompts that the request has."""
    pipeline = load(request)
    if "start" in request:
        answer(pipeline, request["start"], 1)
        return {}
    if "warm" in request:
        answer(pipeline, request["warm"], 8, ignore_eos=True)
    metrics = answer(pipeline, request["short"], 128, ignore_eos=True).perf_metrics
    out = {"ttft_ms_128": metrics.get_ttft().mean, "decode_tps": 1000 / metrics.get_tpot().mean}
    if "long" in request:
        long = answer(pipeline, request["long"], 1).perf_metrics
        out["ttft_ms_512"] = long.get_ttft().mean
    return out


def grounded(request):
    """Long answers, one for each prompt; with `draft_tokens` by prompt lookup."""
    draft_tokens = request.get("draft_tokens", 0)
    pipeline = load(request, **({"prompt_lookup": True} if draft_tokens else {}))
    settings = {}
    if draft_tokens:
        settings = {"num_assistant_tokens": draft_tokens, "max_ngram_size": request["ngram"]}
    answer(pipeline, request["prompts"][0][:64], 8, **settings)
    out = []
    for ids in request["prompts"]:
        result = answer(pipeline, ids, request["max_tokens"], **settings)
        metrics = result.perf_metrics
        new_ids = list(result.tokens[0])
        decode_s = (metrics.get_generate_duration().mean - metrics.get_ttft().mean) / 1000
        out.append({"ids": new_ids, "tokens": len(new_ids), "decode_s": decode_s,
                    "steps": len(metrics.raw_metrics.m_batch_sizes)})
    return {"answers": out}


def npu(request):
    """One long answer by the pipeline for NPUs, with its defaults."""
    pipeline = openvino_genai.LLMPipeline(request["model"], "NPU", **request["properties"])
    result = answer(pipeline, request["prompt"], request["max_tokens"], ignore_eos=True)
    return {"ids": list(result.tokens[0])}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    tasks = {"figures": figures, "grounded": grounded, "npu": npu}
    print(json.dumps(tasks[asked["task"]](asked)))
