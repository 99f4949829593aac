//! TLS, in a process where nobody has installed a crypto provider.

use anyhow::{Context as _, Result};
use flags_core::ErrorKind;
use flags_tests::server::{Server, unused_port};

use crate::common::{flag, get, patient, put};

struct Secure {
    _server: Server,
    dir: tempfile::TempDir,
    url: String,
    ca: String,
    key: String,
}

/// `None` where the server was built without TLS.
fn secure() -> Result<Option<Secure>> {
    secure_for("no")
}

/// `clients` says whether the server wants a certificate of them.
fn secure_for(clients: &'static str) -> Result<Option<Secure>> {
    let dir = tempfile::tempdir()?;
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, issued.cert.pem())?;
    std::fs::write(&key, issued.signing_key.serialize_pem())?;
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let args = || {
        let port = unused_port()?.to_string();
        let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &cert];
        let args = ["--tls-auth-clients", clients, "--tls-port", &port];
        Ok(files.into_iter().chain(args).map(str::to_owned).collect())
    };
    let Ok(server) = Server::start_with(args) else {
        // A server that does not start at all fails here.
        Server::start(&[])?;
        println!("skipped: this server was built without TLS");
        return Ok(None);
    };
    let port = server.arg("--tls-port").context("a port")?;
    let url = format!("rediss://localhost:{port}?db=0&ca_file={cert}");
    Ok(Some(Secure {
        _server: server,
        dir,
        url,
        ca: issued.cert.pem(),
        key: issued.signing_key.serialize_pem(),
    }))
}

#[tokio::test]
async fn a_store_behind_tls_opens_without_a_crypto_provider_of_the_process() -> Result<()> {
    let Some(secure) = secure()? else { return Ok(()) };
    let store = patient(&secure.url)?.open().await?;
    put(&store, flag("a")).await?;
    assert!(get(&store, &flags_core::Key::Flag(flag("a").key)).await?.is_some());

    let (plain, _) = secure.url.split_once("&ca_file").expect("a parameter");
    assert!(patient(plain)?.ca_certificates(secure.ca.clone()).open().await.is_ok());
    // Whom nobody vouches for is not trusted, and a host of another name neither.
    for url in [plain.to_owned(), secure.url.replace("localhost", "127.0.0.1")] {
        let error = patient(&url)?.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    let nonsense = patient(plain)?.ca_certificates("nonsense").open().await;
    assert_eq!(nonsense.unwrap_err().kind(), ErrorKind::Invalid);
    Ok(())
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_it() -> Result<()> {
    let Some(secure) = secure_for("yes")? else { return Ok(()) };
    // The certificate of the server vouches for itself, so it does for a client.
    let (cert, key) = (secure.dir.path().join("cert.pem"), secure.dir.path().join("key.pem"));
    let files = format!("{}&cert_file={}&key_file={}", secure.url, cert.display(), key.display());
    let store = patient(&files)?.prefix("by-file:").open().await?;
    put(&store, flag("a")).await?;
    let given = patient(&secure.url)?.client_certificate(secure.ca.clone(), secure.key.clone());
    assert!(!format!("{given:?}").contains("PRIVATE KEY"));
    let store = given.prefix("by-builder:").open().await?;
    put(&store, flag("a")).await?;

    let without = patient(&secure.url)?.open().await.unwrap_err();
    assert_eq!(without.kind(), ErrorKind::Unavailable, "{without:?}");
    let half = format!("{}&cert_file={}", secure.url, cert.display());
    for bad in [patient(&half)?, patient(&secure.url)?.client_certificate("nonsense", "nonsense")] {
        assert_eq!(bad.open().await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let strange = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let other = strange.signing_key.serialize_pem();
    let error = patient(&secure.url)?.client_certificate(secure.ca.clone(), other).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    Ok(())
}
