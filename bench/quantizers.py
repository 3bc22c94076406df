#!/usr/bin/env python3
# INT4 by Ovenbird and by NNCF: perplexity, file size, time and memory of each way, for one Hugging
# Face directory, the same texts and the same windows of calibration text.
#
#     quantizers.py CHECKPOINT --calibrate TEXT --score TEXT [TEXT ...] --peers-python PYTHON
#
# PYTHON has scripts/requirements-interop.txt. NNCF gets the model as optimum-intel exports it, in
# f32, and what it makes is scored in f32, as Ovenbird's is. Its time is that of a process which
# reads the export, compresses and saves; the export itself is not in it.
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from programs import last_json, run

HERE = Path(__file__).resolve().parent
WEIGHTS = "openvino_model.bin"  # in a bundle as in an export
METHODS = {  # of NNCF
    "data-free": {},
    "AWQ and scale estimation": {"awq": True, "scale_estimation": True},
    "GPTQ": {"gptq": True},
}


class Ovenbird:
    def __init__(self, asked, scratch):
        self.asked = asked
        self.scratch = scratch

    def bake(self, name, flags):
        bundle = self.scratch / name
        done = run([self.asked.ovenbird, "bake", self.asked.checkpoint, "-o", str(bundle), *flags])
        return bundle, done

    def perplexities(self, bundle):
        return [self.score(bundle, text)["perplexity"] for text in self.asked.score]

    def score(self, bundle, text):
        return last_json(run([self.asked.ovenbird, "score", str(bundle), "--text", text, "--exact",
                              "--json"]).out)


def row(name, perplexities, size, done=None):
    cells = [name, *(f"{value:.2f}" for value in perplexities), f"{size / 1e6:.0f}"]
    cells += [f"{done.seconds:.0f}", f"{done.cpu_seconds:.0f}", f"{done.anonymous_mib:.0f}",
              f"{done.rss_mib:.0f}"] if done else [""] * 4
    print("| " + " | ".join(cells) + " |", flush=True)


def measure_ovenbird(asked, ovenbird, group):
    target = ["--for", "npu" if group in (-1, 128) else "cpu", "--group-size", str(group)]
    for label, flags in (("data-free", []), ("--calibrate", ["--calibrate", asked.calibrate])):
        bundle, done = ovenbird.bake(f"ovenbird{group}{label}", [*target, *flags])
        row(f"{group} | ovenbird, {label}", ovenbird.perplexities(bundle),
            (bundle / WEIGHTS).stat().st_size, done)


def measure_nncf(asked, export, group, scratch):
    for method, flags in METHODS.items():
        out = scratch / f"nncf{group}{method[:4]}"
        child = [asked.peers_python, str(HERE / "nncf_child.py")]
        done = run([*child, "compress", str(export), str(out), "--flags", json.dumps(flags),
                    "--group-size", str(group), "--text", asked.calibrate, "--windows",
                    str(asked.windows)])
        scored = last_json(run([*child, "score", str(out), "--ids",
                                str(scratch / "ids.json")]).out)
        row(f"{group} | NNCF, {method}", scored["perplexities"],
            (out / WEIGHTS).stat().st_size, done)


def export_f32(asked, scratch):
    folder = scratch / "export"
    optimum = Path(asked.peers_python).with_name("optimum-cli")
    subprocess.run([optimum, "export", "openvino", "--model", asked.checkpoint, "--task",
                    "text-generation-with-past", "--weight-format", "fp32", str(folder)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def arguments():
    parser = argparse.ArgumentParser(description="INT4 by Ovenbird and by NNCF.")
    parser.add_argument("checkpoint")
    parser.add_argument("--calibrate", required=True)
    parser.add_argument("--score", nargs="+", required=True)
    parser.add_argument("--peers-python", required=True)
    parser.add_argument("--ovenbird", default="build/release/bin/ovenbird")
    parser.add_argument("--groups", default="-1,64")
    parser.add_argument("--only", choices=("ovenbird", "nncf"))
    parser.add_argument("--windows", type=int, default=128, help="for NNCF; Ovenbird's are 128")
    return parser.parse_args()


def main():
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        ovenbird = Ovenbird(asked, scratch)
        exact, done = ovenbird.bake("f32", ["--weights", "f32", "--cache", "f32"])
        told = [ovenbird.score(exact, text) for text in asked.score]
        (scratch / "ids.json").write_text(json.dumps([score["ids"] for score in told]))
        heads = ["group", "way", *(Path(text).name for text in asked.score), "weights file, MB",
                 "s", "processor, s", "anonymous, MiB", "peak, MiB"]
        print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
        row("| f32", [score["perplexity"] for score in told], (exact / WEIGHTS).stat().st_size,
            done)
        export = export_f32(asked, scratch)
        for group in map(int, asked.groups.split(",")):
            if asked.only != "nncf":
                measure_ovenbird(asked, ovenbird, group)
            if asked.only != "ovenbird":
                measure_nncf(asked, export, group, scratch)


if __name__ == "__main__":
    main()
