"""Requests made from an agent's own OpenAPI document, and such as its bot has signed: all get a documented answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import Case
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from core.release.signing import PAYLOAD_TYPE, PREDICATES, STATEMENT_TYPE, canonical

ALLOWED_5XX = frozenset((503, 507))
"""What a server may say although nothing is wrong with its program: not now, and no room."""


class Api:
    """A running agent and its document."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url = url
        self.headers = dict(headers)
        self.document: dict[str, Any] = httpx.get(f"{url}/v1/openapi.json", trust_env=False).json()
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def operations(self) -> list[str]:
        return [f"{method.upper()} {path}" for path, item in self.document["paths"].items() for method in item]

    def fuzz(self, examples: int, seen: Counter[int], *, derandomize: bool = False) -> None:
        """`examples` requests for each operation, with the token. Raises AssertionError."""
        schema = schemathesis.openapi.from_dict(self.document)
        for result in schema.get_all_operations():
            operation = result.ok()

            @settings(
                max_examples=examples, deadline=None, derandomize=derandomize, suppress_health_check=list(HealthCheck)
            )
            @given(operation.as_strategy())
            def one(case: Case) -> None:
                self._ask(case, seen)

            one()

    def fuzz_signed(
        self,
        sealed: Callable[[dict[str, Any]], dict[str, Any]],
        digests: Sequence[str],
        examples: int,
        seen: Counter[int],
        *,
        derandomize: bool = False,
    ) -> None:
        """Statements that the bot has signed, true and absurd, to every endpoint that takes one."""
        paths = [
            path
            for path, item in self.document["paths"].items()
            if "put" in item and path.startswith(("/v1/slots", "/v1/desired", "/v1/distributions"))
        ]

        @settings(max_examples=examples, deadline=None, derandomize=derandomize)
        @given(st.sampled_from(paths), releases(digests), st.booleans(), st.integers(0, 3))
        def one(path: str, release: dict[str, Any], hold: bool, order: int) -> None:
            body = sealed(release)
            if "distributions" in path:
                body |= {"hold": hold, "order": order}
            url = path.format(component=release["component"], slot=f"{release['deployment']}.{release['attempt']}")
            answer = self._client.put(url, json=body, headers=self.headers)
            self.judge("PUT", path, answer)
            seen[answer.status_code] += 1

        one()

    def _ask(self, case: Case, seen: Counter[int]) -> None:
        wanted = case.as_transport_kwargs(base_url=self.url)
        sent = {"method": wanted["method"], "url": wanted["url"], "params": wanted.get("params")}
        body = wanted.get("data") if wanted.get("json") is None else json.dumps(wanted["json"]).encode()
        headers = {name: str(value) for name, value in dict(wanted.get("headers") or {}).items()} | self.headers
        answer = self._client.request(**sent, content=body, headers=_sendable(headers))
        self.judge(case.method.upper(), case.path, answer)
        seen[answer.status_code] += 1

    def judge(self, method: str, path: str, answer: httpx.Response) -> None:
        """Documented, well formed, and no fault of the agent's own."""
        said = f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500 or answer.status_code in ALLOWED_5XX, said
        responses = self.document["paths"][path][method.lower()]["responses"]
        assert str(answer.status_code) in responses, f"not documented: {said}"
        content = responses[str(answer.status_code)].get("content", {}).get("application/json")
        if content is not None and method != "HEAD":
            schema = {**content["schema"], "components": self.document["components"]}
            Draft202012Validator(schema).validate(answer.json())


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that HTTP can carry; the rest never reach an agent."""
    return {name: value for name, value in headers.items() if value.isascii() and value.isprintable()}


def releases(digests: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Predicates that a bot might sign: right ones, and such as contradict themselves or what was before."""
    names = st.sampled_from(["main", "api", "v1", "v2"])
    return st.fixed_dictionaries(
        {
            "purpose": st.sampled_from(["stage", "desired"]),
            "component": names,
            "digest": st.sampled_from([*digests, "ab" * 32, None]),
            "generation": st.integers(0, 5),
            "deployment": names,
            "attempt": st.integers(1, 3),
            "level": st.sampled_from(["standard", "server-owner"]),
            "nonce": st.sampled_from(["nonce-0001", "nonce-0002"]),
            "issued_at": st.just("2026-11-23T12:00:00Z"),
        }
    )


def envelope(signer: CryptoSigner, release: dict[str, Any]) -> dict[str, Any]:
    """`release` signed as it stands, without the bot's own care for what makes sense."""
    statement = {
        "_type": STATEMENT_TYPE,
        "predicateType": f"{PREDICATES}/release/v1",
        "subject": [],
        "predicate": release,
    }
    sealed = Envelope(canonical(statement), PAYLOAD_TYPE, {})
    sealed.sign(signer)
    return {"release": sealed.to_dict()}
