//! What a connection does about servers that are silent, move or are no primaries any more.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flags_core::ErrorKind;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::{Access, Answer, Connection};
use crate::address::Address;
use crate::deadline::within;
use crate::driver::fake::{Certificate, Fake, SILENCE, bulk, list};
use crate::driver::tests::DRIVERS;
use crate::error::{Cause, Failure, Intent, from_failure};
use crate::options::{Driver, Login, Options, Place, Secret};
use crate::reply::{Command, Reply};

const PATIENCE: Duration = Duration::from_secs(30);
const TAG: &str = "ff";

fn run(test: &impl AsyncFn(Driver)) {
    for driver in DRIVERS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(*driver));
    }
}

/// Options that wait for long.
fn patient(driver: Driver, place: Place) -> Options {
    let mut options = Options::new(place);
    options.driver = Some(driver);
    options.connect_timeout = PATIENCE;
    options.command_timeout = PATIENCE;
    options.deadline = PATIENCE;
    options
}

fn words(words: &[&str]) -> Command {
    Command::new(words[0]).args(words[1..].iter().copied())
}

async fn ask(connection: &Connection, asked: &[&str]) -> Result<Reply, Failure> {
    let asked = [words(asked)];
    let answer: Answer = connection.send(&asked, Access::Read).await?;
    Ok(answer.replies.into_iter().next().unwrap())
}

/// The same, as one call of so long; `None` past its deadline.
async fn call(connection: &Connection, deadline: Duration, asked: &[&str]) -> Option<Result<Reply, Failure>> {
    within(deadline, &AtomicBool::new(false), async { Ok(ask(connection, asked).await) }).await.ok()
}

