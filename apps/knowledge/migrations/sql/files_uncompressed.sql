-- Files are read in parts: PostgreSQL finds a part of a value at once only if it is not compressed.
-- Most files are compressed already. Files that are stored stay as they are.

-- up
ALTER TABLE knowledge_sourcefile ALTER COLUMN body SET STORAGE EXTERNAL;

-- down
ALTER TABLE knowledge_sourcefile ALTER COLUMN body SET STORAGE EXTENDED;
