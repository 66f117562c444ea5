"""The endpoints of a host: those that every role has, and those of the roles that the bot deploys to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import TypeAdapter, ValidationError
from starlette.responses import FileResponse, PlainTextResponse, Response

from agent.api.app import read_upload
from agent.api.endpoint import Call, Endpoint
from agent.errors import Refused
from agent.host import Host
from core.release import wire

ANYONE = frozenset({"anyone"})
_DIGEST: TypeAdapter[str] = TypeAdapter(wire.Digest)
_ARTIFACT = "/v1/artifacts/{digest}"
_SLOT = "/v1/slots/{slot}"


def host_endpoints(host: Host, about: Callable[[], wire.About]) -> tuple[Endpoint, ...]:
    """What every role answers."""

    async def health(call: Call) -> Response:
        return PlainTextResponse("ok")

    async def tell_about(call: Call) -> wire.About:
        return about()

    async def state(call: Call) -> wire.State:
        me = about()
        return wire.State(
            about=me, url=host.url, components=host.components(), slots=host.slots(),
            free_bytes=host.free_bytes(), bot_keys=host.bot_keys, leaves_out=me.role == "omega",
        )  # fmt: skip

    return (
        Endpoint("GET", "/healthz", "Whether the agent is up: `ok`, and nothing else", health, callers=ANYONE),
        Endpoint("GET", "/v1/about", "What this agent is", tell_about, gives=wire.About),
        Endpoint("GET", "/v1/state", "The whole of what is on this host", state, gives=wire.State),
    )


def upload_endpoints(host: Host) -> tuple[Endpoint, ...]:
    """Uploads that can be resumed."""

    async def offset(call: Call) -> Response:
        digest = _digest(call)
        if host.artifacts.complete(digest):
            host.artifacts.expect(digest)  # whoever asks need not send it
        return Response(headers=_upload_headers(host, digest))

    async def append(call: Call) -> Response:
        digest = _digest(call)
        start, length = _number(call, "Upload-Offset"), _number(call, "Upload-Length")
        await host.artifacts.append(digest, start, length, read_upload(call.request))
        return Response(status_code=204, headers=_upload_headers(host, digest))

    return (
        Endpoint("HEAD", _ARTIFACT, "How much of an artifact is here: Upload-Offset and Upload-Complete", offset),
        Endpoint(
            "PATCH",
            _ARTIFACT,
            "Append to an artifact from Upload-Offset on; Upload-Length is the whole size",
            append,
            problems=(409, 413, 422, 507),
        ),
    )


def download_endpoint(host: Host) -> Endpoint:
    """What the bot may read back. OMEGA has one of its own, which mainframes may ask too."""

    async def download(call: Call) -> Response:
        digest = _digest(call)
        if not host.artifacts.complete(digest):
            raise Refused("not_found", f"the artifact {digest[:12]}… is not complete on this host")
        return FileResponse(host.artifacts.path(digest), media_type="application/octet-stream")

    return Endpoint("GET", _ARTIFACT, "A complete artifact, or the Range of it", download, problems=(404,))


def slot_endpoints(host: Host, withdrawn: Callable[[str], Awaitable[None]]) -> tuple[Endpoint, ...]:
    """Staging (public). `withdrawn` hears of a slot that is being taken away."""

    async def stage(call: Call) -> wire.SlotState:
        return host.stage(call.params["slot"], host.trusted(call.body.release))

    async def look(call: Call) -> wire.SlotState:
        return host.slot(call.params["slot"])

    async def withdraw(call: Call) -> wire.SlotState:
        state = host.withdraw(call.params["slot"])
        await withdrawn(state.slot)
        return state

    return (
        Endpoint(
            "PUT",
            _SLOT,
            "Put a signed release into a slot of its own",
            stage,
            takes=wire.SlotWanted,
            gives=wire.SlotState,
            problems=(403, 404, 409),
        ),
        Endpoint("GET", _SLOT, "How a staged release is", look, gives=wire.SlotState, problems=(404,)),
        Endpoint("DELETE", _SLOT, "End and remove a staged release", withdraw, gives=wire.SlotState, problems=(404,)),
    )


def desired_endpoints(host: Host) -> tuple[Endpoint, ...]:
    """What a component is to run (public: the baseline; omega: production)."""

    async def desire(call: Call) -> wire.ComponentState:
        release = host.trusted(call.body.release)
        if release.component != call.params["component"]:
            raise Refused("bad_request", f"the release is signed for {release.component}, not for this component")
        return await host.desire(release, call.body.release)

    return (
        Endpoint(
            "PUT",
            "/v1/desired/{component}",
            "Make a signed release the component's current one; generations only rise",
            desire,
            takes=wire.DesiredWanted,
            gives=wire.ComponentState,
            problems=(403, 404, 409),
        ),
    )


def _digest(call: Call) -> str:
    try:
        return _DIGEST.validate_python(call.params["digest"])
    except ValidationError as error:
        raise Refused("bad_request", "an artifact's digest is 64 lower-case hexadecimal digits (SHA-256)") from error


def _number(call: Call, header: str) -> int:
    value = call.header(header) or ""
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise Refused("bad_request", f"the header {header} must be a number of bytes")
    return int(value)


def _upload_headers(host: Host, digest: str) -> dict[str, str]:
    complete = host.artifacts.complete(digest)
    return {
        "Upload-Offset": str(host.artifacts.offset(digest)),
        "Upload-Complete": "?1" if complete else "?0",
        "Cache-Control": "no-store",
    }
