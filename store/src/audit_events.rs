//! Audit events: who did what.
