"""The card of a deployment, edited in place as it goes along."""

from core.views.card.buttons import buttons
from core.views.card.fleet import would_be_frozen
from core.views.card.progress import Progress
from core.views.card.whole import TITLES, deployment_card

__all__ = ["TITLES", "Progress", "buttons", "deployment_card", "would_be_frozen"]
