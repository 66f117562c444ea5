"""The fleet's rows of OMEGA's route table."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from agent.api.endpoint import Call, Endpoint
from agent.fleet.omega import Fleet
from core.release.wire import Assignments, DistributionState, DistributionWanted, Mainframes, Poll, ReceiptSent

MAINFRAME = frozenset({"mainframe"})


def fleet_endpoints(fleet: Fleet) -> tuple[Endpoint, ...]:
    """What the bot may ask about the fleet, and what mainframes may ask for."""
    return (*_for_the_bot(fleet), *_for_mainframes(fleet))


def _for_the_bot(fleet: Fleet) -> tuple[Endpoint, ...]:
    async def distribute(call: Call) -> DistributionState:
        return await fleet.distribute(call.params["component"], call.body)

    async def distribution(call: Call) -> DistributionState:
        return fleet.distribution(call.params["component"])

    async def mainframes(call: Call) -> Mainframes:
        return fleet.mainframes()

    path = "/v1/distributions/{component}"
    return (
        Endpoint(
            "PUT",
            path,
            "Distribute a signed release to the licensed mainframes, hold it, or let it go on",
            distribute,
            takes=DistributionWanted,
            gives=DistributionState,
            problems=(403, 404, 409),
        ),
        Endpoint(
            "GET",
            path,
            "How far the newest distribution has come",
            distribution,
            gives=DistributionState,
            problems=(404,),
        ),
        Endpoint("GET", "/v1/mainframes", "The registry of mainframes", mainframes, gives=Mainframes),
    )


def _for_mainframes(fleet: Fleet) -> tuple[Endpoint, ...]:
    async def poll(call: Call) -> Assignments:
        gone = asyncio.create_task(_disconnected(call.request))
        try:
            return await fleet.poll(call.caller.name, call.body, gone)
        finally:
            gone.cancel()

    async def receive(call: Call) -> Response:
        counted = await fleet.receive(call.caller.name, call.body.receipt)
        return Response(status_code=204 if counted else 202)

    async def artifact(call: Call) -> Response:
        digest = call.params["digest"]
        path = fleet.held(digest) if call.caller.kind == "bot" else fleet.artifact(call.caller.name, digest)
        return FileResponse(path, media_type="application/octet-stream")

    return (
        Endpoint(
            "POST",
            "/v1/poll",
            "Report what runs here, and wait for what should",
            poll,
            takes=Poll,
            gives=Assignments,
            callers=MAINFRAME,
        ),
        Endpoint(
            "POST",
            "/v1/receipts",
            "A signed receipt: 204 counted, 202 recorded although a newer release has been given since",
            receive,
            takes=ReceiptSent,
            callers=MAINFRAME,
            problems=(403, 409),
        ),
        Endpoint(
            "GET",
            "/v1/artifacts/{digest}",
            "The bytes of a release, to a mainframe only of one that it was given; Range resumes",
            artifact,
            callers=MAINFRAME | {"bot"},
            problems=(403, 404),
        ),
    )


async def _disconnected(request: Request) -> None:
    """Returns once the client has hung up. The body has been read, so no other message can come."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
