//! Files known to the blobstore, for resource matching.
