"""Manifests that nobody would write: their values, their structure and their text."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import strategies as st

from core.release.manifest import Manifest, ManifestError, parse_manifest

_KEYS = [
    "component", "level", "irreversible", "contains", "warm", "run", "health", "modules", "api", "database",
    "performance", "start", "stop", "migrate", "start_timeout", "path", "names", "status", "method", "schema", "x",
]  # fmt: skip
_GOOD = {
    "component": "web",
    "run": {"start": ["./run"], "start_timeout": 5},
    "modules": {"path": "/modules", "names": ["a"]},
    "api": [{"path": "/api", "status": 200}],
}


def _scalars() -> st.SearchStrategy[Any]:
    strings = ["server-owner", "/healthz", "//host/x", "/../x", "a b", "../x", "x" * 300, "\x1b[31m", "a\u202eb", ""]
    return (
        st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(strings)
        | st.text(max_size=12)
    )


def _values() -> st.SearchStrategy[Any]:
    return st.recursive(
        _scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
        max_leaves=8,
    )


def _usual() -> dict[str, st.SearchStrategy[Any]]:
    """Values that are mostly right."""
    paths = st.text("abc/.-_", max_size=6).map(lambda rest: "/" + rest)
    names = st.lists(st.text("abc.-1", min_size=1, max_size=6), max_size=3)
    return {
        "component": st.sampled_from(["main", "api", "-x"]),
        "level": st.sampled_from(["standard", "server-owner"]),
        "irreversible": st.booleans(),
        "contains": names,
        "health": paths.map(lambda path: {"path": path}),
        "database": paths.map(lambda path: {"path": path}),
        "modules": st.tuples(paths, names).map(lambda pair: {"path": pair[0], "names": pair[1]}),
        "api": st.lists(st.builds(lambda path, status: {"path": path, "status": status}, paths, st.integers(90, 610))),
    }


def manifests() -> st.SearchStrategy[str]:
    """Good ones with some keys changed, made-up ones, and texts that are cut or bent."""
    usual = st.fixed_dictionaries({}, optional=_usual()).map(lambda more: toml({**_GOOD, **more}))
    changed = st.dictionaries(st.sampled_from(_KEYS), _values(), max_size=3).map(lambda more: toml({**_GOOD, **more}))
    made_up = st.dictionaries(st.sampled_from(_KEYS), _values(), max_size=5).map(toml)
    bent = st.tuples(changed, st.integers(0, 200), st.text(max_size=3)).map(lambda t: t[0][: t[1]] + t[2])
    return usual | usual | changed | made_up | bent


def toml(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {_inline(value)}\n" for key, value in table.items())


def _inline(value: Any) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case str():
            return json.dumps(value)
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


def judge(text: str, seen: Counter[str]) -> None:
    """Read it. Raises AssertionError where it is neither a manifest nor refused with one printable sentence."""
    try:
        manifest = parse_manifest(text)
    except ManifestError as refused:
        _must_be_explained(refused)
        seen["refused"] += 1
    else:
        again = Manifest.model_validate_json(manifest.model_dump_json(by_alias=True))
        assert again == manifest, "what is recorded is what was read"
        assert all(path.startswith("/") and not path.startswith("//") for path in _paths(manifest))
        seen["read"] += 1


def _must_be_explained(refused: ManifestError) -> None:
    assert str(refused), "a refusal says why"
    assert len(str(refused)) < 2000, "in a sentence"


def _paths(manifest: Manifest) -> list[str]:
    declared = [manifest.health.path, manifest.performance.path, *(one.path for one in manifest.api)]
    return declared + [part.path for part in (manifest.modules, manifest.database) if part is not None]
