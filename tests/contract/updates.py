"""Small real updates, packed in each format, for the contract suites."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping

import zstandard

SERVER = b"""\
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = (200, b"WORD") if self.path in ("/", "/healthz") else (404, b"none")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

MANIFEST = """\
component = "{component}"
level = "{level}"

[run]
start = ["{python}", "server.py"]
start_timeout = 20
"""


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(_tar(files), mtime=0)


def tar_zst(files: Mapping[str, bytes]) -> bytes:
    return zstandard.ZstdCompressor().compress(_tar(files))


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def product(word: str, component: str = "main", level: str = "standard", python: str = "python3") -> dict[str, bytes]:
    """A release that answers `word` on / and /healthz."""
    manifest = MANIFEST.format(component=component, level=level, python=python)
    return {"release.toml": manifest.encode(), "server.py": SERVER.replace(b"WORD", word.encode())}


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
