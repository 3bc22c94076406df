# One step of a report: a run of the ovenbird program, and whatever came of it as data. A crash, a
# hang and an error message are results like any other; nothing here raises because of them.
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path

HANGS_MAX = 3  # in a row; a device that has hung so often is left alone
KILLED_S = 10  # how long a killed process may take to go; one inside a driver may stay for ever
TEXT_MAX = 4000  # characters of what a program said that are kept
COMMAND_MAX = 300


class Steps:
    """Runs one step after another, on the device that is reported on and on the CPU beside it."""

    def __init__(self, ovenbird, device, timeout_s, root):
        self.ovenbird = str(ovenbird)
        self.device = device
        self.timeout_s = timeout_s
        self.root = root  # the checkout; its path is not told
        self.hangs = 0
        self.after_each = lambda step: None  # called with each step that has ended
        self.outcomes = {}

    def on(self, device, words):
        """Runs a command that computes, on that device and no other."""
        words = [*words, "--device", device, "--no-fallback"]
        if device == self.device and self.hangs >= HANGS_MAX:
            return self.noted({"command": self.told(words), "outcome": "skipped",
                               "error": f"the {HANGS_MAX} steps before hung on this device"})
        step = self.run(words)
        if device == self.device:
            self.hangs = self.hangs + 1 if step["outcome"].startswith("timed out") else 0
        return step

    def run(self, words):
        """{command, outcome, seconds, ...}. Outcomes: done, failed (with exit_code), died (with
        signal), timed out, timed out and stays, not started."""
        words = [str(word) for word in words]
        step = {"command": self.told(words)}
        begin = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen([self.ovenbird, *words], stdin=subprocess.DEVNULL,
                                           stdout=out, stderr=err, start_new_session=True)
            except OSError as error:
                return self.noted(step | {"outcome": "not started", "error": error.strerror})
            step |= self.end_of(process)
            step["seconds"] = round(time.monotonic() - begin, 3)
            said, complained = text_of(out), text_of(err)
        if step["outcome"] == "done" or step.get("exit_code") == 4:
            step["result"] = self.value_of(said)
        if complained:
            step["error" if step["outcome"] != "done" else "notes"] = self.hide(complained)
        return self.noted(step)

    def end_of(self, process):
        try:
            code = process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            return {"outcome": "timed out" if killed(process) else "timed out and stays"}
        except BaseException:  # Ctrl-C: what it began does not live on
            killed(process)
            raise
        if code < 0:
            return {"outcome": "died", "signal": signal_name(-code)}
        return {"outcome": "failed" if code else "done", "exit_code": code}

    def noted(self, step):
        outcome = step["outcome"]
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.after_each(step)
        return step

    def value_of(self, said):
        try:
            return self.hide(json.loads(said))
        except ValueError:
            return self.hide(said[-TEXT_MAX:])

    def told(self, words):
        text = self.hide(shlex.join(["ovenbird", *map(str, words)]))
        return text if len(text) <= COMMAND_MAX else text[:COMMAND_MAX] + "..."

    def hide(self, value):
        """The same without the paths that say where somebody lives."""
        if isinstance(value, dict):
            return {key: self.hide(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.hide(part) for part in value]
        if isinstance(value, str):
            value = value.replace(str(self.root), ".")
            home = str(Path.home())
            return value.replace(home, "~") if len(home) > 1 else value
        return value


def text_of(file):
    file.seek(0)
    return file.read().decode(errors="replace").strip()


def killed(process):
    """Ends the process and all it started. False: it does not go."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        process.wait(KILLED_S)
        return True
    except subprocess.TimeoutExpired:
        return False


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def result_of(step):
    """The JSON object that a step gave, or None."""
    result = step.get("result")
    return result if step["outcome"] == "done" and isinstance(result, dict) else None
