-- Metadata is a JSON object of at most 64 KiB as text. The application allows 16 KiB; PostgreSQL
-- writes the same object with more white space.

-- up
ALTER TABLE leads_lead
  ADD CONSTRAINT leads_metadata_is_a_bounded_object
  CHECK (jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 65536);

-- down
ALTER TABLE leads_lead DROP CONSTRAINT leads_metadata_is_a_bounded_object;
