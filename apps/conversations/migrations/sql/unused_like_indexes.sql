-- Drop the LIKE indexes (varchar_pattern_ops) that Django creates for indexed text columns. Ids
-- have the collation C, whose ordinary index serves LIKE too. Without these six, turns write less.

-- up
DROP INDEX conversations_conversation_id_fd837ecd_like;
DROP INDEX conversations_message_id_f49790af_like;
DROP INDEX conversations_turn_id_b54f3838_like;
DROP INDEX conversations_turn_chatbot_id_ab3c14cc_like;
DROP INDEX conversations_turn_api_key_id_b528b668_like;
DROP INDEX conversations_turn_conversation_id_5017480b_like;

-- down
CREATE INDEX conversations_conversation_id_fd837ecd_like
  ON conversations_conversation (id varchar_pattern_ops);
CREATE INDEX conversations_message_id_f49790af_like
  ON conversations_message (id varchar_pattern_ops);
CREATE INDEX conversations_turn_id_b54f3838_like
  ON conversations_turn (id varchar_pattern_ops);
CREATE INDEX conversations_turn_chatbot_id_ab3c14cc_like
  ON conversations_turn (chatbot_id varchar_pattern_ops);
CREATE INDEX conversations_turn_api_key_id_b528b668_like
  ON conversations_turn (api_key_id varchar_pattern_ops);
CREATE INDEX conversations_turn_conversation_id_5017480b_like
  ON conversations_turn (conversation_id varchar_pattern_ops);
