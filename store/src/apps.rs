//! Apps: what the user wants.
