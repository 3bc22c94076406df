#!/usr/bin/env python3
# huggingface_hub and ovenbird share one cache, and download from one stub hub.
#
#     hub_test.py OVENBIRD CHECKPOINT
#
# OVENBIRD is the program, CHECKPOINT a small Hugging Face directory such as
# tests/data/golden/qwen2. That huggingface_hub downloads from the stub, and meets there the errors
# of its own hub, is what makes the stub worth believing. Exit code 0: as it should be; 1: FAIL
# lines.
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

STUB = pathlib.Path(__file__).parents[1] / "hub" / "stub_hub.py"
SMALL_BESIDES = ("README.md", "pytorch_model.bin")


class Scene:
    """A stub hub with CHECKPOINT as Org/Tiny, and a directory to work in."""

    def __init__(self, ovenbird, checkpoint, directory):
        self.ovenbird, self.directory = ovenbird, directory
        self.rules, self.log = directory / "rules.json", directory / "log"
        repository = directory / "repositories" / "Org" / "Tiny"
        shutil.copytree(checkpoint, repository)
        for name in SMALL_BESIDES:
            (repository / name).write_text(f"{name} is not wanted")
        self.weights = max((path.stat().st_size, path.name)
                           for path in repository.glob("*.safetensors"))[1]
        self.stub = subprocess.Popen(
            [sys.executable, STUB, directory / "repositories", "--rules", self.rules, "--log",
             self.log], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.stub.stdout.readline().strip()
        self.bakes = 0

    def order(self, *rules):
        self.rules.write_text(json.dumps(rules))

    def seen(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def downloads(self, since):
        return [request["path"] for request in self.seen()[since:]
                if request["method"] == "GET" and not request["path"].startswith("/api/")]

    def command(self, cache, *flags, **variables):
        self.bakes += 1
        arguments = [self.ovenbird, "bake", "Org/Tiny", "-o", self.directory / str(self.bakes)]
        environment = {**os.environ, "HF_ENDPOINT": self.url, "HF_HUB_CACHE": str(cache),
                       **variables}
        return {"args": [*arguments, *flags], "env": environment}

    def bake(self, cache, *flags, **variables):
        return subprocess.run(**self.command(cache, *flags, **variables), capture_output=True,
                              text=True)


def check_theirs_finds_ours(scene, hub):
    cache = scene.directory / "ours"
    done = scene.bake(cache)
    yield f"ovenbird downloads and bakes {done.stderr.strip()[-200:]}", done.returncode == 0
    found = pathlib.Path(hub.snapshot_download("Org/Tiny", cache_dir=cache, local_files_only=True))
    yield "snapshot_download finds it without a network", (found / scene.weights).is_file()
    for name in ("config.json", scene.weights):
        path = hub.hf_hub_download("Org/Tiny", name, cache_dir=cache, local_files_only=True)
        yield f"hf_hub_download finds {name}", pathlib.Path(path) == found / name
    report = hub.scan_cache_dir(cache)
    yield f"scan_cache_dir warns of nothing {report.warnings}", not report.warnings
    yield "... and finds one repository", [repo.repo_id for repo in report.repos] == ["Org/Tiny"]
    before = len(scene.seen())
    hub.snapshot_download("Org/Tiny", cache_dir=cache)
    fetched = {path.rsplit("/", 1)[1] for path in scene.downloads(before)}
    yield (f"snapshot_download gets only what ovenbird left out: {sorted(fetched)}",
           set(SMALL_BESIDES) <= fetched and not fetched & {"config.json", scene.weights})


def check_ours_finds_theirs(scene, hub):
    cache = scene.directory / "theirs"
    scene.order({"path": scene.weights, "host": "store", "do": "cut", "after": 5000,
                 "times": 1})
    hub.snapshot_download("Org/Tiny", cache_dir=cache)
    scene.order()
    before = len(scene.seen())
    yield "huggingface_hub downloads from the stub, over a cut connection", before > 0
    offline = scene.bake(cache, HF_HUB_OFFLINE="1")
    yield f"ovenbird bakes it offline {offline.stderr.strip()[-200:]}", offline.returncode == 0
    yield "... and asks nobody", len(scene.seen()) == before
    online = scene.bake(cache)
    yield "ovenbird bakes it online", online.returncode == 0
    yield "... and downloads nothing", not scene.downloads(before)


def check_same_cache(scene, hub):
    """Blobs, links and references are the same, byte for byte, whoever wrote them."""
    ours, theirs = scene.directory / "ours", scene.directory / "theirs"

    def entries(cache):
        model = cache / "models--Org--Tiny"
        links = {path.relative_to(model).as_posix(): os.readlink(path)
                 for path in model.rglob("*") if path.is_symlink()}
        blobs = {path.name: (path.read_bytes(), path.stat().st_mode & 0o777)
                 for path in (model / "blobs").iterdir()}
        return links, blobs, (model / "refs" / "main").read_bytes()

    for what, mine, its in zip(("links", "blobs and their modes", "refs/main"), entries(ours),
                               entries(theirs)):
        yield f"{what} are the same", mine == its


def check_lock(scene, hub):
    from huggingface_hub.utils import WeakFileLock
    cache = scene.directory / "locked"
    blob = os.path.basename(os.path.realpath(
        scene.directory / "theirs" / "models--Org--Tiny" / "snapshots" /
        hub.HfApi().model_info("Org/Tiny").sha / scene.weights))
    lock = cache / ".locks" / "models--Org--Tiny" / f"{blob}.lock"
    lock.parent.mkdir(parents=True)
    before = len(scene.seen())
    with WeakFileLock(lock):
        process = subprocess.Popen(**scene.command(cache), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not any(
                request["method"] == "HEAD" and request["path"].endswith(scene.weights)
                for request in scene.seen()[before:]):
            time.sleep(0.05)
        time.sleep(1)
        waits = not any(path.endswith(scene.weights) for path in scene.downloads(before))
        waits = waits and process.poll() is None
        yield "ovenbird waits for who holds huggingface_hub's lock", waits
    yield "... and goes on afterwards", process.wait(60) == 0


def check_errors(scene, hub):
    from huggingface_hub.errors import (EntryNotFoundError, GatedRepoError,
                                        RepositoryNotFoundError, RevisionNotFoundError)
    gated = {"do": "status", "status": 403, "headers": {"X-Error-Code": "GatedRepo"}}
    cases = [(RepositoryNotFoundError, "Org/Nothing", "config.json", "main", None),
             (RevisionNotFoundError, "Org/Tiny", None, "v9", None),
             (EntryNotFoundError, "Org/Tiny", "nothing.json", "main", None),
             (GatedRepoError, "Org/Tiny", "config.json", "main", gated)]
    for number, (expected, repository, file, revision, rule) in enumerate(cases):
        scene.order(*([rule] if rule else []))
        cache = scene.directory / f"errors{number}"
        try:
            if file:
                hub.hf_hub_download(repository, file, revision=revision, cache_dir=cache)
            else:
                hub.snapshot_download(repository, revision=revision, cache_dir=cache)
            got = type(None)
        except Exception as error:  # any: its type is what is looked at
            got = type(error)
        yield (f"huggingface_hub meets {expected.__name__} in the stub, got {got.__name__}",
               issubclass(got, expected))
    scene.order()


def main():
    parser = argparse.ArgumentParser(description="ovenbird and huggingface_hub share a cache.")
    parser.add_argument("ovenbird", type=pathlib.Path)
    parser.add_argument("checkpoint", type=pathlib.Path)
    asked = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as directory:
        scene = Scene(asked.ovenbird.resolve(), asked.checkpoint, pathlib.Path(directory))
        # It reads its environment when it is imported.
        os.environ.update({"HF_ENDPOINT": scene.url, "HF_HOME": f"{directory}/home",
                           "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"})
        import huggingface_hub
        print(f"huggingface_hub {huggingface_hub.__version__}")
        for check in (check_theirs_finds_ours, check_ours_finds_theirs, check_same_cache,
                      check_lock, check_errors):
            for label, right in check(scene, huggingface_hub):
                print(f"{'ok  ' if right else 'FAIL'} {label}")
                good = good and right
        scene.stub.stdin.close()
        scene.stub.wait()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
