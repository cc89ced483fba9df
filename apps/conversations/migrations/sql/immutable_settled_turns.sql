-- Keep what accounting needs of a settled turn: its identity, outcome, tokens and credits. Texts,
-- lengths, idempotency keys and metadata may still be cleared, and api_key_id may become null when
-- the key is deleted. The row triggers are AFTER triggers with a WHEN clause so that settling a
-- turn, which updates a running one, locks its row only once and calls no function.

-- up
CREATE FUNCTION conversations_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'A settled turn belongs to the books: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER conversations_settled_turn_stays_as_it_is
  AFTER UPDATE ON conversations_turn
  FOR EACH ROW WHEN (
    OLD.status <> 'running' AND (
      (OLD.id, OLD.workspace_id, OLD.chatbot_id, OLD.conversation_id, OLD.message_id, OLD.status,
       OLD.model_name, OLD.credits_per_reply, OLD.credits_per_1k_input,
       OLD.credits_per_1k_output, OLD.credits_held, OLD.credits_charged,
       OLD.input_tokens, OLD.output_tokens, OLD.finish_reason, OLD.error_code, OLD.settled_at)
      IS DISTINCT FROM
      (NEW.id, NEW.workspace_id, NEW.chatbot_id, NEW.conversation_id, NEW.message_id, NEW.status,
       NEW.model_name, NEW.credits_per_reply, NEW.credits_per_1k_input,
       NEW.credits_per_1k_output, NEW.credits_held, NEW.credits_charged,
       NEW.input_tokens, NEW.output_tokens, NEW.finish_reason, NEW.error_code, NEW.settled_at)
      OR (NEW.api_key_id IS NOT NULL AND NEW.api_key_id IS DISTINCT FROM OLD.api_key_id)))
  EXECUTE FUNCTION conversations_refuse_change();

CREATE TRIGGER conversations_settled_turn_stays
  AFTER DELETE ON conversations_turn
  FOR EACH ROW WHEN (OLD.status <> 'running')
  EXECUTE FUNCTION conversations_refuse_change();

CREATE TRIGGER conversations_turns_are_never_emptied
  BEFORE TRUNCATE ON conversations_turn
  FOR EACH STATEMENT EXECUTE FUNCTION conversations_refuse_change();

-- down
DROP TRIGGER conversations_turns_are_never_emptied ON conversations_turn;
DROP TRIGGER conversations_settled_turn_stays ON conversations_turn;
DROP TRIGGER conversations_settled_turn_stays_as_it_is ON conversations_turn;
DROP FUNCTION conversations_refuse_change();
