"""People from settings: accounts belong to people, and nobody passes for somebody else."""

from __future__ import annotations

import pytest

from adapters.people import SettingsPeople
from core.people import Account, Person, with_viewing
from core.ports import People

SLACK, DISCORD = Account("slack", "U1"), Account("discord", "42")
ALICE = Person("alice", "Alice Ng", frozenset({"viewer", "approver"}), accounts=(SLACK, DISCORD))
BO = Person("bo", "Bo Li", frozenset({"viewer"}), accounts=(Account("shell", "1000"),))


def test_one_person_has_accounts_on_many_platforms() -> None:
    people: People = SettingsPeople([ALICE, BO])
    assert people.find(SLACK) is people.find(DISCORD) is people.get("alice") is ALICE
    assert people.all() == (ALICE, BO)


@pytest.mark.parametrize(
    "account", [Account("slack", "42"), Account("slack", ""), Account("", "U1"), Account("SLACK", "U1")]
)
def test_an_account_is_platform_and_id_exactly(account: Account) -> None:
    assert SettingsPeople([ALICE, BO]).find(account) is None


def test_strangers_are_nobody_by_default() -> None:
    people = SettingsPeople([ALICE])
    assert people.find(Account("slack", "U9")) is None
    assert people.get("slack:U9") is None
    assert people.get("nobody") is None


def test_with_default_roles_an_unlisted_account_is_a_person_of_its_own() -> None:
    people = SettingsPeople([ALICE], unlisted=["deployer"], time_zone="Asia/Tokyo")
    found = people.find(Account("slack", "U9"))
    assert found == Person(
        "slack:U9",
        "slack:U9",
        frozenset({"deployer", "viewer"}),
        accounts=(Account("slack", "U9"),),
        time_zone="Asia/Tokyo",
        roles_from="the settings, [roles]",
    )
    assert people.get("slack:U9") == found
    assert found not in people.all()


def test_a_listed_account_is_never_a_second_person() -> None:
    assert SettingsPeople([ALICE], unlisted=["viewer"]).get("slack:U1") is None


@pytest.mark.parametrize(
    "second",
    [
        Person("bo", "Bo Li", frozenset(), accounts=(DISCORD,)),
        Person("alice", "Another", frozenset()),
        Person("slack:U9", "Mallory", frozenset()),
    ],
    ids=["one account", "one id", "an unlisted person's id"],
)
def test_two_people_are_never_one(second: Person) -> None:
    with pytest.raises(ValueError, match=r"slack:U9|alice"):
        SettingsPeople([ALICE, second])


def test_a_role_includes_viewing_and_nothing_else() -> None:
    assert with_viewing([]) == frozenset()
    assert with_viewing(["admin"]) == {"admin", "viewer"}
    assert with_viewing(["approver"]) == {"approver", "viewer"}
