"""A Hub that is a real HTTP server on this computer: it takes models, and gives them."""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_" + "t" * 34


def commit_id(repo: str, number: int) -> str:
    """The id of a repository's commit, counted from 0."""
    return hashlib.sha1(f"{repo} {number}".encode()).hexdigest()


@contextlib.contextmanager
def serving() -> Iterator["FakeHub"]:
    """A Hub while the block runs."""
    hub = FakeHub()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    yield hub
    hub.shutdown()
    hub.server_close()


class FakeHub(ThreadingHTTPServer):
    """As much of the Hub as models ask for: repositories, and large files beside them.

    `repos` maps a repository's name to its commits, each a dict of path -> content; `tags` a name
    with a tag to the number of a commit. `refuse` maps the beginning of a request's path to the
    status with which it ends. `gated` and `private` repositories are for those with the token;
    `sizes` and `broken` make the Hub say another size of a file, or end in the middle of it.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, list[dict[str, bytes]]] = {}
        self.created: list[dict] = []
        self.large: dict[str, bytes] = {}
        self.refuse: dict[str, int] = {}
        self.tags: dict[str, int] = {}
        self.gated: set[str] = set()
        self.private: set[str] = set()
        self.sizes: dict[str, int] = {}
        self.broken: set[str] = set()
        self.sent: list[str] = []  # paths of files whose content was sent

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def storage(self) -> str:
        """Where large files lie: for the client another host, which is not the Hub."""
        return f"http://localhost:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refused(self) -> bool:
        for start, status in self.server.refuse.items():
            if self.path.startswith(start):
                self.answer(status, {"error": f"secret words of {self.path}"})
                return True
        return False

    def do_HEAD(self) -> None:
        self.resolve(content=False)

    def do_GET(self) -> None:
        self.resolve(content=True)

    def resolve(self, *, content: bool) -> None:
        """A file of a repository, or its headers only; large ones lie elsewhere."""
        hub = self.server
        if match := re.fullmatch(r"/large/(\w+)/(.+)", self.path):
            self.send(match[2], hub.large[match[1]], {}, content=content)
            return
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if match is None:  # what clients ask of a Hub beside files
            self.fail(404, "")
            return
        repo, revision, path = match.groups()
        known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        if repo not in hub.repos or (repo in hub.private and not known):
            self.fail(404 if known else 401, "RepoNotFound")
            return
        if repo in hub.gated and not known:
            self.fail(401, "GatedRepo")
            return
        ids = [commit_id(repo, number) for number in range(len(hub.repos[repo]))]
        if revision == "main":
            number = len(ids) - 1
        elif f"{repo}@{revision}" in hub.tags:
            number = hub.tags[f"{repo}@{revision}"]
        elif revision in ids:
            number = ids.index(revision)
        else:
            self.fail(404, "RevisionNotFound")
            return
        headers = {"X-Repo-Commit": ids[number]}
        files = hub.repos[repo][number]
        if path not in files:
            self.fail(404, "EntryNotFound", headers)
            return
        data, oid = files[path], hashlib.sha256(files[path]).hexdigest()
        headers["ETag"] = f'"{oid}"'
        if path.endswith(".safetensors"):
            hub.large[oid] = data
            size = hub.sizes.get(f"{repo}/{path}", len(data))
            headers |= {"X-Linked-ETag": f'"{oid}"', "X-Linked-Size": str(size),
                        "Location": f"{hub.storage}/large/{oid}/{repo}/{path}"}  # fmt: skip
            self.send(f"{repo}/{path}", b"", headers, content=content, status=302)
        else:
            self.send(f"{repo}/{path}", data, headers, content=content)

    def send(self, name: str, data: bytes, headers: dict, *, content: bool, status=200) -> None:
        hub = self.server
        if name in hub.broken and self.headers["Range"]:  # broken off, and it stays so
            self.close_connection = True
            return
        self.send_response(status)
        size = len(data) if status != 200 else hub.sizes.get(name, len(data))
        for header, value in {**headers, "Content-Length": str(size)}.items():
            self.send_header(header, value)
        self.end_headers()
        if content and status == 200:
            hub.sent.append(name)
            if name in hub.broken:
                data = data[: len(data) // 2]
                self.close_connection = True
            self.wfile.write(data)

    def fail(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {**(headers or {}), "X-Error-Code": code, "X-Error-Message": "secret words",
                   "Content-Length": "0"}  # fmt: skip
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.large[oid] = content
        self.answer(200, {})

    def do_POST(self) -> None:
        hub, path = self.server, self.path
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid user token."})
        elif path == "/api/validate-yaml":
            front = json.loads(body)["content"].split("---\n")[1]
            assert all(re.match(r"[a-z_]+: \S", line) for line in front.splitlines())
            self.answer(200, {"warnings": [], "errors": []})
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            hub.created.append(wanted)
            there = name in hub.repos
            hub.repos.setdefault(name, [])
            self.answer(409 if there else 200, {"url": f"{hub.url}/{name}"})
        elif match := re.fullmatch(r"/api/models/(.+/.+)/preupload/main", path):
            assert match[1] in hub.repos
            files = [{"path": f["path"], "shouldIgnore": False, "oid": None,
                      "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular"}
                     for f in json.loads(body)["files"]]  # fmt: skip
            self.answer(200, {"files": files})
        elif re.fullmatch(r"/.+/.+\.git/info/lfs/objects/batch", path):
            wanted = json.loads(body)["objects"]
            objects = [
                o | {"actions": {"upload": {"href": f"{hub.url}/large/{o['oid']}"}}} for o in wanted
            ]
            self.answer(200, {"objects": objects, "transfer": "basic"})
        elif match := re.fullmatch(r"/api/models/(.+/.+)/commit/main", path):
            commit = {}
            for line in body.splitlines():
                part = json.loads(line)
                value = part["value"]
                if part["key"] == "file":
                    commit[value["path"]] = base64.b64decode(value["content"])
                elif part["key"] == "lfsFile":
                    commit[value["path"]] = hub.large[value["oid"]]
            hub.repos[match[1]].append(commit)
            self.answer(200, {"commitUrl": f"{hub.url}/{match[1]}/commit/1", "commitOid": "1" * 40})
        else:
            self.answer(404, {"error": path})
