"""What the dashboard's list of conversations costs in a workspace with a million messages.

    .venv/bin/python -m local run -- .venv/bin/python -m bench.conversation_lists

Fills a throwaway database (some minutes), then asks for each view of the list a few times, in this
process and without a socket, and prints the median in milliseconds. Nothing asserts a time.
"""

from __future__ import annotations

import statistics
import sys
import time

import django

MESSAGES = 1_000_000
A_CONVERSATION = 10
ROUNDS = 5
CONVERSATIONS = """
INSERT INTO conversations_conversation (id, workspace_id, chatbot_id, created_at, last_message_at)
SELECT 'c' || lpad(n::text, 24, '0'), %(workspace)s,
       CASE n %% 1000 WHEN 7 THEN %(rare)s ELSE %(chatbot)s END,
       now() - n * interval '30 seconds', now() - n * interval '30 seconds' + interval '5 minutes'
FROM generate_series(1, %(conversations)s) AS n
"""
TURNS = """
INSERT INTO conversations_turn (id, workspace_id, chatbot_id, conversation_id, status, message_id,
  model_name, credits_per_reply, credits_per_1k_input, credits_per_1k_output, credits_held,
  credits_charged, finish_reason, error_code, process, text_so_far, delta_lengths, request_digest,
  request_id, queue_ms, created_at, heartbeat_at, settled_at)
SELECT 'c' || lpad((n * 10 + m)::text, 24, 't'), %(workspace)s,
       CASE n %% 1000 WHEN 7 THEN %(rare)s ELSE %(chatbot)s END, 'c' || lpad(n::text, 24, '0'),
       CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n %% 5000 = 1 THEN 'stopped' ELSE 'completed' END,
       'c' || lpad((n * 10 + m)::text, 24, 'a'), 'a model', 1, 0, 0, 1, 0, '', '', '', '', '{}', '',
       'req_1', 0, now() - n * interval '30 seconds' + m * interval '1 minute', now(), now()
FROM generate_series(1, %(conversations)s) AS n, generate_series(1, %(turns)s) AS m
"""
LINES = """
INSERT INTO conversations_message (id, workspace_id, conversation_id, turn_id, role, text,
                                   created_at)
SELECT 'c' || lpad(right(turn.id, 20), 24, CASE role WHEN 'user' THEN 'u' ELSE 'a' END),
       turn.workspace_id, turn.conversation_id, turn.id, role,
       repeat('What a person would say, and some more. ', 5),
       turn.created_at + CASE role WHEN 'user' THEN interval '0' ELSE interval '1 second' END
FROM conversations_turn AS turn, unnest(ARRAY['user', 'assistant']) AS role
WHERE turn.workspace_id = %(workspace)s
"""
VIEWS: dict[str, dict[str, str]] = {
    "newest": {},
    "one chatbot of two, rare": {"chatbot_id": "rare"},
    "last turn completed": {"status": "completed"},
    "last turn failed (1 in 100)": {"status": "failed"},
    "last turn stopped (1 in 5,000)": {"status": "stopped"},
    "running (none)": {"status": "running"},
    "with a lead (none)": {"has_lead": "yes"},
    "without a lead": {"has_lead": "no"},
    "by a turn's id": {"q": f"c{'11'.rjust(24, 't')}"},
}


def main() -> None:
    """Fill, ask, print."""
    django.setup()
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    setup_test_environment()  # answers tell what they were made of
    call_command("migrate", verbosity=0)
    messages = MESSAGES if len(sys.argv) < 2 else int(sys.argv[1])
    client = Client()
    url, rare = _fill(client, messages // A_CONVERSATION)
    for title, query in VIEWS.items():
        given = query | ({"chatbot_id": rare} if "chatbot_id" in query else {})
        _tell(title, *_ask(client, url, given))
    page = client.get(url).context["page"].next_url
    _tell("the page after", *_ask(client, url + page, {}))


def _tell(title: str, rows: int, whole: float, asking: float) -> None:
    print(f"{title:36} {rows:>4} rows {whole:8.1f} ms, SQL {asking:8.1f} ms", flush=True)


def _fill(client: object, conversations: int) -> tuple[str, str]:
    from django.db import connection
    from django.test import Client

    from tests.factories import make_chatbot, make_user, make_workspace

    assert isinstance(client, Client)
    owner = make_user("owner")
    client.force_login(owner)
    workspace = make_workspace(owner)
    values = {
        "workspace": workspace.id,
        "chatbot": make_chatbot(workspace).id,
        "rare": make_chatbot(workspace, name="Rare").id,
        "conversations": conversations,
        "turns": A_CONVERSATION // 2,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # rows point where they should
        for statement in (CONVERSATIONS, TURNS, LINES):
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    return f"/w/{workspace.slug}/conversations", values["rare"]


def _ask(client: object, url: str, query: dict[str, str]) -> tuple[int, float, float]:
    """Rows, and the medians of the whole page and of its statements."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    assert isinstance(client, Client)
    took, asked, rows = [], [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with CaptureQueriesContext(connection) as statements:
            answer = client.get(url, query_params=query)
        took.append((time.perf_counter() - began) * 1000)
        asked.append(sum(float(each["time"]) for each in statements) * 1000)
        rows = len(answer.context["rows"])
    return rows, statistics.median(took), statistics.median(asked)


if __name__ == "__main__":
    main()
