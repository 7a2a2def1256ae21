"""The API answers as its own description says, whatever it is sent: schemathesis makes requests of `/v3/openapi.json`.

Bounded in examples and by a fixed seed, so that a failure is found again by running the test again.
"""

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.checks import not_a_server_error

from conftest import PASSWORD, running_platform

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def described():
    """A platform of its own: much nonsense is made in it."""
    with running_platform() as ready:
        yield ready


@pytest.fixture(scope="module")
def token(described):
    form = {"grant_type": "password", "username": "admin", "password": PASSWORD}
    answer = requests.post(f"http://{described['listen']}/oauth/token", data=form, auth=("cf", ""), timeout=30)
    return answer.json()["access_token"]


@pytest.fixture(scope="module")
def document(described):
    return schemathesis.openapi.from_url(f"http://{described['listen']}/v3/openapi.json")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case, token):
    case.call_and_validate(headers={"Authorization": f"bearer {token}"}, checks=CHECKS)


@schema.parametrize()
@settings(max_examples=1, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_a_token_is_asked_for_where_the_description_says_so(case, described):
    answer = requests.request(case.method, f"http://{described['listen']}{case.formatted_path}", timeout=30)
    protected = bool(case.operation.definition.raw["security"])
    assert (answer.status_code == 401) == protected, f"{case.method} {case.formatted_path}: {answer.status_code}"
