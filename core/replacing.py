"""`replace` for facts of many fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace
else:
    from dataclasses import fields
    from functools import cache
    from operator import attrgetter

    @cache
    def _shape(kind):
        names = tuple(field.name for field in fields(kind))
        return names, attrgetter(*names)

    def replace(fact, /, **changes):
        """As dataclasses.replace, in half of its time, for facts whose fields are all given when they are made.

        A deployment has dozens of fields, and each event makes another one of it.
        """
        names, values = _shape(type(fact))
        return type(fact)(**dict(zip(names, values(fact), strict=True)) | changes)


__all__ = ["replace"]
