//! A server that answers what a test wants, so that a test can be what no real server is at will: silent,
//! demoted, in the middle of a move, or behind a certificate for another name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::address::Address;

/// Said in place of an answer: nothing, for ever.
pub(crate) const SILENCE: &str = "";

/// Asked with the number of the connection, from 1, and the words of a command; `None` is what any server
/// would say.
type Answers = dyn Fn(usize, &[String]) -> Option<String> + Send + Sync;

/// It ends, with its connections, when it is dropped.
pub(crate) struct Fake {
    pub(crate) port: u16,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Fake {
    pub(crate) async fn start(
        answers: impl Fn(usize, &[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, None, answers)
    }

    pub(crate) async fn secure(
        acceptor: TlsAcceptor,
        answers: impl Fn(usize, &[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Some(acceptor), answers)
    }

    pub(crate) fn on(
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        answers: impl Fn(usize, &[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let (port, accepted) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let (count, answers): (_, Arc<Answers>) = (Arc::clone(&accepted), Arc::new(answers));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let (acceptor, answers) = (acceptor.clone(), Arc::clone(&answers));
                connections.spawn(async move {
                    match acceptor {
                        // A client that refuses the certificate, or has none, is gone.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, number, &*answers).await;
                            }
                        }
                        None => serve(stream, number, &*answers).await,
                    }
                });
            }
        });
        Self { port, accepted, task }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn at(&self, host: &str) -> Address {
        Address::Tcp { host: host.to_owned(), port: self.port }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, number: usize, answers: &Answers) {
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.is_ok_and(|length| length > 0) {
        while let Some((words, length)) = command(&bytes) {
            bytes.drain(..length);
            let answer = answers(number, &words).unwrap_or_else(|| usual(&words[0]).to_owned());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        let _ = stream.flush().await;
    }
}

fn usual(name: &str) -> &'static str {
    match name {
        "PING" => "+PONG\r\n",
        "ROLE" => "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
        _ => "+OK\r\n",
    }
}

/// The first command, if it is all there, and how long it is.
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    if *bytes.first()? != b'*' {
        // As `fred` says HELLO.
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let line = String::from_utf8_lossy(&bytes[..end]);
        return Some((line.split_whitespace().map(str::to_owned).collect(), end + 2));
    }
    let number = |at: &mut usize| {
        let end = bytes.get(*at..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let text = std::str::from_utf8(&bytes[*at + 1..*at + end]).unwrap();
        *at += end + 2;
        Some(text.parse::<usize>().unwrap())
    };
    let mut words = Vec::new();
    for _ in 0..number(&mut at)? {
        let length = number(&mut at)?;
        words.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((words, at))
}

/// A bulk string.
pub(crate) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// A list of what is encoded already.
pub(crate) fn list<S: AsRef<str>>(items: &[S]) -> String {
    let all: String = items.iter().map(AsRef::as_ref).collect();
    format!("*{}\r\n{all}", items.len())
}

/// A certificate for one name or address, which vouches for itself.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
}

impl Certificate {
    pub(crate) fn of(name: &str) -> Self {
        let CertifiedKey::<KeyPair> { cert, signing_key } =
            generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Self { pem: cert.pem(), key: signing_key.serialize_pem() }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()
    }

    /// Of a server that bears it, and wants one of those clients, if any.
    pub(crate) fn acceptor(&self, clients: Option<&Self>) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(client) => {
                let mut roots = RootCertStore::empty();
                roots.add(client.der()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![self.der()], key).unwrap()))
    }
}
