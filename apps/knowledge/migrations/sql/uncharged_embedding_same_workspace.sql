-- Foreign keys over (workspace_id, id), so that no row refers to a row of another workspace, and no
-- generation is erased before its embeddings are charged.

-- up
ALTER TABLE knowledge_unchargedembedding
  ADD CONSTRAINT knowledge_uncharged_base_same_workspace
  FOREIGN KEY (workspace_id, knowledge_base_id) REFERENCES knowledge_knowledgebase (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE knowledge_unchargedembedding
  ADD CONSTRAINT knowledge_uncharged_generation_same_workspace
  FOREIGN KEY (workspace_id, generation_id) REFERENCES knowledge_generation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;

-- down
ALTER TABLE knowledge_unchargedembedding DROP CONSTRAINT knowledge_uncharged_base_same_workspace;
ALTER TABLE knowledge_unchargedembedding DROP CONSTRAINT knowledge_uncharged_generation_same_workspace;
