"""ALPHA as a folder: links, devices and strange names are no updates."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.artifacts.folder import FolderSource
from core.ports import AlphaFile, ArtifactProblem


async def test_only_regular_files_with_an_updates_name_are_listed(tmp_path: Path) -> None:
    for name in ("v1.tar.gz", "notes.txt", ".hidden.zip", "-x.zip", "tar.gz", "v2.tar.bz2", "v 3.zip"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "link.zip").symlink_to(tmp_path / "v1.tar.gz")
    os.mkfifo(tmp_path / "pipe.zip")
    assert [file.name for file in await FolderSource(tmp_path).updates()] == ["v1.tar.gz"]
    assert await FolderSource(tmp_path).find("link") == []


async def test_a_link_in_the_place_of_a_listed_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    alpha = tmp_path / "alpha"
    alpha.mkdir()
    (alpha / "v1.zip").write_bytes(b"x")
    source = FolderSource(alpha)
    (file,) = await source.updates()
    (alpha / "v1.zip").unlink()
    (alpha / "v1.zip").symlink_to(secret)
    os.utime(secret, (file.modified_at.timestamp(), file.modified_at.timestamp()))
    with pytest.raises(ArtifactProblem, match=r"v1\.zip .* it is a link"):
        await anext(source.read(file))


async def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = AlphaFile("v1", "../v1.zip", 1, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(ArtifactProblem, match="no name of an update"):
        await anext(FolderSource(tmp_path).read(outside))


async def test_a_pipe_in_the_place_of_a_listed_file_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "v1.zip").write_bytes(b"")
    source = FolderSource(tmp_path)
    (file,) = await source.updates()
    (tmp_path / "v1.zip").unlink()
    os.mkfifo(tmp_path / "v1.zip")
    with pytest.raises(ArtifactProblem, match="no regular file"):
        await anext(source.read(file))


async def test_the_problem_names_the_place_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ArtifactProblem, match=r"Team ALPHA cannot be read: no such file.*check alpha\.folder"):
        await FolderSource(tmp_path / "missing", "Team ALPHA").updates()
