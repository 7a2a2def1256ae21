//! Roles: which user may do what, where.
