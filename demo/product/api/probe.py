"""The kit's probe, as a module of this component."""

from ..kit.probe import feature

__all__ = ["feature"]
