//! Quotas of organizations.
