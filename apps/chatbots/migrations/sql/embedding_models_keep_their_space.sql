-- Vectors can be compared only with vectors of the same model, dimensions and prefix, so these
-- never change in a row that others may refer to.

-- up
CREATE FUNCTION chatbots_refuse_other_embeddings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The embedding model % keeps its model id, dimensions and passage prefix.', OLD.name
    USING ERRCODE = 'restrict_violation', CONSTRAINT = 'chatbots_embedding_model_keeps_its_space';
END $$;

CREATE TRIGGER chatbots_embedding_model_keeps_its_space
  BEFORE UPDATE ON chatbots_embeddingmodel
  FOR EACH ROW WHEN (
    (OLD.litellm_model, OLD.dimensions, OLD.passage_prefix) IS DISTINCT FROM
    (NEW.litellm_model, NEW.dimensions, NEW.passage_prefix))
  EXECUTE FUNCTION chatbots_refuse_other_embeddings();

-- down
DROP TRIGGER chatbots_embedding_model_keeps_its_space ON chatbots_embeddingmodel;
DROP FUNCTION chatbots_refuse_other_embeddings();