fn text(reply: Option<Result<Reply, Failure>>) -> Option<String> {
    match reply {
        Some(Ok(Reply::Bytes(bytes))) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Answers `GET` on every connection but the first, which is dead from then on.
async fn dead_at_first() -> Fake {
    Fake::start(|connection, words| {
        let silent = connection == 1 && words[0] == "GET";
        (words[0] == "GET").then(|| if silent { SILENCE.to_owned() } else { bulk("here") })
    })
    .await
}

#[test]
fn a_dead_connection_is_noticed_though_every_call_ends_before_its_commands_do() {
    run(&async |driver| {
        let fake = dead_at_first().await;
        let mut options = patient(driver, Place::At(fake.at("127.0.0.1")));
        options.deadline = Duration::from_millis(300);
        let connection = Connection::new(&options, None).unwrap();
        let begun = Instant::now();
        while text(call(&connection, options.deadline, &["GET", "k"]).await).is_none() {
            assert!(begun.elapsed() < PATIENCE, "{driver:?}: the dead connection is kept");
        }
        assert!(fake.accepted() > 1);
    });
}

#[test]
fn a_dead_connection_is_noticed_though_every_call_is_dropped() {
    run(&async |driver| {
        let fake = dead_at_first().await;
        let mut options = patient(driver, Place::At(fake.at("127.0.0.1")));
        options.command_timeout = Duration::from_secs(1);
        let connection = Connection::new(&options, None).unwrap();
        let begun = Instant::now();
        loop {
            let call = call(&connection, PATIENCE, &["GET", "k"]);
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(400), call).await
                && text(answer).is_some()
            {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{driver:?}: the dead connection is kept");
        }
    });
}

#[test]
fn calls_that_are_dropped_at_once_leave_the_connection() {
    run(&async |driver| {
        let fake = Fake::start(|_, words| (words[0] == "GET").then(|| bulk("here"))).await;
        let connection = Connection::new(&patient(driver, Place::At(fake.at("127.0.0.1"))), None).unwrap();
        assert!(ask(&connection, &["GET", "k"]).await.is_ok());
        for _ in 0..1000 {
            assert!(ask(&connection, &["GET", "k"]).now_or_never().is_none());
        }
        assert_eq!(text(Some(ask(&connection, &["GET", "k"]).await)).as_deref(), Some("here"));
        assert_eq!(fake.accepted(), 1, "{driver:?}");
    });
}

#[test]
fn a_name_is_looked_up_again_when_it_led_to_a_replica() {
    run(&async |driver| {
        for refusal in ["-READONLY You can't write against a read only replica.", "-MASTERDOWN Link is down."]
        {
            let fake = Fake::start(move |connection, words| {
                let demoted = connection == 1;
                (words[0] == "HSETNX")
                    .then(|| if demoted { format!("{refusal}\r\n") } else { ":1\r\n".into() })
            })
            .await;
            let options = patient(driver, Place::At(fake.at("127.0.0.1")));
            let connection = Connection::new(&options, None).unwrap();
            let first = ask(&connection, &["HSETNX", "k", "f", "v"]).await;
            assert!(matches!(first, Ok(Reply::Error(_))), "{driver:?}: {first:?}");
            let second = ask(&connection, &["HSETNX", "k", "f", "v"]).await;
            assert!(matches!(second, Ok(Reply::Int(1))), "{driver:?}: {second:?}");
        }
    });
}

/// What cannot be the answer to `GET`, on the first connection alone.
async fn out_of_step_at_first(misfit: &'static str) -> Fake {
    Fake::start(move |connection, words| {
        (words[0] == "GET").then(|| if connection == 1 { misfit.to_owned() } else { bulk("here") })
    })
    .await
}

#[test]
fn a_connection_that_answers_what_cannot_be_the_answer_is_not_used_again() {
    run(&async |driver| {
        for misfit in [":5\r\n", "*1\r\n$1\r\nx\r\n"] {
            let fake = out_of_step_at_first(misfit).await;
            let connection =
                Connection::new(&patient(driver, Place::At(fake.at("127.0.0.1"))), None).unwrap();
            // It can be asked again.
            assert_eq!(
                text(Some(ask(&connection, &["GET", "k"]).await)).as_deref(),
                Some("here"),
                "{driver:?}"
            );
            assert_eq!(fake.accepted(), 2, "{driver:?}");

            // What is not known to have done nothing is not repeated, and what follows it goes over another
            // connection.
            let fake = out_of_step_at_first(misfit).await;
            let connection =
                Connection::new(&patient(driver, Place::At(fake.at("127.0.0.1"))), None).unwrap();
            let handed = AtomicBool::new(false);
            let written = connection.send(&[words(&["GET", "k"])], Access::Write(&handed)).await;
            assert!(
                matches!(written, Err(Failure::Unanswered(Cause::OutOfStep(_)))),
                "{driver:?}: {written:?}"
            );
            assert!(handed.load(std::sync::atomic::Ordering::Acquire), "{driver:?}");
            assert_eq!(
                text(Some(ask(&connection, &["GET", "k"]).await)).as_deref(),
                Some("here"),
                "{driver:?}"
            );
        }
    });
}

#[test]
fn an_answer_that_is_wrong_on_every_connection_is_an_error() {
    run(&async |driver| {
        let fake = Fake::start(|_, words| (words[0] == "GET").then(|| ":5\r\n".to_owned())).await;
        let connection = Connection::new(&patient(driver, Place::At(fake.at("127.0.0.1"))), None).unwrap();
        let failure = ask(&connection, &["GET", "k"]).await.unwrap_err();
        let error = from_failure(failure, Intent::Read);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{driver:?}: {error:?}");
        assert!(error.to_string().contains("answers as Redis does not"), "{driver:?}: {error}");
        assert_eq!(fake.accepted(), 2, "{driver:?}");
    });
}

fn slots(nodes: &[String]) -> String {
    let mut range = vec![":0\r\n".to_owned(), ":16383\r\n".to_owned()];
    range.extend(nodes.iter().cloned());
    list(&[list(&range)])
}

fn node(host: &str, port: u16, hostname: Option<&str>) -> String {
    let more = hostname.map_or_else(|| list::<&str>(&[]), |name| list(&[bulk("hostname"), bulk(name)]));
    list(&[bulk(host), format!(":{port}\r\n"), bulk("id"), more])
}

#[test]
fn whoever_is_sent_on_while_keys_move_shares_one_connection() {
    run(&async |driver| {
        let importing = Fake::start(|_, words| (words[0] == "GET").then(|| bulk("moved"))).await;
        let to = importing.port;
        let old = Fake::start(move |_, words| match words[0].as_str() {
            // An empty host is that of the node that is asked, whose port is told by the port that was asked.
            "CLUSTER" => None,
            "GET" => Some(format!("-ASK 1 127.0.0.1:{to}\r\n")),
            _ => None,
        })
        .await;
        let port = old.port;
        let guide =
            Fake::start(move |_, words| (words[0] == "CLUSTER").then(|| slots(&[node("", port, None)])))
                .await;
        let place = Place::Cluster { nodes: vec![guide.at("127.0.0.1")] };
        let connection = Connection::new(&patient(driver, place), Some(TAG)).unwrap();
        let calls = join_all((0..64).map(|_| call(&connection, PATIENCE, &["GET", "k"])));
        for answer in calls.await {
            assert_eq!(text(answer).as_deref(), Some("moved"), "{driver:?}");
        }
        assert_eq!((old.accepted(), importing.accepted()), (1, 1), "{driver:?}");
    });
}

#[test]
fn under_tls_a_node_is_called_by_its_name() {
    run(&async |driver| {
        let certificate = Certificate::of("localhost");
        let port = Arc::new(Mutex::new(0));
        let own = Arc::clone(&port);
        let fake = Fake::secure(certificate.acceptor(None), move |_, words| match words[0].as_str() {
            "CLUSTER" => Some(slots(&[node("127.0.0.1", *own.lock().unwrap(), Some("localhost"))])),
            "GET" => Some(bulk("here")),
            _ => None,
        })
        .await;
        *port.lock().unwrap() = fake.port;
        let mut options = patient(driver, Place::Cluster { nodes: vec![fake.at("localhost")] });
        (options.secure, options.tls.ca) = (true, Some(certificate.pem.clone().into()));
        let connection = Connection::new(&options, Some(TAG)).unwrap();
        assert_eq!(
            text(call(&connection, PATIENCE, &["GET", "k"]).await).as_deref(),
            Some("here"),
            "{driver:?}"
        );
    });
}

/// A sentinel that names the server at that port of this machine.
fn names(port: u16, words: &[String]) -> Option<String> {
    match words.get(1).map(String::as_str) {
        Some("GET-MASTER-ADDR-BY-NAME") => Some(list(&[bulk("localhost"), bulk(&port.to_string())])),
        Some("SENTINELS") => Some("*0\r\n".to_owned()),
        _ => None,
    }
}

#[test]
fn sentinels_have_the_same_tls_and_a_password_of_their_own() {
    run(&async |driver| {
        let (certificate, client) = (Certificate::of("localhost"), Certificate::of("app"));
        let logins: Arc<Mutex<Vec<String>>> = Arc::default();
        let said = |whose: &'static str| {
            let logins = Arc::clone(&logins);
            move |words: &[String]| {
                let at = words.iter().position(|word| word == "AUTH");
                let login = at.and_then(|at| words.get(at + 1..at + 3));
                login.map(|login| logins.lock().unwrap().push(format!("{whose} {}", login.join(" "))))
            }
        };
        let (to_master, to_sentinel) = (said("master"), said("sentinel"));
        let master = Fake::secure(certificate.acceptor(Some(&client)), move |_, words| {
            to_master(words);
            (words[0] == "GET").then(|| bulk("here"))
        })
        .await;
        let port = master.port;
        let sentinel = Fake::secure(certificate.acceptor(Some(&client)), move |_, words| {
            to_sentinel(words);
            (words[0] == "SENTINEL").then(|| names(port, words)).flatten()
        })
        .await;
        let login = |name: &str| Login {
            username: Some(name.into()),
            password: Some(Secret::new(format!("{name}-pw"))),
        };
        let place = Place::Sentinel {
            sentinels: vec![sentinel.at("localhost")],
            master: "main".to_owned(),
            login: login("watcher"),
        };
        let mut options = patient(driver, place);
        options.login = login("app");
        options.secure = true;
        options.tls.ca = Some(certificate.pem.clone().into());
        options.tls.client_cert = Some(client.pem.clone().into());
        options.tls.client_key = Some(Secret::new(client.key.clone()));
        let connection = Connection::new(&options, None).unwrap();
        assert_eq!(
            text(call(&connection, PATIENCE, &["GET", "k"]).await).as_deref(),
            Some("here"),
            "{driver:?}"
        );
        assert_eq!(
            *logins.lock().unwrap(),
            ["sentinel watcher watcher-pw", "master app app-pw"],
            "{driver:?}"
        );
    });
}

#[test]
fn a_sentinel_that_is_silent_is_asked_last_though_the_call_ended_in_the_middle() {
    run(&async |driver| {
        let master = Fake::start(|_, words| (words[0] == "GET").then(|| bulk("here"))).await;
        let silent = Fake::start(|_, _| Some(SILENCE.to_owned())).await;
        let port = master.port;
        let good =
            Fake::start(move |_, words| (words[0] == "SENTINEL").then(|| names(port, words)).flatten()).await;
        let sentinels = vec![silent.at("127.0.0.1"), good.at("127.0.0.1")];
        let place = Place::Sentinel { sentinels, master: "main".to_owned(), login: Login::default() };
        let connection = Connection::new(&patient(driver, place), None).unwrap();
        let first = call(&connection, Duration::from_millis(300), &["GET", "k"]).await;
        assert!(first.is_none(), "{driver:?}: {first:?}");
        assert_eq!(
            text(call(&connection, PATIENCE / 2, &["GET", "k"]).await).as_deref(),
            Some("here"),
            "{driver:?}"
        );
        assert_eq!(silent.accepted(), 1, "{driver:?}");
    });
}

#[test]
fn a_sentinel_that_was_cut_off_is_not_believed_once_another_is_known_to_know_better() {
    run(&async |driver| {
        let master =
            |name: &'static str| Fake::start(move |_, words| (words[0] == "GET").then(|| bulk(name)));
        let sentinel = |port: u16, failovers: &'static str| {
            Fake::start(move |_, words| match words.get(1).map(String::as_str) {
                Some("MASTER") => Some(list(&[bulk("config-epoch"), bulk(failovers)])),
                _ => names(port, words),
            })
        };
        let (former, heir) = (master("former").await, master("heir").await);
        let (cut_off, knowing) = (sentinel(former.port, "9").await, sentinel(heir.port, "10").await);
        let sentinels = vec![cut_off.at("127.0.0.1"), knowing.at("127.0.0.1")];
        let place = Place::Sentinel { sentinels, master: "main".to_owned(), login: Login::default() };
        let connection = Connection::new(&patient(driver, place), None).unwrap();
        let led_to = async || text(call(&connection, PATIENCE, &["GET", "k"]).await);
        // The first that answers is believed, until all are asked.
        assert_eq!(led_to().await.as_deref(), Some("former"), "{driver:?}");
        connection.look_around().await;
        for _ in 0..3 {
            assert_eq!(led_to().await.as_deref(), Some("heir"), "{driver:?}");
            connection.look_around().await;
        }
        assert_eq!(heir.accepted(), 1, "{driver:?}");
        for _ in 0..3 {
            connection.hang_up();
            assert_eq!(led_to().await.as_deref(), Some("heir"), "{driver:?}");
        }
        // Where nobody else is there, it is all that is known.
        drop(knowing);
        connection.hang_up();
        assert_eq!(led_to().await.as_deref(), Some("former"), "{driver:?}");
    });
}

#[test]
fn limits_without_end_are_no_reason_to_panic() {
    run(&async |driver| {
        let fake = Fake::start(|_, words| (words[0] == "GET").then(|| bulk("here"))).await;
        let mut options =
            patient(driver, Place::At(Address::Tcp { host: "127.0.0.1".into(), port: fake.port }));
        options.connect_timeout = Duration::MAX;
        options.command_timeout = Duration::MAX;
        options.deadline = Duration::MAX;
        let connection = Connection::new(&options, None).unwrap();
        assert!(text(call(&connection, Duration::MAX, &["GET", "k"]).await).is_some(), "{driver:?}");
    });
}
