from __future__ import annotations

import pytest

from tests.chat_sockets import make_paying_caller
from tests.factories import Team
from tests.web_processes import Caller, WebProcess


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_paying_caller(web, live_team, "sandbox/slow")
