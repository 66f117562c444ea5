"""What comes next on the servers: `next_step` looks at the state and at what was observed, and names one effect.

Level-triggered: it never remembers what was sent. Every pass begins with a look, so a cut, a crash or a doubled call is
repaired by the next one. Every effect was committed as an intent before, in the event that led to the stage.
"""

from core.steps.duties import has_duty
from core.steps.looking import POLL_SLOW
from core.steps.step import has_work, next_step

__all__ = ["POLL_SLOW", "has_duty", "has_work", "next_step"]
