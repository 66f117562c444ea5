"""The buttons of a card."""

from __future__ import annotations

from core import say
from core.announce import approve_button, seen_of
from core.cards import Button
from core.stages import Act, Stage, legal
from core.state import PUBLIC, Deployment


def buttons(d: Deployment) -> tuple[Button, ...]:
    """Those that are legal now, bound to what this card shows, most wanted first; Details always."""
    seen = seen_of(d)
    acts = legal(d.stage)
    failed_check = d.failed_in is Stage.VERIFYING
    found: list[Button] = []
    if d.stage in (Stage.STAGED, Stage.FAILED) and Act.VERIFY in acts and (d.stage is Stage.STAGED or failed_check):
        found.append(Button("Verify", f"verify {d.name}", seen, style="primary"))
    if d.stage is Stage.AWAITING_APPROVAL:
        found.append(approve_button(d))
    if Act.REJECT in acts:
        found.append(Button("Reject", f"reject {d.name}", seen, asks="reason"))
    if d.hold and not d.hold.wide:
        found.append(Button("Resume", f"resume {d.name}", seen, style="primary"))
    elif Act.PAUSE in acts and not d.hold:
        asked = f"Hold {d.name} where it is? What has begun ends, nothing further begins."
        found.append(Button("Pause", f"pause {d.name}", seen, confirm=asked))
    if d.stage is Stage.FAILED and not failed_check:
        found.append(Button("Retry", f"retry {d.name}", seen, style="primary"))
    if d.owing:
        asked = f"Countersign that {d.name} went to OMEGA in an emergency?"
        found.append(Button("Countersign", f"countersign {d.name}", seen, confirm=asked, style="primary"))
    if Act.ROLLBACK in acts and _can_roll_back(d):
        back = _what_a_rollback_does(d)
        found.append(Button("Rollback", f"rollback {d.name}", seen, back, asks="optional reason", style="danger"))
    if Act.CANCEL in acts and not d.touched and not failed_check:
        found.append(Button("Cancel", f"cancel {d.name}", seen, confirm=f"End {d.name} before it touches OMEGA?"))
    details = Button("Details", f"show {d.name}")
    return (details, *found) if [button.label for button in found] == ["Cancel"] else (*found, details)


def _what_a_rollback_does(d: Deployment) -> str:
    """The consequences, for whoever is about to ask for it."""
    if not d.touched:
        return f"{d.name} leaves Public; nothing was pushed to OMEGA."
    before = {p.server.replace("omega/", "OMEGA "): p.replaced for p in d.placements if p.server != PUBLIC}
    back = [f"{region} returns to {ref.name}" for region, ref in before.items() if ref]
    gone = [region for region, ref in before.items() if not ref]
    if gone:
        back.append(f"{d.component} goes offline on {say.listed(gone)}, where nothing of it ran before")
    return f"{'; '.join(back)}. Mainframes follow."


def _can_roll_back(d: Deployment) -> bool:
    return d.touched or (d.stage in (Stage.FAILED, Stage.ROLLBACK_FAILED) and d.placement(PUBLIC) is not None)
