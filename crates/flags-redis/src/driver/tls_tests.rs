//! TLS over each driver that is compiled in, and so over each alone: no test here may need the other.

use tokio_rustls::rustls::crypto::CryptoProvider;

use super::fake::{Certificate, Fake};
use super::tests::DRIVERS;
use super::{Link, Target, dialer};
use crate::error::Failure;
use crate::net::tls::{Tls, TlsOptions};
use crate::options::{Driver, Login, Secret};
use crate::reply::{Command, Reply};

fn trusting(ca: &Certificate, client: Option<&Certificate>) -> Tls {
    Tls::new(&TlsOptions {
        ca: Some(ca.pem.clone().into()),
        client_cert: client.map(|client| client.pem.clone().into()),
        client_key: client.map(|client| Secret::new(client.key.clone())),
    })
    .unwrap()
}

async fn dial(driver: Driver, fake: &Fake, host: &str, tls: &Tls) -> Result<Box<dyn Link>, Failure> {
    let target = Target { address: fake.at(host), tls: Some(tls.clone()), login: Login::default(), db: 0 };
    dialer(Some(driver)).unwrap().dial(&target, None).await
}

/// A client without a certificate may think that it is connected until it asks.
async fn asks(link: Result<Box<dyn Link>, Failure>) -> bool {
    match link {
        Ok(link) => {
            let answer = link.send(&[Command::new("PING")]).await;
            matches!(answer.as_deref(), Ok([Reply::Bytes(pong)]) if pong == b"PONG")
        }
        Err(Failure::NotSent(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

fn run(test: &impl AsyncFn(Driver)) {
    for driver in DRIVERS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(*driver));
    }
    // Nobody has relied on one that an application might not install, or might install another of.
    assert!(CryptoProvider::get_default().is_none());
}

#[test]
fn a_server_is_who_its_certificate_says_by_name_and_by_address() {
    run(&async |driver| {
        for (name, other) in [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")] {
            let certificate = Certificate::of(name);
            let fake = Fake::secure(certificate.acceptor(None), |_, _| None).await;
            let tls = trusting(&certificate, None);
            assert!(asks(dial(driver, &fake, name, &tls).await).await, "{driver:?}: {name}");
            assert!(!asks(dial(driver, &fake, other, &tls).await).await, "{driver:?}: {name} as {other}");
            let stranger = trusting(&Certificate::of(name), None);
            assert!(!asks(dial(driver, &fake, name, &stranger).await).await, "{driver:?}: a stranger");
        }
    });
}

#[test]
fn a_server_that_wants_a_certificate_gets_it() {
    run(&async |driver| {
        let (certificate, client) = (Certificate::of("localhost"), Certificate::of("app"));
        let fake = Fake::secure(certificate.acceptor(Some(&client)), |_, _| None).await;
        let named = trusting(&certificate, Some(&client));
        assert!(asks(dial(driver, &fake, "localhost", &named).await).await, "{driver:?}");
        let nameless = trusting(&certificate, None);
        assert!(!asks(dial(driver, &fake, "localhost", &nameless).await).await, "{driver:?}");
    });
}

#[test]
fn a_server_has_an_address_of_either_version() {
    run(&async |driver| {
        for host in ["127.0.0.1", "::1"] {
            let Ok(listener) = tokio::net::TcpListener::bind((host, 0)).await else {
                println!("left out: this machine has no address {host}");
                continue;
            };
            let fake = Fake::on(listener, None, |_, _| None);
            let target = Target { address: fake.at(host), tls: None, login: Login::default(), db: 0 };
            assert!(
                asks(dialer(Some(driver)).unwrap().dial(&target, None).await).await,
                "{driver:?}: {host}"
            );
        }
    });
}
