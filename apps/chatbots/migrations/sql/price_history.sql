-- Record every price change of a language model, whichever program makes it, and keep the history
-- append-only. The actor is the transaction's setting parley.actor, else the database user.

-- up
CREATE FUNCTION chatbots_write_down_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO chatbots_pricechange (
    id, language_model_id, model_name, actor_label, old_per_reply, old_per_1k_input,
    old_per_1k_output, new_per_reply, new_per_1k_input, new_per_1k_output, created_at)
  SELECT
    'c' || substr(encode(sha256(gen_random_uuid()::text::bytea), 'hex'), 1, 24), NEW.id, NEW.name,
    coalesce(nullif(current_setting('parley.actor', true), ''), 'PostgreSQL, as ' || session_user),
    CASE TG_OP WHEN 'UPDATE' THEN OLD.credits_per_reply END,
    CASE TG_OP WHEN 'UPDATE' THEN OLD.credits_per_1k_input END,
    CASE TG_OP WHEN 'UPDATE' THEN OLD.credits_per_1k_output END,
    NEW.credits_per_reply, NEW.credits_per_1k_input, NEW.credits_per_1k_output, clock_timestamp();
  RETURN NULL;
END $$;

CREATE TRIGGER chatbots_new_price_is_written_down
  AFTER INSERT ON chatbots_languagemodel
  FOR EACH ROW EXECUTE FUNCTION chatbots_write_down_price();

CREATE TRIGGER chatbots_price_is_written_down
  AFTER UPDATE ON chatbots_languagemodel
  FOR EACH ROW WHEN (
    (OLD.credits_per_reply, OLD.credits_per_1k_input, OLD.credits_per_1k_output) IS DISTINCT FROM
    (NEW.credits_per_reply, NEW.credits_per_1k_input, NEW.credits_per_1k_output))
  EXECUTE FUNCTION chatbots_write_down_price();

CREATE FUNCTION chatbots_refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The history of prices is append-only: % is refused.', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER chatbots_price_history_is_append_only
  BEFORE UPDATE OR DELETE ON chatbots_pricechange
  FOR EACH ROW EXECUTE FUNCTION chatbots_refuse_price_change();

CREATE TRIGGER chatbots_price_history_is_never_emptied
  BEFORE TRUNCATE ON chatbots_pricechange
  FOR EACH STATEMENT EXECUTE FUNCTION chatbots_refuse_price_change();

-- down
DROP TRIGGER chatbots_price_history_is_never_emptied ON chatbots_pricechange;
DROP TRIGGER chatbots_price_history_is_append_only ON chatbots_pricechange;
DROP FUNCTION chatbots_refuse_price_change();
DROP TRIGGER chatbots_price_is_written_down ON chatbots_languagemodel;
DROP TRIGGER chatbots_new_price_is_written_down ON chatbots_languagemodel;
DROP FUNCTION chatbots_write_down_price();
