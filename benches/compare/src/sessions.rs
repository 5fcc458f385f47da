//! The sessions of the benchmarks as our stores have them; for the micro-benchmarks too.

use sessionup_core::{
    CreateOptions, Kind, Random, RandomError, Record, SecretHash, Session, SessionId, Store,
    Timestamp, Token, UserKey,
};
use subject::{Entry, Error};

pub(crate) fn id(number: u64) -> SessionId {
    SessionId::from_bytes(Entry::ordered_id(number))
}

/// What is kept of an entry. Its secret is that of its number.
pub(crate) fn record(entry: &Entry) -> Result<Record, Error> {
    let mut session = Session::new(
        id(entry.number),
        UserKey::new(&*entry.user)?,
        Timestamp::from(entry.created_at),
        Timestamp::from(entry.expires_at),
    );
    session.client.ip = Some(entry.ip.into());
    session.client.agent.os = entry.os.to_owned();
    session.client.agent.browser = entry.browser.to_owned();
    session.meta.insert(entry.meta.0, entry.meta.1)?;
    Ok(Record::new(session, secret_hash(entry.number)))
}

pub(crate) fn secret_hash(number: u64) -> SecretHash {
    token(number).credential(&Kind::USER).secret_hash
}

/// The token of the session of this number.
pub(crate) fn token(number: u64) -> Token {
    #[derive(Debug)]
    struct Of(u64);

    impl Random for Of {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
            let bytes = Entry::random_id(self.0);
            for (to, from) in buffer.iter_mut().zip(bytes.iter().cycle()) {
                *to = *from;
            }
            Ok(())
        }
    }
    Token::renewed(id(number), &Of(number))
        .unwrap_or_else(|_| unreachable!("this source has no end"))
}

/// Many callers at once, so that they share commits.
pub(crate) async fn fill(store: impl Store + Clone, entries: Vec<Entry>) -> Result<(), Error> {
    let mut tasks = tokio::task::JoinSet::new();
    for entry in entries {
        let (store, record) = (store.clone(), record(&entry)?);
        let begin = Timestamp::from(entry.created_at);
        tasks.spawn(async move { store.create(record, CreateOptions::default(), begin).await });
        if tasks.len() >= 2_000 {
            tasks.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(created) = tasks.join_next().await {
        created??;
    }
    Ok(())
}
