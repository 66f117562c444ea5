"""A short form of what `make torture` tries by the ten thousand."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings

from tests.fuzz import archives, manifests


def test_no_archive_gets_out_of_its_folder_or_past_its_bounds() -> None:
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=archives.SCRATCH) as folder:

        @settings(max_examples=400, deadline=None, derandomize=True)
        @given(archives.archives())
        def one(data: bytes) -> None:
            archives.judge(data, Path(tempfile.mkdtemp(dir=folder)), seen)

        one()
    assert min(seen["refused"], seen["unpacked"]) > 10, seen


def test_every_manifest_is_read_or_refused_with_a_reason() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=500, deadline=None, derandomize=True)
    @given(manifests.manifests())
    def one(text: str) -> None:
        manifests.judge(text, seen)

    one()
    assert min(seen["refused"], seen["read"]) > 10, seen
