//! TLS with rustls over ring.
//!
//! The provider is named here and nowhere taken from the process, so that it makes no difference which one, if
//! any, the application installs.

use std::fmt;
use std::io;
use std::sync::Arc;

use flags_core::{BoxError, Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(super) struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connector {
    /// Trusts the certificates in `ca`, or the public authorities without it.
    pub(super) fn new(host: &str, ca: Option<&[u8]>) -> Result<Self> {
        let invalid = |reason: &'static str, source: BoxError| {
            Error::new(ErrorKind::Invalid, reason).with_source(source)
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|e| invalid("the host has no name that a certificate could bear", e.into()))?;
        let roots =
            roots(ca).map_err(|e| invalid("the CA certificates cannot be read; give them as PEM", e))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| invalid("TLS is not available", e.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(super) async fn wrap(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
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
