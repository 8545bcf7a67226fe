"""A hub on this machine: enough of the Hugging Face hub's protocol for its real clients, and the faults of a bad day.

The clients read HF_ENDPOINT when they are imported, so a test runs them in a process of its own, with `environment`.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

_LARGE = (".parquet", ".safetensors", ".bin")  # what the hub stores apart and names by its sha256


@dataclass(frozen=True)
class Repository:
    """A repository with one commit, which is also the branch `main`."""

    kind: str  # "datasets" or "models"
    name: str
    commit: str
    files: dict[str, bytes]


@dataclass
class Hub:
    """What is served, what goes wrong, and what was asked for."""

    repositories: list[Repository]
    address: str = ""
    breaks: dict[str, int] = field(default_factory=dict)  # file -> how many more transfers of it end half-way
    cut_after: set[str] = field(default_factory=set)  # files of which nothing comes, once they do not break half-way
    stalls: set[str] = field(default_factory=set)  # files of which half comes, and then nothing, for a long time
    garbles: set[str] = field(default_factory=set)  # files that arrive with one bit turned
    status: int | None = None  # every answer, if set
    ranges: bool = True  # whether a part of a file can be asked for
    log: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    over: threading.Event = field(default_factory=threading.Event)

    def asked(self, words: str, method: str = "GET") -> list[tuple[str, str, str]]:
        """The requests whose path holds `words`."""
        return [each for each in self.log if each[0] == method and words in each[1]]

    def environment(self, home: Path) -> dict[str, str]:
        """For a process that knows no other hub than this one, and keeps what it downloads in `home`."""
        kept = {name: value for name, value in os.environ.items() if not re.search("(?i)proxy|^HF_", name)}
        root = str(Path(__file__).resolve().parents[1])
        ours = {"HF_ENDPOINT": self.address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": root}
        return {**kept, **ours, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1"}


@contextmanager
def serving(*repositories: Repository) -> Iterator[Hub]:
    """A hub that serves these, for as long as the block lasts."""
    hub = Hub(list(repositories))

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._note()
        if self.served.status is not None:
            return self._error(self.served.status, "")
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/(datasets|models)/(.+?)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?", path):
            return self._api(*found.groups())
        if found := re.fullmatch(r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)", path):
            kind = "datasets" if found[1] else "models"
            return self._file(kind, found[2], found[3], found[4])
        return self._error(404, "")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        """Which of some paths there are: /api/datasets/NAME/paths-info/REVISION."""
        self._note()
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        found = re.fullmatch(r"/api/(datasets|models)/(.+?)/paths-info/([^/]+)", unquote(urlsplit(self.path).path))
        repository = found and self._repository(found[1], found[2], found[3])
        if repository:
            self._json([each for each in _tree(repository, "", True) if each["path"] in given.get("paths", [])])

    def _api(self, kind: str, name: str, action: str | None, revision: str | None, below: str | None) -> None:
        repository = self._repository(kind, name, revision or "main")
        if repository is None:
            return None
        if action == "tree":
            entries = _tree(repository, below or "", "recursive=true" in self.path.lower())
            return self._json(entries) if entries else self._error(404, "EntryNotFound")
        siblings = [{"rfilename": path} for path in repository.files]
        about = {"id": name, "sha": repository.commit, "private": False, "tags": [], "downloads": 0, "likes": 0}
        return self._json({**about, "siblings": siblings})

    def _file(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self._repository(kind, name, revision)
        if repository is None:
            return None
        if path not in repository.files:
            return self._error(404, "EntryNotFound", repository.commit)
        content = repository.files[path]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if self.served.ranges else None
        begin = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", f'"{_name_of(path, content)}"')
        self.send_header("X-Repo-Commit", repository.commit)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "HEAD":
            return None
        if path in self.served.garbles:
            content = content[:-1] + bytes([content[-1] ^ 1])
        end = len(content)
        if self.served.breaks.get(path, 0):
            self.served.breaks[path] -= 1
            end = begin + (end - begin) // 2
        elif path in self.served.cut_after:
            end = begin
        elif path in self.served.stalls:
            self.wfile.write(content[begin : end // 2])
            self.served.over.wait(60)
            self.close_connection = True
            return None
        self.wfile.write(content[begin:end])
        self.close_connection = end < len(content)
        return None

    def _repository(self, kind: str, name: str, revision: str) -> Repository | None:
        """The one asked for; None once it has been said that there is none."""
        found = [each for each in self.served.repositories if (each.kind, each.name) == (kind, name)]
        if not found:
            self._error(401, "RepoNotFound")  # so answers the hub those who may not know
        elif revision not in ("main", found[0].commit):
            self._error(404, "RevisionNotFound")
        else:
            return found[0]
        return None

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str, commit: str = "") -> None:
        self.send_response(status)
        for header, value in (("X-Error-Code", code), ("X-Error-Message", code), ("X-Repo-Commit", commit)):
            if value:
                self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _note(self) -> None:
        self.served.log.append((self.command, unquote(self.path), self.headers.get("Range", "")))

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


def _tree(repository: Repository, below: str, recursive: bool) -> list[dict[str, object]]:
    entries: dict[str, dict[str, object]] = {}
    for path, content in repository.files.items():
        if below and not path.startswith(f"{below}/"):
            continue
        rest = path.removeprefix(f"{below}/" if below else "")
        parents = [rest[: cut.start()] for cut in re.finditer("/", rest)]
        for parent in parents if recursive else parents[:1]:
            whole = f"{below}/{parent}" if below else parent
            entries[whole] = {"type": "directory", "path": whole, "oid": hashlib.sha1(whole.encode()).hexdigest()}
        if recursive or not parents:
            entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": _git(content)}
            if path.endswith(_LARGE):
                entry["lfs"] = {"oid": _name_of(path, content), "size": len(content), "pointerSize": 130}
            entries[path] = entry
    return list(entries.values())


def _name_of(path: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if path.endswith(_LARGE) else _git(content)


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
