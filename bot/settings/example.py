"""`config.example.toml` and `agent.example.toml`, made from the settings, so that they are complete and current."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc, getsource
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from agent.settings import AgentSettings
from bot.settings.model import Settings
from bot.settings.values import to_seconds, to_text

_HEAD = """\
# Ashat's settings: every key with its default. Lines that begin with "#" and a key are examples of what has none.
# The environment overrides: ASHAT_WORKFLOW__QUORUM=2 for quorum in [workflow]; lists and tables are JSON there.
# Secrets never stand here: they are in files of mode 0600, or in the environment.
"""
_AGENT_HEAD = """\
# The settings of one agent: every key with its default. Lines that begin with "#" and a key are examples of what has
# none. Secrets never stand here: they are in files of mode 0600 that only the agent's user can read. Durations are
# seconds; relative paths start at this file's folder.
"""
_SAID = frozenset({"slot_user"})
"""Has no default, and what it is instead is for demonstrations only."""
_SAMPLE_KEYS = {"people": "alice", "components": "main", "groups": "release-managers"}


def example() -> str:
    """The whole file. `make config.example.toml` writes it: `python -m bot.settings > config.example.toml`."""
    return "\n".join([_HEAD, *(block for name in Settings.model_fields for block in _section(name))])


def agent_example() -> str:
    """The whole file: `python -m bot.settings agent > agent.example.toml`. It is Public's as it stands."""
    fields = AgentSettings.model_fields.items()
    own = "".join(_agent_key(key, field) for key, field in fields if not models(field))
    return "\n".join([_AGENT_HEAD, own, *(_agent_table(key, field) for key, field in fields if models(field))])


def _agent_key(key: str, field: FieldInfo) -> str:
    said = field.examples[0] if field.examples and (field.is_required() or key in _SAID) else field.default
    return f"# {comment(AgentSettings, key)}\n{_line(key, field, said)}\n"


def _agent_table(key: str, field: FieldInfo) -> str:
    match field.default:
        case BaseModel() as default:
            return f"# {doc(type(default))}\n{_table(key, default)}"
        case None:
            return _commented(f"[{key}]", _item_model(field))
        case _:
            return _commented(f"[[{key}]]", _item_model(field))


def models(field: FieldInfo) -> list[type[BaseModel]]:
    """The models of the tables that a key is for; none for a plain value."""
    kinds = (field.annotation, *get_args(field.annotation))
    return [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]


def _section(name: str) -> Iterator[str]:
    field = Settings.model_fields[name]
    default = field.default
    if get_origin(field.annotation) is tuple:
        yield _commented(f"[[{name}]]", _item_model(field))
    elif get_origin(field.annotation) is dict:
        yield _commented(f"[{name}.{_SAMPLE_KEYS[name]}]", _item_model(field))
    elif all(isinstance(value, BaseModel) for _, value in default):
        yield f"# {doc(type(default))}\n"
        for key, value in default:
            yield f"# {comment(type(default), key)}\n{_table(f'{name}.{key}', value)}"
    else:
        yield f"# {doc(type(default))}\n{_table(name, default)}"


def _table(name: str, default: BaseModel) -> str:
    lines = [f"[{name}]"]
    for key, field in type(default).model_fields.items():
        lines += [f"# {comment(type(default), key)}", _line(key, field, getattr(default, key))]
    return "\n".join(lines) + "\n"


def _commented(header: str, model: type[BaseModel]) -> str:
    """A table of which there may be many, or none: all of it is commented out."""
    lines = [f"# {doc(model)}", f"# {header}"]
    for key, field in model.model_fields.items():
        value = field.examples[0] if field.examples else field.default
        lines += [f"# # {comment(model, key)}", f"# {key} = {_toml(value, field)}"]
    return "\n".join(lines) + "\n"


def _line(key: str, field: FieldInfo, value: Any) -> str:
    if value is None:
        sample = field.examples[0] if field.examples else ""
        return f"# {key} = {_toml(sample, field)}"
    return f"{key} = {_toml(value, field)}"


def _toml(value: Any, field: FieldInfo) -> str:
    match value:
        case SecretStr():
            return json.dumps(value.get_secret_value())
        case float() | int() if not isinstance(value, bool) and _is_duration(field):
            return json.dumps(to_text(value))
        case Path():
            return json.dumps(str(value))
        case dict():
            pairs = ", ".join(f"{key} = {json.dumps(below)}" for key, below in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _is_duration(field: FieldInfo) -> bool:
    return any(isinstance(each, BeforeValidator) and each.func is to_seconds for each in field.metadata)


def _item_model(field: FieldInfo) -> type[BaseModel]:
    return models(field)[0]


def comment(model: type[BaseModel], key: str) -> str:
    """What stands below the key in the source, in one line; empty where nothing does."""
    found = (_comments(each).get(key) for each in model.__mro__ if issubclass(each, BaseModel))
    return " ".join(next((text for text in found if text), "").split())


@cache
def _comments(model: type[BaseModel]) -> dict[str, str]:
    """What stands below its fields in the source. Pydantic would read it at each start, for a tenth of its time."""
    tree = ast.parse(getsource(model)).body[0]
    found: dict[str, str] = {}
    for field, below in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
    return found


def doc(model: type[BaseModel]) -> str:
    """The model's docstring, in one line."""
    return " ".join(cleandoc(model.__doc__ or "").split())
