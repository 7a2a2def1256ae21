//! What the scheduler reads: desired processes with all they need.
