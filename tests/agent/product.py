"""A tiny product for the agent's tests: a real web program of the standard library, packed as a real artifact."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass

PROGRAM = """
import hashlib, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = Path("version.txt").read_text()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Version", VERSION)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        match self.path:
            case "/healthz":
                self.answer("ok")
            case "/env":
                self.answer(json.dumps({"env": dict(os.environ), "cwd": os.getcwd(), "uid": os.getuid()}))
            case "/headers":
                self.answer(json.dumps(dict(self.headers)))
            case "/stream":
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.send_header("X-Version", VERSION)
                self.end_headers()
                for _ in range(10):
                    self.wfile.write(b"3\\r\\nabc\\r\\n")
                    time.sleep(0.01)
                self.wfile.write(b"0\\r\\n\\r\\n")
            case "/slow":
                time.sleep(1.0)
                self.answer(VERSION)
            case "/pause":
                time.sleep(0.2)
                self.answer(VERSION)
            case "/die":
                print("dying as asked", flush=True)
                os._exit(3)
            case _:
                self.answer(VERSION)

    do_HEAD = do_GET

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(VERSION + " " + hashlib.sha256(body).hexdigest())

    def log_message(self, *args):
        pass

ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Artifact:
    """A packed update."""

    data: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def manifest(component: str = "main", start: str = '["python3", "app.py"]', run: str = "", top: str = "") -> str:
    """A `release.toml`; `run` and `top` are further lines."""
    return f'component = "{component}"\n{top}\n[run]\nstart = {start}\n{run}\n'


def pack(files: dict[str, str]) -> Artifact:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return Artifact(buffer.getvalue())


def product(version: str, **words: str) -> Artifact:
    """The product that answers `version`."""
    return pack({"release.toml": manifest(**words), "app.py": PROGRAM, "version.txt": version})


def crashing(**words: str) -> Artifact:
    """Says why, and ends before it is healthy."""
    program = 'import sys\nprint("\\x1b[31mcannot find the flux capacitor\\x07", flush=True)\nsys.exit(7)\n'
    return pack({"release.toml": manifest(**words), "app.py": program})
