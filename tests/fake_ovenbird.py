# Plays the ovenbird program for npu_report_test.py, with the answers of its JSON and with faults,
# which the variable FAKE_FAULTS names: "COMMAND DEVICE" or "COMMAND" -> what goes wrong, in JSON.
import json
import os
import signal
import sys

ANSWERS = {
    "--version": "ovenbird 0.0.0",
    "doctor": {"usable": True, "findings": [
        {"id": "pci", "state": "ok", "title": "PCI device", "seen": "one", "mend": []}]},
    "bake": "baked",
    "inspect": {"model": "tiny"},
    "run": {"text": "Paris.", "ids": [1, 2, 3]},
    "bench": {"start_s": 1.5, "ttft_ms_128": 20.0, "ttft_ms_512": 80.0, "decode_tps": 12.5,
              "rss_mib": 300.0},
    "score": {"ids": [1, 2, 3], "logprobs": [None, -1.0, -2.0], "perplexity": 4.5},
}


def main():
    words = sys.argv[1:]
    command = words[0]
    device = words[words.index("--device") + 1] if "--device" in words else ""
    faults = json.loads(os.environ["FAKE_FAULTS"])
    fault = faults.get(f"{command} {device}") or faults.get(command)
    answer = ANSWERS[command]
    if command == "score" and device == "NPU":
        answer = answer | {"logprobs": [None, -1.25, None if fault == "not finite" else -2.5]}
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "hang":
        while True:
            signal.pause()
    if fault == "interrupt":
        os.kill(os.getppid(), signal.SIGINT)
        signal.pause()
    if fault == "nonsense":
        answer = {"unheard": "of"}
    if isinstance(fault, list):  # exit code, message
        print(f"ovenbird: {fault[1]}", file=sys.stderr)
    print(json.dumps(answer) if isinstance(answer, dict) else answer)
    return fault[0] if isinstance(fault, list) else 0


if __name__ == "__main__":
    sys.exit(main())
