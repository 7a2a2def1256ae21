-- The component in a droplet, so that its compiled code can go when no droplet has it any more. NULL for static sites, and for
-- droplets staged before this column was there: their code stays until the engine changes.
ALTER TABLE droplets ADD COLUMN component TEXT;
CREATE INDEX droplets_component ON droplets (component);
