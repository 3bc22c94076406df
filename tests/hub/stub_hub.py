#!/usr/bin/env python3
# A small hub on loopback: the part of huggingface.co's interface that downloads need, with faults.
# It stands in for the hub in tests; huggingface_hub itself downloads from it (tests/interop).
#
#     stub_hub.py ROOT [--rules FILE] [--log FILE]
#
# ROOT/OWNER/NAME/ are repositories. Files of LARGE_BYTES and more are "large": they are redirected
# to another host (another port of 127.0.0.1), as the hub does with what it keeps elsewhere, and
# their ETag is their SHA-256. The ETag of the others is git's hash. The first line of standard
# output is the hub's address.
#
# --rules: a JSON list, read anew at every request. Each rule may have
#   path     a part of the request's path; without it, any
#   method   GET or HEAD; without it, both
#   host     hub or store; without it, both
#   from     the first request that it holds for, counted among those that match; default 1
#   times    how many; default: all
#   do       what happens (FAULTS below), with the other keys as its arguments
# --log: a line of JSON for each request: host, method, path, range, token (as it came).
import argparse
import hashlib
import json
import pathlib
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE_BYTES = 4096
PAGE = 1000  # entries of one page of a tree
FAULTS = {"cut", "status", "stall", "short", "long", "garbage", "whole", "redirect", "etag",
          "commit", "size", "slow", "listing", "wrong-range", "raw"}


class Repository:
    """The files of one folder, at one commit: a hash of their names and contents."""

    def __init__(self, folder: pathlib.Path):
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes()
                      for path in sorted(folder.rglob("*")) if path.is_file()}
        everything = b"".join(name.encode() + b"\0" + data for name, data in self.files.items())
        self.commit = hashlib.sha1(everything).hexdigest()

    def blob_id(self, name: str) -> str:
        data = self.files[name]
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()

    def is_large(self, name: str) -> bool:
        return len(self.files[name]) >= LARGE_BYTES

    def etag(self, name: str) -> str:
        return self.sha256(name) if self.is_large(name) else self.blob_id(name)


