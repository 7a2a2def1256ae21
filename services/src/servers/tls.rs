//! How servers prove who they are.

use crate::error::OpenError;
use std::{fmt, path::Path};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Verifies servers against the authorities of a file, or against Mozilla's.
///
/// # Errors
/// When the file, which `setting` names, holds no certificates.
pub(super) fn client(setting: &str, file: Option<&Path>) -> Result<ClientConfig, OpenError> {
    let wrong = |what: String| OpenError::Io(std::io::Error::other(what));
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    if let Some(file) = file {
        roots = RootCertStore::empty();
        let unusable = |error: &dyn fmt::Display| wrong(format!("{setting} {} cannot be used: {error}", file.display()));
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
            roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
        }
    }
    Ok(ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
