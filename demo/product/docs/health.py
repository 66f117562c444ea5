"""The kit's health, as a module of this component."""

from ..kit.health import feature

__all__ = ["feature"]
