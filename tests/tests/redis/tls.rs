//! TLS, in a process where nobody has installed a crypto provider.

use anyhow::{Context as _, Result};
use flags_core::ErrorKind;
use flags_tests::server::{Server, patient, unused_port};

use crate::common::{flag, get, put};

struct Secure {
    _server: Server,
    _dir: tempfile::TempDir,
    url: String,
    ca: String,
}

/// `None` where the server was built without TLS.
fn secure() -> Result<Option<Secure>> {
    let dir = tempfile::tempdir()?;
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, issued.cert.pem())?;
    std::fs::write(&key, issued.signing_key.serialize_pem())?;
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let args = || {
        let port = unused_port()?.to_string();
        let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &cert];
        let args = ["--tls-auth-clients", "no", "--tls-port", &port];
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
    Ok(Some(Secure { _server: server, _dir: dir, url, ca: issued.cert.pem() }))
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
