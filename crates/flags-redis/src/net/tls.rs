//! TLS with rustls over ring.
//!
//! The provider is named here and nowhere taken from the process, so that it makes no difference which one,
//! if any, the application installs, and every driver gets this configuration.

use std::fmt;
use std::sync::Arc;

use flags_core::{BoxError, Error, ErrorKind, Result};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::options::Secret;

/// What the application brings to TLS. `Debug` shows no key.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsOptions {
    /// Whom to trust, as PEM, instead of the public authorities.
    pub(crate) ca: Option<Vec<u8>>,
    /// Our certificate and those between it and the server's authority, as PEM.
    pub(crate) client_cert: Option<Vec<u8>>,
    /// The key of our certificate, as PEM.
    pub(crate) client_key: Option<Secret>,
}

/// How connections are secured.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration holds the key.
        f.write_str("Tls")
    }
}

impl Tls {
    /// # Errors
    ///
    /// `Invalid` where a certificate or key cannot be read, or one is given without the other.
    pub(crate) fn new(options: &TlsOptions) -> Result<Self> {
        let roots = roots(options.ca.as_deref())
            .map_err(|e| invalid("the CA certificates cannot be read; give them as PEM", e))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| invalid("TLS is not available", e.into()))?
            .with_root_certificates(roots);
        let config = match (&options.client_cert, &options.client_key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let (certs, key) = identity(cert, key).map_err(|e| {
                    invalid("the client certificate or its key cannot be read; give both as PEM", e)
                })?;
                builder.with_client_auth_cert(certs, key).map_err(|e| {
                    invalid("the client certificate and its key do not belong together", e.into())
                })?
            }
            _ => {
                let reason = "a client certificate needs its key, and the key its certificate; give both";
                return Err(Error::new(ErrorKind::Invalid, reason));
            }
        };
        Ok(Self(Arc::new(config)))
    }

    #[cfg(any(feature = "redis-rs", feature = "fred"))]
    pub(crate) fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }
}

/// Whether a certificate could be for that host.
pub(crate) fn check_host(host: &str) -> Result<()> {
    ServerName::try_from(host)
        .map(drop)
        .map_err(|e| invalid("the host has no name that a certificate could bear", e.into()))
}

fn invalid(reason: &'static str, source: BoxError) -> Error {
    Error::new(ErrorKind::Invalid, reason).with_source(source)
}

fn roots(ca: Option<&[u8]>) -> Result<RootCertStore, BoxError> {
    let Some(pem) = ca else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        store.add(certificate?)?;
    }
    if store.is_empty() { Err("there is no certificate in it".into()) } else { Ok(store) }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(cert: &[u8], key: &Secret) -> Result<Identity, BoxError> {
    let certs: Vec<_> = CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>()?;
    if certs.is_empty() {
        return Err("there is no certificate in it".into());
    }
    Ok((certs, PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())?))
}
