"""The kit's release, as a module of this component."""

from ..kit.release import feature

__all__ = ["feature"]
