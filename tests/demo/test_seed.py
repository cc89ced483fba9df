from __future__ import annotations

from typing import Any

from apps.chatbots.queries import default_embedding_model
from apps.demo.seed import seed_demo, seed_embedding_model
from tests.accounts.browser_session import is_signed_in, log_in, new_browser


def test_printed_credentials_log_in(db: None, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR_REQUIRED = False  # as on the machine of a demo
    output = seed_demo(base_url="http://127.0.0.1:8000", model_api_base="", previous={})
    owner, staff = new_browser(), new_browser()
    log_in(owner, output["owner_email"], output["owner_password"])
    log_in(staff, output["staff_email"], output["staff_password"], then="/admin/")
    assert (is_signed_in(owner), staff.get("/admin/").status_code) == (True, 200)
    assert owner.get("/workspaces").headers["Location"] == f"/w/{output['workspace']}/"


def test_embedding_model_is_the_default_and_keeps_its_row(db: None) -> None:
    first = seed_embedding_model("http://127.0.0.1:8092/v1")
    again = seed_embedding_model("http://127.0.0.1:8093/v1")
    assert default_embedding_model() == first == again
    assert (again.api_base, again.dimensions) == ("http://127.0.0.1:8093/v1", 384)
    assert (again.query_prefix, again.passage_prefix) == ("query: ", "passage: ")
