//! What a driver promises, over each of them, against a real server.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Follow, Link, Push, Target, dialer};
use crate::address::Address;
use crate::options::{Driver, Login};
use crate::reply::{Command, Reply};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const DRIVERS: &[Driver] = &[
    #[cfg(feature = "redis-rs")]
    Driver::RedisRs,
    #[cfg(feature = "fred")]
    Driver::Fred,
];

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let binary = std::env::var("FLAGS_TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Process::new(&binary)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary} does not start ({error}); set FLAGS_TEST_REDIS_SERVER"));
        let server = Self { process, port };
        let begun = Instant::now();
        while !server.answers() {
            assert!(begun.elapsed() < PATIENCE, "{binary} does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(|mut stream| {
            stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut [0]).is_ok()
        })
    }

    fn target(&self, db: i64) -> Target {
        let address = Address::Tcp { host: "127.0.0.1".to_owned(), port: self.port };
        Target { address, tls: None, login: Login::default(), db }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(test: &impl AsyncFn(Driver, &Server)) {
    let server = Server::start();
    for driver in DRIVERS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(*driver, &server));
    }
}

async fn dial(driver: Driver, target: &Target, follow: Option<Follow>) -> Box<dyn Link> {
    dialer(Some(driver)).unwrap().dial(target, follow).await.unwrap()
}

fn command(words: &str) -> Command {
    let mut words = words.split(' ');
    Command::new(words.next().unwrap_or_default()).args(words)
}

async fn ask(link: &dyn Link, words: &str) -> Reply {
    link.send(&[command(words)]).await.unwrap().pop().unwrap()
}

#[test]
fn a_follower_is_told_of_its_keys_of_a_flush_and_of_the_end() {
    run(&async |driver, server| {
        let (to, mut told) = mpsc::unbounded_channel();
        let mut next = async || tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
        let prefixes = vec!["a:".to_owned(), "c:".to_owned()];
        let following = dial(driver, &server.target(0), Some(Follow { prefixes, to })).await;
        let other = dial(driver, &server.target(0), None).await;
        for set in ["SET b:1 x", "SET a:1 x", "SET c:1 x"] {
            assert_eq!(ask(&*other, set).await, Reply::Bytes(b"OK".to_vec()), "{driver:?}");
        }
        let mut keys = Vec::new();
        while keys.len() < 2 {
            let Push::Invalidate(Some(some)) = next().await else { panic!("{driver:?}: not keys") };
            keys.extend(some);
        }
        assert_eq!(keys, [b"a:1", b"c:1"], "{driver:?}");
        ask(&*other, "FLUSHDB").await;
        assert_eq!(next().await, Push::Invalidate(None), "{driver:?}");
        // Still good for asking whether it is there.
        assert!(following.send(&[Command::new("PING")]).await.is_ok(), "{driver:?}");
        ask(&*other, "CLIENT KILL TYPE normal").await;
        ask(&*other, "CLIENT KILL TYPE pubsub").await;
        assert_eq!(next().await, Push::Lost, "{driver:?}");
        assert!(!following.is_alive(), "{driver:?}");
    });
}

#[test]
fn replies_come_in_order_and_an_error_is_one() {
    run(&async |driver, server| {
        let link = dial(driver, &server.target(3), None).await;
        let words = ["SET k 1", "GET k", "GET none", "LPUSH k x", "INCR k", "LRANGE none 0 1", "ECHO end"];
        let commands = words.map(command);
        let replies = link.send(&commands).await.unwrap();
        let [set, get, none, wrong, number, list, end] = <[Reply; 7]>::try_from(replies).unwrap();
        let text = |text: &str| Reply::Bytes(text.into());
        assert_eq!((set, get, none), (text("OK"), text("1"), Reply::Nil), "{driver:?}");
        assert!(matches!(&wrong, Reply::Error(error) if error.code == "WRONGTYPE"), "{driver:?}: {wrong:?}");
        assert_eq!((number, list, end), (Reply::Int(2), Reply::List(Vec::new()), text("end")), "{driver:?}");
        // It was another database.
        let zero = dial(driver, &server.target(0), None).await;
        assert_eq!(ask(&*zero, "GET k").await, Reply::Nil, "{driver:?}");
    });
}

#[test]
fn a_list_within_a_reply_may_read_like_a_push() {
    run(&async |driver, server| {
        let link = dial(driver, &server.target(0), None).await;
        for words in [&["message", "a", "b"][..], &["smessage", "a", "b"], &["pmessage", "a", "b", "c"]] {
            let script = format!("return {{'0', {{'{}'}}}}", words.join("','"));
            let reply = link.send(&[Command::new("EVAL").args([script.as_str(), "0"])]).await.unwrap();
            let text = |text: &&str| Reply::Bytes((*text).into());
            let within = Reply::List(words.iter().map(text).collect());
            assert_eq!(reply, [Reply::List(vec![text(&"0"), within])], "{driver:?}");
        }
    });
}

#[test]
fn whoever_waits_on_a_connection_that_ends_is_told() {
    run(&async |driver, server| {
        let link = dial(driver, &server.target(0), None).await;
        let waiting = [command("BLPOP nothing 0")];
        let (answer, ()) = tokio::join!(link.send(&waiting), async {
            tokio::task::yield_now().await;
            link.kill();
        });
        assert!(answer.is_err(), "{driver:?}: {answer:?}");
        assert!(!link.is_alive());
        let late = tokio::time::timeout(PATIENCE, link.send(&waiting)).await;
        assert!(matches!(late, Ok(Err(_))), "{driver:?}: {late:?}");
    });
}
