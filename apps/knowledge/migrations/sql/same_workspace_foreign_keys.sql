-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace. The
-- model fields have db_constraint=False because Django cannot declare composite foreign keys.

-- up
ALTER TABLE knowledge_chatbotknowledgebase
  ADD CONSTRAINT knowledge_attachment_chatbot_same_workspace
  FOREIGN KEY (workspace_id, chatbot_id) REFERENCES chatbots_chatbot (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_chatbotknowledgebase
  ADD CONSTRAINT knowledge_attachment_base_same_workspace
  FOREIGN KEY (workspace_id, knowledge_base_id) REFERENCES knowledge_knowledgebase (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_source
  ADD CONSTRAINT knowledge_source_base_same_workspace
  FOREIGN KEY (workspace_id, knowledge_base_id) REFERENCES knowledge_knowledgebase (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_source
  ADD CONSTRAINT knowledge_source_live_generation_same_workspace
  FOREIGN KEY (workspace_id, live_generation_id) REFERENCES knowledge_generation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_sourcefile
  ADD CONSTRAINT knowledge_sourcefile_source_same_workspace
  FOREIGN KEY (workspace_id, source_id) REFERENCES knowledge_source (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_generation
  ADD CONSTRAINT knowledge_generation_source_same_workspace
  FOREIGN KEY (workspace_id, source_id) REFERENCES knowledge_source (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_document
  ADD CONSTRAINT knowledge_document_generation_same_workspace
  FOREIGN KEY (workspace_id, generation_id) REFERENCES knowledge_generation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_chunk
  ADD CONSTRAINT knowledge_chunk_base_same_workspace
  FOREIGN KEY (workspace_id, knowledge_base_id) REFERENCES knowledge_knowledgebase (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_chunk
  ADD CONSTRAINT knowledge_chunk_generation_same_workspace
  FOREIGN KEY (workspace_id, generation_id) REFERENCES knowledge_generation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_chunk
  ADD CONSTRAINT knowledge_chunk_document_same_workspace
  FOREIGN KEY (workspace_id, document_id) REFERENCES knowledge_document (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_chunkvector
  ADD CONSTRAINT knowledge_chunkvector_chunk_same_workspace
  FOREIGN KEY (workspace_id, chunk_id) REFERENCES knowledge_chunk (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_chunkoverride
  ADD CONSTRAINT knowledge_chunkoverride_source_same_workspace
  FOREIGN KEY (workspace_id, source_id) REFERENCES knowledge_source (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE knowledge_chatbotknowledgebase
  DROP CONSTRAINT knowledge_attachment_chatbot_same_workspace;
ALTER TABLE knowledge_chatbotknowledgebase
  DROP CONSTRAINT knowledge_attachment_base_same_workspace;
ALTER TABLE knowledge_source DROP CONSTRAINT knowledge_source_base_same_workspace;
ALTER TABLE knowledge_source DROP CONSTRAINT knowledge_source_live_generation_same_workspace;
ALTER TABLE knowledge_sourcefile DROP CONSTRAINT knowledge_sourcefile_source_same_workspace;
ALTER TABLE knowledge_generation DROP CONSTRAINT knowledge_generation_source_same_workspace;
ALTER TABLE knowledge_document DROP CONSTRAINT knowledge_document_generation_same_workspace;
ALTER TABLE knowledge_chunk DROP CONSTRAINT knowledge_chunk_base_same_workspace;
ALTER TABLE knowledge_chunk DROP CONSTRAINT knowledge_chunk_generation_same_workspace;
ALTER TABLE knowledge_chunk DROP CONSTRAINT knowledge_chunk_document_same_workspace;
ALTER TABLE knowledge_chunkvector DROP CONSTRAINT knowledge_chunkvector_chunk_same_workspace;
ALTER TABLE knowledge_chunkoverride DROP CONSTRAINT knowledge_chunkoverride_source_same_workspace;
