//! Routes: host and path of a domain.
