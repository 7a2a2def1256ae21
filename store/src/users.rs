//! Users as the Cloud Controller knows them.
