//! Security groups: where apps may connect to.
