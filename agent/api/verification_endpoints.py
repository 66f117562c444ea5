"""The endpoints of verification runs (public)."""

from __future__ import annotations

from agent.api.endpoint import Call, Endpoint
from agent.checks.verifications import Verifications
from agent.errors import Refused
from agent.host import Host
from core.release.wire import VerificationState, VerificationWanted

_PATH = "/v1/verifications/{slot}/{run}"


def verification_endpoints(host: Host, verifications: Verifications) -> tuple[Endpoint, ...]:
    """Ask for a run, and read how it stands."""

    async def put(call: Call) -> VerificationState:
        slot, run = call.params["slot"], _run(call)
        target = host.slot_target(slot)
        if target is not None:
            baseline = host.current_target(target.manifest.component)
            state = await verifications.put(slot, run, call.body, target, baseline)
            await verifications.prune(host.knows_slot)
            return state
        known = verifications.get(slot, run)
        if known is None:
            raise Refused("conflict", f"the slot {slot} runs nothing healthy that could be verified; stage it first")
        return known

    async def get(call: Call) -> VerificationState:
        known = verifications.get(call.params["slot"], _run(call))
        if known is None:
            raise Refused("not_found", f"run {call.params['run']} of {call.params['slot']} was never asked for here")
        return known

    return (
        Endpoint(
            "PUT",
            _PATH,
            "Verify a staged release; the same body again changes nothing",
            put,
            takes=VerificationWanted,
            gives=VerificationState,
            problems=(409, 422),
        ),
        Endpoint("GET", _PATH, "How a run stands, as a signed report", get, gives=VerificationState, problems=(404,)),
    )


def _run(call: Call) -> int:
    text = call.params["run"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused("bad_request", "a run is a number, counted from 1")
    return int(text)
