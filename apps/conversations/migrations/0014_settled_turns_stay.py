from django.db import migrations

# What a settled turn is to the books: what it was, what came of it, and what it cost. What people
# wrote and what only a running turn needs (texts, lengths, keys of idempotency, metadata) may go.
# An API key that is deleted leaves the turn; another one never takes its place.
STAYS = (
    "id",
    "workspace_id",
    "chatbot_id",
    "conversation_id",
    "message_id",
    "status",
    "model_name",
    "credits_per_reply",
    "credits_per_1k_input",
    "credits_per_1k_output",
    "credits_held",
    "credits_charged",
    "input_tokens",
    "output_tokens",
    "finish_reason",
    "error_code",
    "settled_at",
)


def row(name: str) -> str:
    return f"({', '.join(f'{name}.{column}' for column in STAYS)})"


# The triggers look after the row is written, not before, so that settling a turn, which is an
# UPDATE of a running one, does not lock its row a second time; WHEN keeps it from calling anything.
REFUSE = f"""
CREATE FUNCTION conversations_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'A settled turn belongs to the books: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER conversations_settled_turn_stays_as_it_is
  AFTER UPDATE ON conversations_turn
  FOR EACH ROW WHEN (
    OLD.status <> 'running' AND (
      {row("OLD")} IS DISTINCT FROM {row("NEW")}
      OR (NEW.api_key_id IS NOT NULL AND NEW.api_key_id IS DISTINCT FROM OLD.api_key_id)))
  EXECUTE FUNCTION conversations_refuse_change();

CREATE TRIGGER conversations_settled_turn_stays
  AFTER DELETE ON conversations_turn
  FOR EACH ROW WHEN (OLD.status <> 'running')
  EXECUTE FUNCTION conversations_refuse_change();

CREATE TRIGGER conversations_turns_are_never_emptied
  BEFORE TRUNCATE ON conversations_turn
  FOR EACH STATEMENT EXECUTE FUNCTION conversations_refuse_change();
"""
ALLOW = """
DROP TRIGGER conversations_turns_are_never_emptied ON conversations_turn;
DROP TRIGGER conversations_settled_turn_stays ON conversations_turn;
DROP TRIGGER conversations_settled_turn_stays_as_it_is ON conversations_turn;
DROP FUNCTION conversations_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0013_words_are_found")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
