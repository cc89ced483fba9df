-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace. The
-- model fields have db_constraint=False because Django cannot declare composite foreign keys.

-- up
ALTER TABLE leads_lead
  ADD CONSTRAINT leads_lead_chatbot_same_workspace
  FOREIGN KEY (workspace_id, chatbot_id) REFERENCES chatbots_chatbot (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE leads_lead
  ADD CONSTRAINT leads_lead_conversation_same_workspace
  FOREIGN KEY (workspace_id, conversation_id)
  REFERENCES conversations_conversation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE leads_capturedfield
  ADD CONSTRAINT leads_captured_lead_same_workspace
  FOREIGN KEY (workspace_id, lead_id) REFERENCES leads_lead (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE leads_capturedfield
  ADD CONSTRAINT leads_captured_message_same_workspace
  FOREIGN KEY (workspace_id, message_id) REFERENCES conversations_message (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE leads_reading
  ADD CONSTRAINT leads_reading_turn_same_workspace
  FOREIGN KEY (workspace_id, turn_id) REFERENCES conversations_turn (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE leads_lead DROP CONSTRAINT leads_lead_chatbot_same_workspace;
ALTER TABLE leads_lead DROP CONSTRAINT leads_lead_conversation_same_workspace;
ALTER TABLE leads_capturedfield DROP CONSTRAINT leads_captured_lead_same_workspace;
ALTER TABLE leads_capturedfield DROP CONSTRAINT leads_captured_message_same_workspace;
ALTER TABLE leads_reading DROP CONSTRAINT leads_reading_turn_same_workspace;