class Stub:
    """What the two servers share."""

    def __init__(self, root, rules, log):
        self.root, self.rules_file, self.log_file = root, rules, log
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.urls: dict[str, str] = {}  # by host: hub, store

    def repository(self, name: str):
        folder = self.root / name
        return Repository(folder) if name.count("/") == 1 and folder.is_dir() else None

    def fault(self, host: str, method: str, path: str) -> dict:
        """The first rule that holds for this request, {} if none does."""
        if not self.rules_file or not self.rules_file.exists():
            return {}
        for rule in json.loads(self.rules_file.read_text()):
            if rule.get("path", "") not in path or rule.get("method", method) != method:
                continue
            if rule.get("host", host) != host:
                continue
            key = json.dumps(rule, sort_keys=True)
            with self.lock:
                self.counts[key] = count = self.counts.get(key, 0) + 1
            if rule.get("from", 1) <= count < rule.get("from", 1) + rule.get("times", 1 << 30):
                assert rule["do"] in FAULTS, rule
                return rule
        return {}

    def log(self, entry: dict) -> None:
        if self.log_file:
            with self.lock, self.log_file.open("a") as file:
                file.write(json.dumps(entry) + "\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub
    host: str

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        parts = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(parts.path)
        self.stub.log({"host": self.host, "method": self.command, "path": path,
                       "range": self.headers.get("Range", ""),
                       "token": self.headers.get("Authorization", "")})
        self.rule = self.stub.fault(self.host, self.command, path)
        try:
            if self.rule.get("do") == "status":
                self.refuse(self.rule["status"], self.rule.get("headers", {}))
            elif self.rule.get("do") == "redirect":
                self.head(302, {"Location": self.rule["to"].format(path=self.path,
                                                                   **self.stub.urls)})
            elif self.rule.get("do") == "raw":
                data = self.rule["data"].encode() * self.rule.get("repeat", 1)
                self.head(200, {}, len(data))
                self.wfile.write(data)
            elif self.rule.get("do") == "stall":
                time.sleep(self.rule.get("seconds", 3600))
            elif self.host == "store":
                self.give_blob(path)
            elif path.startswith("/api/models/"):
                self.give_api(path.removeprefix("/api/models/"))
            else:
                self.give_resolved(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, status, headers, length=0):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def refuse(self, status, headers):
        body = b'{"error":"as it was told to"}'
        self.head(status, headers, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def give_json(self, value, headers=None):
        data = json.dumps(value).encode()
        self.head(200, {"Content-Type": "application/json", **(headers or {})}, len(data))
        if self.command != "HEAD":
            self.wfile.write(data)

    def give_api(self, path):
        """OWNER/NAME[/revision/REV] and OWNER/NAME/tree/REV: see huggingface.co's OpenAPI."""
        words = path.split("/")
        repository = self.stub.repository("/".join(words[:2]))
        if repository is None:
            return self.refuse(401, {"X-Error-Code": "RepoNotFound",
                                     "X-Error-Message": "Repository not found"})
        revision = "/".join(words[3:]) or "main"
        if revision not in ("main", "refs/pr/1", "v1.0", repository.commit):
            return self.refuse(404, {"X-Error-Code": "RevisionNotFound",
                                     "X-Error-Message": "Invalid rev id: " + revision})
        if words[2:3] == ["tree"]:
            return self.give_tree(repository)
        listing = {"id": "/".join(words[:2]), "sha": repository.commit, "private": False,
                   "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": [],
                   "siblings": [{"rfilename": name} for name in repository.files]}
        if self.rule.get("do") == "listing":
            listing.update(self.rule["listing"])
        return self.give_json(listing)

    def give_tree(self, repository):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        begin = int(query.get("cursor", ["0"])[0])
        names = list(repository.files)
        entries = []
        for name in names[begin:begin + PAGE]:
            entry = {"type": "file", "oid": repository.blob_id(name), "path": name,
                     "size": len(repository.files[name])}
            if repository.is_large(name):
                entry["lfs"] = {"oid": repository.sha256(name), "size": entry["size"],
                                "pointerSize": 130}
            entries.append(entry)
        headers = {}
        if begin + PAGE < len(names):
            url = self.stub.urls["hub"] + urllib.parse.urlsplit(self.path).path
            headers["Link"] = f'<{url}?recursive=true&cursor={begin + PAGE}>; rel="next"'
        self.give_json(entries, headers)

    def give_resolved(self, path):
        """OWNER/NAME/resolve/COMMIT/FILE"""
        words = path.strip("/").split("/")
        repository = self.stub.repository("/".join(words[:2]))
        if repository is None or words[2:3] != ["resolve"]:
            return self.refuse(401, {"X-Error-Code": "RepoNotFound"})
        name = "/".join(words[4:])
        facts = {"X-Repo-Commit": self.rule.get("commit", repository.commit)}
        if name not in repository.files:
            return self.refuse(404, {"X-Error-Code": "EntryNotFound", **facts})
        data, etag = repository.files[name], self.rule.get("etag", repository.etag(name))
        if repository.is_large(name):
            size = self.rule.get("size", len(data))
            linked = {"X-Linked-Size": str(size), "X-Linked-Etag": f'"{etag}"'}
            where = "/".join(words[:2]) + "/" + urllib.parse.quote(name)
            return self.head(302, {**facts, **linked,
                                   "Location": f"{self.stub.urls['store']}/{where}?sig=secret"})
        return self.give_bytes(data, {**facts, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"})

    def give_blob(self, path):
        words = path.strip("/").split("/")
        repository = self.stub.repository("/".join(words[:2]))
        name = "/".join(words[2:])
        if repository is None or name not in repository.files:
            return self.refuse(404, {})
        return self.give_bytes(repository.files[name], {"ETag": '"of-the-store"'})

    def give_bytes(self, data, headers):
        fault = self.rule.get("do")
        if fault == "garbage":
            data = bytes(len(data))
        if fault == "long":
            data += b"more"
        if fault == "short":
            data = data[:-1]
        begin, status = 0, 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and fault != "whole":
            begin = int(asked.removeprefix("bytes=").split("-")[0])
            if begin >= len(data):
                return self.head(416, {"Content-Range": f"bytes */{len(data)}"})
            begin = max(begin - (1 if fault == "wrong-range" else 0), 0)
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            status = 206
        self.head(status, headers, len(data) - begin)
        if self.command != "HEAD":
            self.write_bytes(data[begin:], fault)

    def write_bytes(self, data, fault):
        if fault == "cut":
            self.wfile.write(data[:self.rule["after"]])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if fault == "slow":  # `part` bytes, then a wait
            part, seconds = self.rule["part"], self.rule["seconds"]
            for at in range(0, len(data), part):
                self.wfile.write(data[at:at + part])
                self.wfile.flush()
                time.sleep(seconds)
            return
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that went is what tests do
            super().handle_error(request, client_address)


def start(stub: Stub, host: str, tls) -> None:
    handler = type(host, (Handler,), {"stub": stub, "host": host})
    server = Server(("127.0.0.1", 0), handler)
    if tls:
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    stub.urls[host] = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="A small hub on loopback.")
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--rules", type=pathlib.Path)
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("--tls", type=pathlib.Path, help="a file with key and certificate")
    asked = parser.parse_args()
    stub = Stub(asked.root, asked.rules, asked.log)
    start(stub, "store", asked.tls)
    start(stub, "hub", asked.tls)
    print(stub.urls["hub"], flush=True)
    sys.stdin.read()  # until whoever started it has gone


if __name__ == "__main__":
    main()
