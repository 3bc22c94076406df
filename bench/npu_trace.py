# What a trace of the emulated NPU driver says, as counts. In: a trace, one JSON object a line, as
# testing/npu_emulator/README.md describes it. Out: how often each thing happened and how many bytes
# it moved. The cost of a token is what a longer answer took more than a shorter one, so that
# loading, the prompt and the end of a process fall out.
import json
from collections import Counter
from dataclasses import dataclass, field

# How often: events of the trace under the names that the tables use.
COUNTED = {
    "compile": "compiles", "blob_import": "blob_imports", "submit": "submissions",
    "execute": "executions", "rebind": "rebinds", "import": "imports", "allocate": "allocations",
    "import_refused": "refused_imports", "compile_refused": "refused_compiles",
    "memory_copy": "device_copies", "fault": "faults"}
MEMORIES = ("imported", "allocated", "descriptor")


@dataclass
class Trace:
    """One or several processes that wrote to one file."""

    processes: int = 0
    compile_ms: float = 0
    counts: Counter = field(default_factory=Counter)  # all below, by name
    executions_by_graph: Counter = field(default_factory=Counter)
    unsupported: set = field(default_factory=set)  # functions that the emulator does not have
    held: dict = field(default_factory=dict)  # what the device holds now: bytes by owner
    peak_bytes: int = 0  # the most it held: allocations, imports, and weights inside of graphs

    @property
    def graphs(self):
        """Graphs that were made ready to run, compiled here or read from a blob."""
        return self.counts["compiles"] + self.counts["blob_imports"]


def read(path):
    """Raises ValueError, with the line, if the file is not such a trace."""
    trace = Trace()
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                add(trace, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}:{number}: not a line of a trace: {error!r}") from error
    if not trace.processes:
        raise ValueError(f"{path}: no process has written here: the emulated driver was not loaded")
    return trace


def add(trace, event):
    kind = event["event"]
    if kind in COUNTED:
        trace.counts[COUNTED[kind]] += 1
    hold(trace, event)
    if kind == "start":
        trace.processes += 1
    elif kind == "compile":
        trace.compile_ms += event["ms"]
    elif kind == "import":
        trace.counts["imported_bytes"] += event["bytes"]
    elif kind == "free":
        trace.counts["frees_of_imports"] += event["memory"] != "allocated"
    elif kind == "execute":
        add_execution(trace, event)
    elif kind == "unsupported":
        trace.unsupported.add(event["function"])


def hold(trace, event):
    kind = event["event"]
    if kind in ("allocate", "import"):
        trace.held["memory", event["id"]] = event["bytes"]
    elif kind in ("compile", "blob_import"):
        size = "weights_bytes" if kind == "compile" else "bytes"
        trace.held["graph", event["graph"]] = event[size]
    elif kind == "free":
        trace.held.pop(("memory", event["id"]), None)
    elif kind == "graph_destroy":
        trace.held.pop(("graph", event["graph"]), None)
    trace.peak_bytes = max(trace.peak_bytes, sum(trace.held.values()))


def add_execution(trace, event):
    trace.executions_by_graph[event["graph"]] += 1
    trace.counts["host_wrote_bytes"] += event.get("host_wrote_bytes", 0)
    for argument in event["arguments"]:
        memory, way = argument["memory"], "input" if argument["input"] else "output"
        if memory not in MEMORIES:
            raise ValueError(f"memory {memory!r}")
        trace.counts[f"{memory}_{way}_bytes"] += argument["bytes"]
        trace.counts["host_wrote_bytes"] += argument.get("host_wrote_bytes", 0)


def per_token(shorter, longer, tokens):
    """name -> what one of the `tokens` that `longer` decoded beyond `shorter` took. Both are whole
    processes that did the same until then."""
    names = longer.counts.keys() | shorter.counts.keys()
    return {name: (longer.counts[name] - shorter.counts[name]) / tokens for name in sorted(names)}
