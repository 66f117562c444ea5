"""The first schema: deployments and their parts, production, the journal, messages, work.

The journal and its checkpoints only grow: triggers refuse to change or delete a row, whatever statement asks for it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("journal", "checkpoint")


def upgrade() -> None:
    _deployments()
    _tested()
    _production()
    _journal()
    _messages()
    _only_grows(op.get_context().dialect.name)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=null)


def _json(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _deployments() -> None:
    op.create_table(
        "deployment",
        _number("number"),
        _text("key"),
        _text("id"),
        _int("attempt"),
        _text("component"),
        _text("stage"),
        _int("active"),
        _int("version"),
        _time("pushed_at"),
        _int("run", null=True),
        _json("data"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_deployment")),
        sa.UniqueConstraint("id", "attempt", name=op.f("uq_deployment_id_attempt")),
        sa.UniqueConstraint("key", name=op.f("uq_deployment_key")),
    )
    op.create_index("ix_deployment_active", "deployment", ["number"], **_where("active = 1"))
    op.create_index("ix_deployment_component", "deployment", ["component", "number"])
    op.create_table(
        "placement",
        _text("deployment"),
        _text("server"),
        _int("position"),
        _text("desired"),
        _text("observed"),
        _json("data"),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.key"], name=op.f("fk_placement_deployment")),
        sa.PrimaryKeyConstraint("deployment", "server", name=op.f("pk_placement")),
    )
    op.create_table(
        "verification_check",
        _text("deployment"),
        _int("run"),
        _text("name"),
        _int("position"),
        _text("state"),
        _time("deadline"),
        _json("data"),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.key"], name=op.f("fk_verification_check_deployment")),
        sa.PrimaryKeyConstraint("deployment", "run", "name", name=op.f("pk_verification_check")),
    )
    op.create_table(
        "vote",
        _number("number"),
        _text("deployment"),
        _text("person"),
        _int("run"),
        _time("at"),
        _time("fallen_at", null=True),
        _json("data"),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.key"], name=op.f("fk_vote_deployment")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vote")),
    )
    op.create_index("ix_vote_counting", "vote", ["deployment"], **_where("fallen_at IS NULL"))
    op.create_table(
        "mainframe",
        _text("deployment"),
        _text("region"),
        _text("name"),
        _text("status"),
        _json("data"),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.key"], name=op.f("fk_mainframe_deployment")),
        sa.PrimaryKeyConstraint("deployment", "region", "name", name=op.f("pk_mainframe")),
    )
    op.create_table(
        "step_duration",
        _number("number"),
        _text("deployment"),
        _text("component"),
        _text("stage"),
        sa.Column("seconds", sa.Float(), nullable=False),
        _int("counted"),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.key"], name=op.f("fk_step_duration_deployment")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_step_duration")),
    )
    op.create_index(
        "ix_step_duration_counted", "step_duration", ["component", "stage", "number"], **_where("counted = 1")
    )
    op.create_index("ix_step_duration_open", "step_duration", ["deployment"], **_where("counted = 0"))
    op.create_table(
        "work",
        _text("key"),
        _time("due_at", null=True),
        _time("ready_at", null=True),
        _text("lease_owner", null=True),
        _time("lease_until", null=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_work")),
    )
    op.create_index("ix_work_ready", "work", ["ready_at"], **_where("ready_at IS NOT NULL"))


def _tested() -> None:
    op.create_table(
        "tested",
        _text("update"),
        _text("digest"),
        sa.PrimaryKeyConstraint("update", "digest", name=op.f("pk_tested")),
    )


def _production() -> None:
    op.create_table(
        "lane",
        _text("component"),
        _int("version"),
        _text("holder", null=True),
        _json("data"),
        sa.PrimaryKeyConstraint("component", name=op.f("pk_lane")),
    )
    op.create_table(
        "lane_current",
        _text("component"),
        _text("region"),
        _json("release", null=True),
        sa.ForeignKeyConstraint(["component"], ["lane.component"], name=op.f("fk_lane_current_component")),
        sa.PrimaryKeyConstraint("component", "region", name=op.f("pk_lane_current")),
    )
    op.create_table(
        "server",
        _text("role"),
        _text("region"),
        _text("name"),
        _text("url"),
        _json("data"),
        sa.PrimaryKeyConstraint("role", "region", name=op.f("pk_server")),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        _number("number"),
        _text("chain"),
        _int("seq"),
        _text("kind"),
        _json("data"),
        _time("at"),
        _text("by"),
        _text("via"),
        _text("previous"),
        _text("hash"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_journal")),
        sa.UniqueConstraint("chain", "seq", name=op.f("uq_journal_chain_seq")),
    )
    op.create_table(
        "checkpoint",
        _number("number"),
        _time("at"),
        _json("envelope"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoint")),
    )


def _messages() -> None:
    op.create_table(
        "inbox",
        _number("number"),
        _text("platform"),
        _text("delivery"),
        _time("received_at"),
        _json("message"),
        _time("settled_at", null=True),
        _json("reply", null=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_inbox")),
        sa.UniqueConstraint("platform", "delivery", name=op.f("uq_inbox_platform_delivery")),
    )
    op.create_index("ix_inbox_unsettled", "inbox", ["received_at"], **_where("settled_at IS NULL"))
    op.create_table(
        "outbox",
        _number("number"),
        _text("channel"),
        _text("deployment", null=True),
        _text("kind"),
        _time("expires_at", null=True),
        _time("sent_at", null=True),
        _int("tries"),
        _json("data"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_unsent", "outbox", ["channel", "number"], **_where("sent_at IS NULL"))
    op.create_table(
        "card",
        _number("number"),
        _text("channel"),
        _text("deployment"),
        _text("reference", null=True),
        _int("shown"),
        _int("wanted"),
        _int("tries"),
        sa.ForeignKeyConstraint(["deployment"], ["deployment.key"], name=op.f("fk_card_deployment")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_card")),
        sa.UniqueConstraint("deployment", "channel", name=op.f("uq_card_deployment_channel")),
    )
    op.create_index("ix_card_stale", "card", ["channel", "number"], **_where("shown < wanted"))
    op.create_table(
        "parked_channel",
        _text("channel"),
        _time("until", null=True),
        _text("why"),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_parked_channel")),
    )


def _only_grows(dialect: str) -> None:
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION ashat_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' only grows: its rows cannot be changed or deleted'; "
            "END $$"
        )
    for table in APPEND_ONLY:
        for statement in _guards(dialect, table):
            op.execute(statement)


def _guards(dialect: str, table: str) -> tuple[str, ...]:
    if dialect == "postgresql":
        return (
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ashat_only_grows()",
        )
    return tuple(
        f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} only grows: its rows cannot be changed or deleted'); END"
        for act in ("UPDATE", "DELETE")
    )
