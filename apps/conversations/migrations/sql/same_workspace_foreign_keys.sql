-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace. The
-- model fields have db_constraint=False because Django cannot declare composite foreign keys.

-- up
ALTER TABLE conversations_conversation
  ADD CONSTRAINT conversations_conversation_chatbot_same_workspace
  FOREIGN KEY (workspace_id, chatbot_id) REFERENCES chatbots_chatbot (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_turn
  ADD CONSTRAINT conversations_turn_chatbot_same_workspace
  FOREIGN KEY (workspace_id, chatbot_id) REFERENCES chatbots_chatbot (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_turn
  ADD CONSTRAINT conversations_turn_api_key_same_workspace
  FOREIGN KEY (workspace_id, api_key_id) REFERENCES api_keys_apikey (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_message
  ADD CONSTRAINT conversations_message_turn_same_workspace
  FOREIGN KEY (workspace_id, turn_id) REFERENCES conversations_turn (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_turn
  ADD CONSTRAINT conversations_turn_conversation_same_workspace
  FOREIGN KEY (workspace_id, conversation_id)
  REFERENCES conversations_conversation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_message
  ADD CONSTRAINT conversations_message_conversation_same_workspace
  FOREIGN KEY (workspace_id, conversation_id)
  REFERENCES conversations_conversation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_exportpart
  ADD CONSTRAINT conversations_exportpart_export_same_workspace
  FOREIGN KEY (workspace_id, export_id) REFERENCES conversations_export (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_rating
  ADD CONSTRAINT conversations_rating_message_same_workspace
  FOREIGN KEY (workspace_id, message_id) REFERENCES conversations_message (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_rating
  ADD CONSTRAINT conversations_rating_conversation_same_workspace
  FOREIGN KEY (workspace_id, conversation_id)
  REFERENCES conversations_conversation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE conversations_passage
  ADD CONSTRAINT conversations_passage_same_workspace
  FOREIGN KEY (workspace_id, conversation_id)
  REFERENCES conversations_conversation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE conversations_conversation
  DROP CONSTRAINT conversations_conversation_chatbot_same_workspace;
ALTER TABLE conversations_turn
  DROP CONSTRAINT conversations_turn_chatbot_same_workspace;
ALTER TABLE conversations_turn
  DROP CONSTRAINT conversations_turn_api_key_same_workspace;
ALTER TABLE conversations_message
  DROP CONSTRAINT conversations_message_turn_same_workspace;
ALTER TABLE conversations_turn
  DROP CONSTRAINT conversations_turn_conversation_same_workspace;
ALTER TABLE conversations_message
  DROP CONSTRAINT conversations_message_conversation_same_workspace;
ALTER TABLE conversations_exportpart
  DROP CONSTRAINT conversations_exportpart_export_same_workspace;
ALTER TABLE conversations_rating
  DROP CONSTRAINT conversations_rating_message_same_workspace;
ALTER TABLE conversations_rating
  DROP CONSTRAINT conversations_rating_conversation_same_workspace;
ALTER TABLE conversations_passage
  DROP CONSTRAINT conversations_passage_same_workspace;
