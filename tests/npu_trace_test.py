#!/usr/bin/env python3
# bench/npu_trace.py counts what a trace says. Method: a trace written by hand, with every event of
# testing/npu_emulator/README.md, in a shorter and a longer form; then lines that are none.
import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import npu_trace  # noqa: E402 (found by the line above)

LOADING = """
{"t_us":0,"event":"start","pid":7,"platform":4000,"driver_version":1760000000}
{"t_us":9,"event":"compile_refused","result":"0x78000004","why":"open shape"}
{"t_us":10,"event":"compile","graph":1,"inputs":2,"outputs":1,"layers":9,"weights_bytes":64,\
"ms":2.5,"flags":""}
{"t_us":11,"event":"blob_export","graph":1,"bytes":99}
{"t_us":12,"event":"blob_refused","result":"0x78000004","why":"cut off"}
{"t_us":13,"event":"blob_import","graph":2,"bytes":99}
{"t_us":14,"event":"allocate","address":"0x1000","bytes":4096,"id":1,"write_combined":true}
{"t_us":15,"event":"import","address":"0x2000","bytes":8192,"id":2,"read_only":false}
{"t_us":16,"event":"import_refused","address":"0x9001","bytes":5,"why":"alignment"}
{"t_us":17,"event":"argument","graph":1,"index":0,"name":"a","address":"0x1000"}
{"t_us":18,"event":"unsupported","function":"zeImageCreate"}
"""
TOKEN = """
{"t_us":20,"event":"import","address":"0x9000","bytes":4096,"id":3,"read_only":false}
{"t_us":21,"event":"rebind","graph":1,"index":1,"name":"b","address":"0x9000"}
{"t_us":22,"event":"submit","submission":1,"lists":2}
{"t_us":23,"event":"execute","execution":1,"graph":1,"us":5,"arguments":[\
{"name":"a","input":true,"address":"0x1000","bytes":8,"memory":"allocated","id":1,\
"host_wrote_bytes":3},\
{"name":"b","input":true,"address":"0x9000","bytes":100,"memory":"imported","id":3,\
"host_wrote_bytes":4},\
{"name":"c","input":false,"address":"0x1100","bytes":16,"memory":"allocated","id":1}]}
{"t_us":24,"event":"execute","execution":2,"graph":2,"us":5,"arguments":[\
{"name":"d","input":true,"address":"0x1","bytes":32,"memory":"descriptor","id":4}]}
{"t_us":25,"event":"memory_copy","bytes":16}
{"t_us":26,"event":"fault","kind":"slow","at":1}
{"t_us":27,"event":"free","address":"0x9000","bytes":4096,"id":3,"memory":"imported"}
"""
END = """
{"t_us":90,"event":"free","address":"0x1000","bytes":4096,"id":1,"memory":"allocated"}
{"t_us":91,"event":"free","address":"0x2000","bytes":8192,"id":2,"memory":"imported"}
{"t_us":92,"event":"graph_destroy","graph":1}
"""
PER_TOKEN = {
    "submissions": 1, "executions": 2, "rebinds": 1, "imports": 1, "frees_of_imports": 1,
    "imported_bytes": 4096, "allocated_input_bytes": 8, "allocated_output_bytes": 16,
    "imported_input_bytes": 100, "descriptor_input_bytes": 32, "host_wrote_bytes": 7,
    "device_copies": 1, "faults": 1}
ONCE = {"compiles": 1, "blob_imports": 1, "refused_compiles": 1, "refused_imports": 1,
        "allocations": 1}

EXECUTE = {"event": "execute", "graph": 1, "arguments": [
    {"name": "a", "input": True, "bytes": 8, "memory": "allocated"}]}
NOT_A_TRACE = [
    "", "{", "[]", "3", "{}", '{"event":"compile"}', '{"event":"execute","graph":1}',
    '{"event":"import"}', '{"event":"free"}',
    json.dumps(EXECUTE).replace("allocated", "stolen"),
    json.dumps(EXECUTE).replace('"bytes": 8', '"bytes": "8"')]


def trace_of(text, folder):
    path = pathlib.Path(folder) / "trace"
    path.write_text("".join(line + "\n" for line in text.split("\n") if line), encoding="utf-8")
    return npu_trace.read(path)


def counts_that_are_wrong(folder):
    shorter = trace_of(LOADING + TOKEN * 2 + END, folder)
    longer = trace_of(LOADING + TOKEN * 6 + END, folder)
    wanted = dict.fromkeys(ONCE, 0) | PER_TOKEN
    got = npu_trace.per_token(shorter, longer, 4)
    if got != wanted:
        yield f"a token: wanted {wanted}, got {got}"
    for name, count in ONCE.items():
        if longer.counts[name] != count:
            yield f"{name}: wanted {count}, got {longer.counts[name]}"
    told = (longer.graphs, longer.compile_ms, longer.processes, longer.unsupported,
            dict(longer.executions_by_graph), longer.peak_bytes, sum(longer.held.values()))
    peak = 64 + 99 + 4096 + 8192 + 4096  # the weights, the blob, the allocation, two imports
    if told != (2, 2.5, 1, {"zeImageCreate"}, {1: 6, 2: 6}, peak, 99):
        yield f"of the whole: {told}"


def lines_that_pass(folder):
    start = LOADING.strip().split("\n")[0]
    for line in NOT_A_TRACE[1:]:
        try:
            trace_of(start + "\n" + line, folder)
            yield f"taken for a trace: {line}"
        except ValueError as error:
            if ":2: not a line of a trace" not in str(error):
                yield f"{line}: {error}"
    try:
        trace_of("", folder)
        yield "a trace that nobody wrote is taken for one"
    except ValueError as error:
        if "was not loaded" not in str(error):
            yield f"an empty trace: {error}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        failures = [*counts_that_are_wrong(folder), *lines_that_pass(folder)]
    print("\n".join(failures) or f"a hand-written trace, and {len(NOT_A_TRACE)} that are none")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
