"""What the page may send, and how it is read: small, exactly as agreed, and not too fast."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request

from adapters.playground.desk import LONGEST
from adapters.playground.gate import refusal
from adapters.playground.rates import Bucket

_BODY_BYTES = 32 * 1024


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
_Delivery = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{8,64}$")]
_Text = Annotated[str, StringConstraints(max_length=LONGEST)]


class LinkBody(_Body):
    token: _Text


class _SeenBody(_Body):
    attempt: Annotated[int, Field(ge=1)]
    digest: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
    run: Annotated[int, Field(ge=0)]


class SaidBody(_Body):
    speaker: _Id
    delivery: _Delivery
    text: _Text
    seen: _SeenBody | None = None
    reason: _Text = ""


class FormBody(_Body):
    speaker: _Id
    delivery: _Delivery
    command: _Text
    fields: Annotated[dict[_Id, _Text | Annotated[list[_Text], Field(max_length=50)]], Field(max_length=20)]


class FieldBody(_Body):
    command: _Text
    field: _Id
    value: _Text


class BegunBody(_Body):
    speaker: _Id
    text: _Text
    every: bool = False


class ShareBody(_Body):
    speaker: _Id
    number: int


Model = TypeVar("Model", bound=_Body)


class Refused(Exception):
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.response = refusal(status, problem)


async def read(request: Request, model: type[Model], bucket: Bucket) -> Model:
    """The body, where it is small, as agreed, and not one too many."""
    if not bucket.take():
        raise Refused(429, "That was too fast; wait a moment, and try again.")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY_BYTES:
            raise Refused(413, f"That is too long; at most {LONGEST} characters fit.")
    try:
        return model.model_validate_json(bytes(data))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the message"
        raise Refused(400, f"{where}: {first['msg']}") from error
