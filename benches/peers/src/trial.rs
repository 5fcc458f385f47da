//! What each of these stores must do as a subject.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use peers::{Backend, Tower};
use subject::{Entry, Error, Population, Subject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

/// In what they differ.
pub(crate) struct Can {
    /// What it has is there again when it is opened again.
    pub(crate) keep: bool,
    /// It deletes what is expired.
    pub(crate) prune: bool,
}

const SESSIONS: u64 = 1_000;

/// A live record of some content.
pub(crate) fn record(id: i128) -> Record {
    let entry = Population::new(0, now()).entry(0);
    let data = [("user", entry.user), ("os", entry.os.to_owned())];
    let data = data.map(|(name, value)| (name.to_owned(), value.into()));
    Record {
        id: Id(id),
        data: data.into(),
        expiry_date: entry.expires_at.into(),
    }
}

/// Takes a store through all that a benchmark asks of it.
pub(crate) async fn drive<B: Backend>(can: Can) -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let now = now();
    let population = Population::new(SESSIONS, now);
    let entries: Vec<Entry> = (0..SESSIONS).map(|it| population.entry(it)).collect();
    let (expired, live): (Vec<Entry>, _) =
        entries.iter().cloned().partition(|it| it.expires_at <= now);
    let (ended, kept) = (SESSIONS, SESSIONS + 1);
    let subject = Tower::<B>::open(directory.path()).await?;

    subject.fill(entries).await?;
    for number in [ended, kept] {
        subject.create(population.entry(number)).await?;
    }
    assert_eq!(found(&subject, &live).await?, live.len());
    assert_eq!(found(&subject, &expired).await?, 0);
    assert!(!subject.fetch(kept + 1).await?);
    let again = subject.create(live[0].clone()).await;
    again.expect_err("a session is made of a number that has one");

    subject.delete(ended).await?;
    assert!(!subject.fetch(ended).await?);
    assert_eq!(subject.prune().await?, can.prune);
    if can.prune {
        subject.create(expired[0].clone()).await?;
    }
    assert_eq!(found(&subject, &live).await?, live.len());
    answers_over_http(&subject, ended, kept).await?;
    assert_eq!(subject.list(&live[0].user).await?, None);
    assert!(!subject.delete_user(&live[0].user).await?);
    subject.close().await?;

    let subject = Tower::<B>::open(directory.path()).await?;
    assert_eq!(subject.fetch(kept).await?, can.keep);
    assert_eq!(found(&subject, &live).await? == live.len(), can.keep);
    assert!(!subject.fetch(ended).await?);
    subject.close().await
}

/// Holds what a backend fills its store with to what the store itself writes, which is read by
/// `written` while there is one session.
pub(crate) async fn fills_as_it_writes<B: Backend, Written: PartialEq + std::fmt::Debug>(
    backend: &B,
    written: impl AsyncFn() -> Written,
) -> Result<(), Error> {
    // A clone has its entries in the same order.
    let record = record(7);
    backend.store().create(&mut record.clone()).await?;
    let by_store = written().await;
    backend.store().delete(&record.id).await?;
    backend.fill(vec![record]).await?;
    assert_eq!(written().await, by_store);
    Ok(())
}

async fn found(subject: &impl Subject, entries: &[Entry]) -> Result<usize, Error> {
    let mut found = 0;
    for entry in entries {
        found += usize::from(subject.fetch(entry.number).await?);
    }
    Ok(found)
}

async fn answers_over_http(subject: &impl Subject, ended: u64, kept: u64) -> Result<(), Error> {
    let served = subject.serve(&[ended, kept]).await?;
    let (port, cookies) = served.ok_or("nothing is served")?;
    assert_eq!(cookies.len(), 2);

    let answer = ask(port, &cookies[0]).await?;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let answer = ask(port, "").await?;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let answer = ask(port, &cookies[1]).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello!"), "{answer}");
    Ok(())
}

async fn ask(port: u16, cookie: &str) -> Result<String, Error> {
    let mut connection = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[expect(
    clippy::disallowed_methods,
    reason = "these stores take no time as an argument"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
