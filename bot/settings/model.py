"""The settings as a whole, and what the rest of the bot asks of them."""

from __future__ import annotations

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.settings.sections import (
    About,
    AddedCheck,
    Agent,
    Alpha,
    Ashat,
    Checks,
    Component,
    Discord,
    GrantSettings,
    GroupSettings,
    HolidaySettings,
    Http,
    PersonSettings,
    Proof,
    Roles,
    RouteSettings,
    Servers,
    Slack,
    WindowSettings,
    Workflow,
)
from bot.settings.values import origin_of
from core.people import Grant, Group, Person, with_viewing
from core.policy import Holiday, Window
from core.release.manifest import Name
from core.routing import Route
from core.state import PUBLIC, omega


class Settings(BaseSettings):
    """All of them. `load` reads a file and the environment, which has the last word."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="ASHAT_",
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    ashat: Ashat = Ashat()
    alpha: Alpha = Alpha()
    servers: Servers = Servers()
    agents: tuple[Agent, ...] = ()
    workflow: Workflow = Workflow()
    checks: Checks = Checks()
    checks_added: tuple[AddedCheck, ...] = ()
    components: dict[Name, Component] = {}
    people: dict[Name, PersonSettings] = {}
    grants: tuple[GrantSettings, ...] = ()
    windows: tuple[WindowSettings, ...] = ()
    holidays: tuple[HolidaySettings, ...] = ()
    roles: Roles = Roles()
    groups: dict[Name, GroupSettings] = {}
    slack: Slack = Slack()
    discord: Discord = Discord()
    http: Http = Http()
    routes: tuple[RouteSettings, ...] = ()
    proof: Proof = Proof()
    about: About = About()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    def agent_at(self, url: str) -> Agent | None:
        """How to show oneself to the server at `url`; None, and so no token, where its origin is not listed."""
        origin = origin_of(url)
        return next((agent for agent in self.agents if agent.origin == origin), None)

    def persons(self) -> tuple[Person, ...]:
        """Everyone under [people], in its order."""
        return tuple(
            Person(
                id=key,
                name=person.name,
                roles=with_viewing(person.roles),
                groups=frozenset(person.groups),
                accounts=person.accounts(),
                time_zone=person.time_zone or self.ashat.time_zone,
                shared=person.shared,
                granted=any(
                    key in one.to or any(f"@{group}" in one.to for group in person.groups) for one in self.grants
                ),
                pings=person.pings,
            )
            for key, person in self.people.items()
        )

    def all_windows(self) -> tuple[Window, ...]:
        zone = self.ashat.time_zone
        return tuple(
            Window(one.name, one.opens, one.lasts, one.time_zone or zone, one.components, one.required)
            for one in self.windows
        )

    def all_holidays(self) -> tuple[Holiday, ...]:
        zone = self.ashat.time_zone
        return tuple(Holiday(one.name, one.days, one.time_zone or zone, one.components) for one in self.holidays)

    @property
    def highest_quorum(self) -> int:
        """The most votes that any component asks for."""
        work, components = self.workflow, self.components.values()
        named = [one.quorum for one in components if one.quorum]
        groups = [len(work.groups), *(len(one.groups) for one in components if one.groups)]
        return max([work.quorum, *work.quorum_by_component.values(), *named, *groups])

    def all_grants(self) -> tuple[Grant, ...]:
        return tuple(Grant(one.to, with_viewing(one.roles), one.components, one.servers) for one in self.grants)

    def all_groups(self) -> tuple[Group, ...]:
        """The groups that platforms keep."""
        return tuple(Group(name, with_viewing(one.roles), one.places()) for name, one in self.groups.items())

    def all_routes(self) -> tuple[Route, ...]:
        """The subscriptions, with servers by the names that placements have."""
        return tuple(
            Route(
                one.channel,
                one.components,
                one.stages,
                tuple(name if name == PUBLIC else omega(name) for name in one.servers),
            )
            for one in self.routes
        )
