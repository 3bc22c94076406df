#!/usr/bin/env python3
# What each choice of weights costs in quality: perplexity of one text, for a bundle of every
# choice, next to the reference. Bakes the bundles itself unless they are there.
#
#     perplexity.py SOURCE --ovenbird PATH [--bundles DIR] [--text FILE] [--json OUT]
#
# The text is read in one pass, without a start token: the first 9,000 bytes of the GPL-3, which
# Debian keeps at the default path (1,943 tokens of SmolLM2). The reference is transformers' in
# float32 on the weights that the GGUF holds.
import argparse
import json
import sys
import tempfile
from pathlib import Path

from programs import last_json, run

TEXT = Path("/usr/share/common-licenses/GPL-3")
TEXT_BYTES = 9000
REFERENCE = 19.522  # SmolLM2-135M-Instruct Q4_1: transformers 5, float32, eager attention

# What is baked: a name for the folder, and bake's flags.
CHOICES = {
    "f32": ["--weights", "f32", "--cache", "f32"],
    "f16": ["--weights", "f16"],
    "gguf": ["--weights", "gguf", "--for", "cpu"],
    "int8": ["--weights", "int8", "--for", "cpu"],
    "int4": ["--weights", "int4"],
    "int4-per-channel": ["--weights", "int4", "--group-size", "-1"],
    "int4-group-64-cpu": ["--weights", "int4", "--for", "cpu", "--group-size", "64"],
    "int4-group-32-cpu": ["--weights", "int4", "--for", "cpu", "--group-size", "32"],
    "int4-group-32-asymmetric-cpu": ["--weights", "int4", "--for", "cpu", "--group-size", "32",
                                     "--asymmetric"],
}


def bake(ovenbird, source, flags, bundle):
    """Bakes if the bundle is not there. Returns seconds and peak MiB, or None if it was."""
    if bundle.exists():
        return None
    done = run([ovenbird, "bake", source, "-o", str(bundle), *flags])
    return {"bake_s": done.seconds, "bake_rss_mib": done.rss_mib}


def score(ovenbird, bundle, text):
    """Perplexity and the number of tokens that it is the mean over."""
    told = last_json(run([ovenbird, "score", str(bundle), "--text", str(text), "--json"]).out)
    return {"perplexity": told["perplexity"], "tokens": len(told["ids"]),
            "bundle_mib": bundle_bytes(bundle) / 2**20}


def bundle_bytes(bundle):
    """What was baked, without the blobs that a device has compiled."""
    return sum(file.stat().st_size for file in bundle.iterdir() if file.is_file())


def row(name, found, reference):
    if "error" in found:
        return f"| {name} | {found['error']} | | | | |"
    baked = f"{found['bake_s']:.1f} | {found['bake_rss_mib']:.0f}" if "bake_s" in found else " | "
    change = 100 * (found["perplexity"] / reference - 1)
    return (f"| {name} | {found['perplexity']:.3f} | {change:+.2f} % | {found['bundle_mib']:.0f} | "
            f"{baked} |")


def measure(asked, text, folder):
    results = {}
    head = ["weights", "perplexity", "against the reference", "bundle, MiB", "bake, s",
            "bake, peak MiB"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    print(f"| reference, f32 | {asked.reference:.3f} | | | | |", flush=True)
    for name in asked.choices.split(","):
        bundle = folder / name
        try:
            baked = bake(asked.ovenbird, asked.source, CHOICES[name], bundle)
            results[name] = score(asked.ovenbird, bundle, text) | (baked or {})
        except RuntimeError as error:
            results[name] = {"error": str(error).splitlines()[-1]}
        print(row(name, results[name], asked.reference), flush=True)
    return results


def arguments():
    parser = argparse.ArgumentParser(description="Perplexity of every choice of weights.")
    parser.add_argument("source", help="a GGUF or a Hugging Face directory")
    parser.add_argument("--ovenbird", default="build/release/bin/ovenbird")
    parser.add_argument("--bundles", help="keep the bundles there, and use those that are there")
    parser.add_argument("--text", help=f"instead of the first {TEXT_BYTES} bytes of {TEXT}")
    parser.add_argument("--reference", type=float, default=REFERENCE)
    parser.add_argument("--choices", default=",".join(CHOICES))
    parser.add_argument("--json", help="write the results there")
    return parser.parse_args()


def main():
    asked = arguments()
    unknown = [name for name in asked.choices.split(",") if name not in CHOICES]
    if unknown:
        sys.exit(f"unknown choice {unknown[0]}; there are {', '.join(CHOICES)}")
    if not asked.text and not TEXT.exists():
        sys.exit(f"{TEXT} is not there (it is Debian's); name another text with --text")
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(asked.text) if asked.text else Path(scratch) / "text.txt"
        if not asked.text:
            text.write_bytes(TEXT.read_bytes()[:TEXT_BYTES])
        folder = Path(asked.bundles or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        results = measure(asked, text, folder)
    if asked.json:
        Path(asked.json).write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(1 if any("error" in found for found in results.values()) else 0)


if __name__ == "__main__":
    main()
