"""The child process of `agent.checks.schema`: [[schema, body], …] on stdin, [[expected, seen] or null, …] on stdout.

It runs as a script, without the project on its path.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

SHOWN = 200
"""Characters that a message shows of a rule, a place or a list of names."""


def violation(schema: dict[str, Any], body: Any) -> tuple[str, str] | None:
    """What a body should have been and what it is, or None where it satisfies its schema."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
        # An empty registry: the default one fetches whatever address a `$ref` names.
        error = best_match(kind(schema, registry=Registry()).iter_errors(body))
    except SchemaError as wrong:
        return "a valid JSON Schema", f"one that is wrong at {wrong.json_path[:SHOWN]} ({wrong.validator})"
    except Unresolvable as wrong:
        return "a JSON Schema that is complete in itself", f"a $ref that leads elsewhere: {wrong.ref[:SHOWN]}"
    except re.error as wrong:
        return "a valid JSON Schema", f"a pattern that is no regular expression: {wrong.msg}"
    except RecursionError:
        return "JSON and a schema of reasonable depth", "a nesting too deep to judge"
    if error is None:
        return None
    rule = f"{error.validator} {json.dumps(error.validator_value)}"
    return f"{error.json_path[:SHOWN]}: {rule[:SHOWN]}", described(str(error.validator), error)


def described(rule: str, error: Any) -> str:
    """What stands in that place, by its type: values stay where they are."""
    instance = error.instance
    if rule == "required" and isinstance(instance, dict):
        absent = ", ".join(str(name) for name in error.validator_value if name not in instance)
        return f"an object without {absent[:SHOWN]}"
    match instance:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return f"a string of {len(instance)} characters"
        case list():
            return f"an array of {len(instance)} items"
        case _:
            return "an object"


def main() -> None:
    """Judge all pairs; the answer is one line."""
    found = [violation(schema, body) for schema, body in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
