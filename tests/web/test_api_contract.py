"""The API keeps what its OpenAPI description says, tried with questions that Schemathesis makes of the description."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import TOKENS, ClientOf
from .test_guards import PARTS

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
# A trace reads landed files for seconds; it is tried in the long run.
LONG = {"trace"}
# What httpx sends in one part of an address; uvicorn takes as many bytes for the whole head of a question.
LONGEST_PART = 65_536


def described(client: ClientOf) -> dict[str, Any]:
    answer = client("viewer").get("/api/v1/openapi.json")
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


def about_what_there_is(case: schemathesis.Case) -> None:
    """The description cannot know names of versions and tables; without them nearly every answer is 404."""
    case.path_parameters = {name: PARTS.get(name, one) for name, one in (case.path_parameters or {}).items()}
    known = {name: one for name, one in (case.query or {}).items() if name in ("limit", "page", "excel", "format",
             "months", "uses", "lines", "recompute", "grain")}  # fmt: skip
    case.query = {**known, "page": min(int(known["page"]), 100)} if known.get("page") else known


def can_be_sent(kwargs: dict[str, Any]) -> bool:
    """Whether the client sends a question with an address of this length at all."""
    query = str(httpx.QueryParams(kwargs.get("params") or {}))
    return max(len(kwargs["url"]), len(query)) <= LONGEST_PART


def try_one(client: ClientOf, operation: Any, mode: GenerationMode, examples: int) -> set[int]:
    """Ask one operation; gives the statuses that came."""
    seen: set[int] = set()

    @seed(20221031)
    @settings(max_examples=examples, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        if mode == GenerationMode.POSITIVE:
            about_what_there_is(case)
        kwargs = case.as_transport_kwargs(base_url="http://testserver")
        kwargs.pop("cookies", None)
        assume(can_be_sent(kwargs))
        # Who asks is not part of the question; test_guards.py asks as everybody.
        kwargs["headers"] = {**kwargs["headers"], "Authorization": f"Bearer {TOKENS['auditor']}"}
        answer = client(None).request(**kwargs)
        seen.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    try:
        holds()
    except Exception as error:
        error.add_note(f"{operation.method} {operation.path}, {mode}")
        raise
    return seen


def try_all(client: ClientOf, *, examples: int, with_long: bool) -> set[int]:
    """Ask each operation with right and with wrong questions; gives the statuses that came."""
    schema = schemathesis.openapi.from_dict(described(client))
    operations = [one.ok() for one in schema.get_all_operations()]
    return {
        status
        for one in operations
        if (one.definition.raw["operationId"] in LONG) == with_long
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for status in try_one(client, one, mode, examples)
    }


def test_questions_made_of_the_description_are_answered_as_it_says(client: ClientOf) -> None:
    assert {200, 404, 422} <= try_all(client, examples=4, with_long=False)


@pytest.mark.soak
@pytest.mark.timeout(3_600)  # thousands of questions
def test_many_questions_made_of_the_description_are_answered_as_it_says(client: ClientOf) -> None:
    assert {200, 404, 422} <= try_all(client, examples=100, with_long=False)
    assert {404, 422} <= try_all(client, examples=10, with_long=True)


def test_the_description_says_how_to_log_in_and_what_can_go_wrong(client: ClientOf) -> None:
    content = described(client)
    assert content["openapi"].startswith("3.1")
    assert set(content["components"]["securitySchemes"]) == {"token", "session"}
    for path, operations in content["paths"].items():
        assert set(operations) == {"get"}, path
        operation = operations["get"]
        assert {"200", "304", "401", "403", "404", "422", "429"} <= set(operation["responses"]), path
        assert "application/problem+json" in operation["responses"]["422"]["content"], path
        assert operation["summary"], path
        assert operation["x-summary-zh"], path
        assert operation["x-example"].startswith("/api/v1"), path


def test_every_example_of_the_description_works(client: ClientOf, story: Any) -> None:
    for path, operations in described(client)["paths"].items():
        example = operations["get"]["x-example"].replace("A33050000001", story.app_id)
        if path.endswith("/trace"):
            continue
        answer = client("auditor").get(example)
        assert answer.status_code == 200, (example, answer.text[:300])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_about_the_api_names_every_address_in_both_languages(client: ClientOf, language: str) -> None:
    answer = client("viewer").get("/api/v1/docs", params={"lang": language})
    assert answer.status_code == 200
    for path, operations in described(client)["paths"].items():
        operation = operations["get"]
        assert f"GET {path}" in answer.text
        assert (operation["x-summary-zh"] if language == "zh" else operation["summary"]) in answer.text
    assert "http://" not in answer.text.replace("http://testserver", "").replace("http://www.w3.org", "")
    assert "https://" not in answer.text


def test_the_page_about_the_api_sends_people_to_the_login(client: ClientOf) -> None:
    answer = client(None).get("/api/v1/docs")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
