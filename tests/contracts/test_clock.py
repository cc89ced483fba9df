"""What is compared with times of the database is PostgreSQL's time, not a process's."""

from __future__ import annotations

import re

from tests.contracts.app_boundaries import ROOT

PROCESS_CLOCK = re.compile(r"timezone\.now\(\)|datetime\.now\(|datetime\.utcnow\(")
USES = {
    "apps/chat/engine/run/running_turn.py": "when the process saw the first token",
    "apps/conversations/search.py": "how long ago a message is, for its place in the index",
    "apps/credits/admin/accounts.py": "which day it is, for plans",
    "apps/credits/admin/requests.py": "which day it is, for plans",
    "apps/credits/tasks.py": "which day it is, for plans",
    "apps/api_keys/authentication.py": "whether “last used” is worth a query, to the minute",
    "apps/chat/engine/access.py": "whether “last used” is worth a query, to the minute",
    "apps/infrastructure/http/retry_after.py": "another server's Retry-After",
    "apps/llm/error_mapping.py": "another server's Retry-After",
    "apps/webhooks/models/endpoints.py": "whether a page says that an endpoint is paused",
    "apps/privacy/": "which days are kept",
    "apps/reporting/": "which day or month it is",
    "apps/dashboard/": "how long ago something was, for people",
    "apps/staff/": "how long ago something was, for people",
    "apps/demo/": "made-up times",
    "apps/conversations/seeding.py": "made-up times",
    "apps/workspaces/": "deadlines of days: invitations and deletion",
}
"""Files, or folders, that read the process's clock, and what for."""


def test_process_clock_is_read_only_where_a_second_does_not_matter() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "apps").rglob("*.py")
        if PROCESS_CLOCK.search(path.read_text())
    }
    assert [name for name in found if not name.startswith(tuple(USES))] == []
    assert [name for name in USES if not any(each.startswith(name) for each in found)] == []
