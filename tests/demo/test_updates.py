"""ALPHA's updates: what they say of themselves, and that their bytes never differ."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from agent.checks.secrets import scan
from core.release.archive import read_manifest
from demo import updates as building
from demo.updates import Update, archive, build, files, updates

IDS = [update.id for update in updates()]


def test_the_ids_of_the_guide_exist_in_the_components_that_it_needs(catalogue: dict[str, Update]) -> None:
    assert {"patch-v1.2.3", "security-patch-001", "feature-2024-q1", "feature-2024-q1-fixed"} <= set(catalogue)
    parallel = ("hotfix-001", "feature-update", "docs-update")
    assert [catalogue[update].component for update in parallel] == ["api", "web", "docs"]


def test_each_check_has_an_update_that_fails_it(catalogue: dict[str, Update]) -> None:
    failing = [update.fails for update in catalogue.values() if update.fails]
    assert sorted(failing) == ["api", "database", "health", "modules", "performance", "security"]


@pytest.mark.parametrize("update_id", IDS)
def test_the_archive_carries_the_manifest_of_its_update(update_id: str, catalogue: dict[str, Update]) -> None:
    update = catalogue[update_id]
    manifest = read_manifest(BytesIO(archive(update)))
    assert manifest.component == update.component
    assert manifest.contains == update.contains
    assert manifest.irreversible == (update_id == "irreversible-001")
    assert manifest.level == ("server-owner" if update_id == "owner-level-001" else "standard")
    assert manifest.modules is not None
    assert manifest.modules.names == update.modules
    assert [endpoint.path for endpoint in manifest.api] == [endpoint.path for endpoint in update.declared]


def test_all_three_formats_are_used_and_no_id_twice() -> None:
    assert {update.format for update in updates()} == {"tar.gz", "tar.zst", "zip"}
    assert len(set(IDS)) == len(IDS)


def test_building_again_gives_the_same_bytes_and_no_two_updates_the_same(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in build(tmp_path / "one")}
    again = {path.name: path.read_bytes() for path in build(tmp_path / "two")}
    assert first == again
    assert len(set(first.values())) == len(first)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(first)


def test_the_fix_contains_what_it_fixes(catalogue: dict[str, Update]) -> None:
    fixed = catalogue["feature-2024-q1-fixed"]
    assert {"feature-2024-q1", "security-patch-001", "v1.2.2"} <= set(fixed.contains)
    assert "patch-v1.2.3" in catalogue["security-patch-001"].contains
    assert "security-patch-001" not in catalogue["patch-v1.2.3"].contains


def test_an_update_changes_only_its_component(catalogue: dict[str, Update]) -> None:
    for update in catalogue.values():
        code = {path.split("/")[1] for path in files(update) if path.startswith("raos/") and path.count("/") > 1}
        assert code == {"kit", update.component}


@pytest.mark.parametrize("update_id", IDS)
def test_only_the_one_that_says_so_holds_a_secret(update_id: str, catalogue: dict[str, Update], tmp_path: Path) -> None:
    for name, data in files(catalogue[update_id]).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    found = [(each.path, each.kind) for each in scan(tmp_path, (), lambda: False).found]
    assert found == ([("settings/backup.pem", "a private key")] if update_id == "fails-security" else [])


def test_the_product_itself_holds_no_secret() -> None:
    assert scan(building.PRODUCT, (), lambda: False).found == ()
