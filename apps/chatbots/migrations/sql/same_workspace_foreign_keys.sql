-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace. The
-- model fields have db_constraint=False because Django cannot declare composite foreign keys.

-- up
ALTER TABLE chatbots_chatbotversion
  ADD CONSTRAINT chatbots_version_chatbot_same_workspace
  FOREIGN KEY (workspace_id, chatbot_id) REFERENCES chatbots_chatbot (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE chatbots_chatbotversion DROP CONSTRAINT chatbots_version_chatbot_same_workspace;
