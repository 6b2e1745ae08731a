"""What no OpenAPI document can say about Kontor's API, and so neither can be made up from it.

Whoever makes up a request knows none of the records that are stored. Here right requests are pointed at records that are, and
the few rules that hold between two values are kept; wrong requests stay as they were made up, so that they must be refused.
"""

import datetime
import json
import re
import uuid

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

# Days are those of 1900 to 2999, as the patterns in the document say; the usual generator begins with year 1.
DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2999, 12, 31))
MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2999, 12, 31))
schemathesis.openapi.format("date", DAYS.map(lambda day: day.isoformat()))
schemathesis.openapi.format("date-time", MOMENTS.map(lambda moment: moment.isoformat() + "Z"))

# Records of the demo company: so many customers and products, and the ids of references are brought down to them.
STORED = {"customer": 20, "product": 20, "order": 100}

# The sentences of a 400 that depend on what is stored, or on two values together.
BEYOND_DESCRIPTION = [
    r"There is no such (customer|product|order|order item|user|role)\.",
    r"This (customer|product) is inactive and cannot .*",
    r"This order has no such line any more\.",
    r"There is no such line on this order\.",
    r".* is about the same line\.",
    r"A line stays on its order\.",
    r"The amounts? of (this line is|these lines are) too large.*",
    r"\w+ is given more than once\.",
    r"Give either page or cursor\.",
    r"A walk with cursor goes by id or -id, .*",
    # Which roles there are is stored, which permissions the modules say, and what is to come the clock.
    r"There is no (role|permission) .*\.( Did you mean .*\?)?",
    r"Choose a moment to come\.",
    r"The code of a role stays as it is, .*",
    r"An account is a service account from the start, or never\.",
    # What a 404, 409 or 412 says, about one row of a bulk request in which another row is wrong.
    r"Line \d+ already has .*; change its quantity instead\.",
    r"Another record already has this value\.",
    r"Somebody saved this record meanwhile\. .*",
    r"Every product stands on one line of an order\.",
    r"This [a-z ]+ is in use and cannot be deleted .*",
    r"(Draft #\d+|\S+-\d+): .*",
]


def positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def settled(value, name=""):
    """The same value with references to records that are stored, and with numbers of as many decimals as were meant:
    35 × 0.01 is 0.35000000000000003 in binary."""
    if isinstance(value, dict):
        return {inner: settled(item, inner) for inner, item in value.items()}
    if isinstance(value, list):
        return [settled(item) for item in value]
    if isinstance(value, bool):
        return value
    if name in STORED and isinstance(value, (int, float)):
        return int(value) % STORED[name] + 1
    return round(value, 4) if isinstance(value, float) else value


@schemathesis.hook
def before_call(context, case, kwargs):
    headers, query = case.headers, case.query
    # A key is for one request: one that was used answers 422 to another request, as it should (tests/it/repetition.rs).
    if positive(case) and headers and "Idempotency-Key" in headers:
        used = str(headers["Idempotency-Key"])
        quoted = used.startswith('"') and used.endswith('"') and len(used) > 1
        unique = f"{used.strip(chr(34))[:200]}-{uuid.uuid4()}"
        headers["Idempotency-Key"] = f'"{unique}"' if quoted else unique
    # A walk has no pages, and no order but its own.
    if positive(case) and query and "cursor" in query:
        query.pop("page", None)
        query.pop("ordering", None)
    # The first token is the one all of this is asked with; whoever revokes it is heard no more (tests/it/bearers.rs).
    if case.method == "DELETE" and case.path == "/api/tokens/{id}/" and str(case.path_parameters.get("id")) == "1":
        case.path_parameters["id"] = 2
    # Nobody has the time to wait for events that do not come.
    if positive(case) and query and isinstance(query.get("wait"), int):
        query["wait"] = min(query["wait"], 1)
    if positive(case) and isinstance(case.body, dict):
        case.body = settled(case.body)
    # With `reject_row` a wrong row is refused inside an answer that is 200. Wrong data is sent so that all of it is refused.
    wrong = case.meta is not None and not positive(case)
    if wrong and isinstance(case.body, dict) and case.body.get("on_error") == "reject_row":
        case.body["on_error"] = "reject_all"


@schemathesis.hook
def filter_failure(context, failure: Failure, case, response):
    """Keeps every failure but a 400 about nothing that the description could have said."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    try:
        errors = response.json().get("errors", {})
    except json.JSONDecodeError:
        return True
    said = [message for messages in errors.values() for message in messages]
    beyond = all(any(re.fullmatch(known, message) for known in BEYOND_DESCRIPTION) for message in said)
    return not (said and beyond)
