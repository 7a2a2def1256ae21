//! Domains: shared and private.
