-- Digest of the zip of a buildpack that brings programs of its own; none for what names a buildpack of this program.
ALTER TABLE buildpacks ADD COLUMN bits TEXT;
