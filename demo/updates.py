"""Builds ALPHA's updates: archives of the product's real files, always the same bytes (with one zlib and zstd)."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import stat
import tarfile
import textwrap
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import assert_never

import zstandard

from core.release.manifest import MANIFEST_NAME
from demo.catalogue import updates
from demo.toml import Table, document
from demo.update import TITLES, Component, Format, Update

__all__ = ["Component", "Update", "archive", "build", "files", "updates"]

PRODUCT = Path(__file__).parent / "product"
EPOCH = 315_532_800
"""1980-01-01, UTC: the earliest time that a zip file can hold, and the time of every file in an artifact."""
_SOURCES = (".py", ".css", ".json", ".md", ".sql")
_PREFIXES: Mapping[Component, str] = {"web": "", "api": "/api", "docs": "/docs"}
_SPEED: Mapping[Component, str] = {"web": "/notes", "api": "/api/stats", "docs": "/docs"}


def build(folder: Path) -> tuple[Path, ...]:
    """Write every update's archive into `folder` (made where it is missing); their paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for update in updates():
        path = folder / f"{update.id}.{update.format}"
        scratch = path.with_name(f".{path.name}")
        scratch.write_bytes(archive(update))
        scratch.replace(path)
        paths.append(path)
    return tuple(paths)


def archive(update: Update) -> bytes:
    """The update's artifact, packed in its format."""
    return _packed(files(update), update.format)


def files(update: Update) -> dict[str, bytes]:
    """What the artifact holds, by path, sorted."""
    content = {
        MANIFEST_NAME: _manifest(update).encode(),
        "NOTES.md": f"# {TITLES[update.component]} {update.version}\n\n{update.notes}\n".encode(),
        "about.json": _about(update).encode(),
        "main.py": _main(update.component).encode(),
        "raos/__init__.py": b'"""RaOS: one component of it, and what all share."""\n',
    }
    content |= _tree("kit", "kit") | _tree(update.component, update.component)
    for layer in update.layers:
        content |= _tree(layer, update.component)
    if update.leaks:
        content["settings/backup.pem"] = _private_key(update)
    return dict(sorted(content.items()))


def _tree(source: str, target: str) -> dict[str, bytes]:
    """The files below demo/product/`source`, as they stand below raos/`target` in an artifact."""
    root = PRODUCT / source
    found = (path for path in root.rglob("*") if path.suffix in _SOURCES)
    return {f"raos/{target}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in found}


def _about(update: Update) -> str:
    about = {
        "id": update.id,
        "component": update.component,
        "version": update.version,
        "title": TITLES[update.component],
        "modules": update.modules,
    }
    return json.dumps(about, indent=2) + "\n"


def _main(component: Component) -> str:
    return textwrap.dedent(f'''\
        """Starts {TITLES[component]}: `python3 main.py`, or `python3 main.py migrate` for its database."""

        from pathlib import Path

        from raos.{component}.app import COMPONENT
        from raos.kit.command import run

        run(COMPONENT, Path(__file__).resolve().parent)
        ''')


def _private_key(update: Update) -> bytes:
    """The shape of a private key, made of a hash: it opens nothing, and no such text stands in this repository."""
    label = " ".join(("PRIVATE", "KEY"))
    body = base64.b64encode(hashlib.sha512(update.id.encode()).digest()).decode()
    return "\n".join((f"-----BEGIN {label}-----", *textwrap.wrap(body, 64), f"-----END {label}-----", "")).encode()


def _manifest(update: Update) -> str:
    """The artifact's `release.toml`."""
    prefix = _PREFIXES[update.component]
    tables: list[Table] = [
        ("[run]", {"start": ("python3", "main.py"), "migrate": ("python3", "main.py", "migrate")}),
        ("[health]", {"path": f"{prefix}/healthz"}),
        ("[modules]", {"path": f"{prefix}/modules", "names": update.modules}),
        ("[database]", {"path": f"{prefix}/probe"}),
        ("[performance]", {"path": _SPEED[update.component]}),
    ]
    for endpoint in update.declared:
        schema = {"schema": endpoint.schema} if endpoint.schema else {}
        tables.append(("[[api]]", {"path": endpoint.path, **schema}))
    top = {
        "component": update.component,
        "level": update.level,
        "irreversible": update.irreversible,
        "contains": update.contains,
    }
    return document(top, tables)


def _packed(content: Mapping[str, bytes], format_: Format) -> bytes:
    match format_:
        case "tar.gz":
            return gzip.compress(_tar(content), mtime=0)
        case "tar.zst":
            return zstandard.ZstdCompressor(level=10).compress(_tar(content))
        case "zip":
            return _zip(content)
        case _:
            assert_never(format_)


def _tar(content: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, data in _tar_entries(content):
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _tar_entries(content: Mapping[str, bytes]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for name, data in content.items():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = len(data), EPOCH, 0o644
        yield entry, data


def _zip(content: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.create_system = 3  # Unix, wherever it is built
            file.writestr(entry, data)
    return buffer.getvalue()
