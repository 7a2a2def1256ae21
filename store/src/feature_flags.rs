//! Feature flags, where they differ from their default.
