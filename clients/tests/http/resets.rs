//! HTTP/2 clients that take their requests back at once ("rapid reset").

use std::env;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::Request as AxumRequest;
use axum::middleware::{Next, from_fn};
use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::Request;
use sessionup_redb::RedbStore;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::client::{Client, Version};
use super::support::app::{app, manager};
use super::support::serve::Served;

/// How many requests are taken back; the variable asks for more.
const VARIABLE: &str = "SESSIONUP_RESETS";
const RESETS: u64 = 3_000;
const USERS: u64 = 50;
/// Room in the store's queue. Were one slot lost for each request, it would be full long before the
/// end.
const QUEUE: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// What came of the requests that reached a handler.
#[derive(Debug, Default)]
struct Handled {
    begun: AtomicU64,
    ended: AtomicU64,
}

#[tokio::test]
async fn requests_taken_back_leave_nothing_behind() {
    let resets = env::var(VARIABLE).map_or(RESETS, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sessions.redb");
    let store = RedbStore::builder()
        .queue(QUEUE)
        .cleanup_interval(Duration::ZERO)
        .open(file)
        .unwrap();
    let handled = Arc::new(Handled::default());
    let counting = Arc::clone(&handled);
    let app = app(&manager(store)).layer(from_fn(move |request: AxumRequest, next: Next| {
        let handled = Arc::clone(&counting);
        async move {
            handled.begun.fetch_add(1, Ordering::SeqCst);
            let response = next.run(request).await;
            handled.ended.fetch_add(1, Ordering::SeqCst);
            response
        }
    }));
    let served = Served::new(app);
    assert_answers(served.address(), "before").await;
    settle(&served).await;

    let mut connection = connect(served.address()).await;
    for n in 0..resets {
        if take_back(&mut connection, n).await.is_err() {
            // The server has had enough of this connection, as it should.
            connection = connect(served.address()).await;
        }
        if n % 10 == 0 {
            assert_answers(served.address(), "between").await;
        }
    }
    drop(connection);

    assert_answers(served.address(), "after").await;
    settle(&served).await;
    let begun = handled.begun.load(Ordering::SeqCst);
    let ended = handled.ended.load(Ordering::SeqCst);
    assert!(begun > resets / 2, "{handled:?}");
    assert!(
        ended < begun,
        "some were taken back in the middle: {handled:?}"
    );
}

type Connection = SendRequest<Bytes>;

async fn connect(address: SocketAddr) -> Connection {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends a login or a revocation, and takes it back a little later or at once.
async fn take_back(connection: &mut Connection, n: u64) -> Result<(), h2::Error> {
    let user = n % USERS;
    let path = match n % 3 {
        0 => format!("admin/revoke/{user}"),
        _ => format!("login/{user}"),
    };
    let request = Request::post(format!("http://localhost/{path}"));
    let mut ready = connection.clone().ready().await?;
    let (_answer, mut stream) = ready.send_request(request.body(()).unwrap(), true)?;
    // Without one of these the request would not even leave.
    for _ in 0..=n % 7 {
        yield_now().await;
    }
    stream.send_reset(Reason::CANCEL);
    Ok(())
}

async fn assert_answers(address: SocketAddr, when: &str) {
    let mut client = Client::connect(address, Version::Http2).await;
    let login = client.send(Request::post("/login/ann")).await;
    assert_eq!(login.status, 200, "{when}: {}", login.body);
    let private = Request::get("/private").header("cookie", login.cookie());
    assert_eq!(client.send(private).await.body, "ann", "{when}");
}

/// Waits until connections that were closed have ended, and the server's own task alone is left.
async fn settle(served: &Served) {
    let settled = async {
        while served.tasks() > 1 {
            yield_now().await;
        }
    };
    let outcome = timeout(Duration::from_secs(60), settled).await;
    assert!(outcome.is_ok(), "{} tasks are left", served.tasks());
}
