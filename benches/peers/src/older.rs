//! Stores that are made for the release of tower-sessions before.

use async_trait::async_trait;
use tower_sessions::session::{Id, Record};
use tower_sessions::{ExpiredDeletion, SessionStore, session_store};
use tower_sessions_core_0_14::session::{Id as OlderId, Record as OlderRecord};
use tower_sessions_core_0_14::session_store::{
    Error as OlderError, ExpiredDeletion as OlderExpiredDeletion, SessionStore as OlderStore,
};

/// A store made for tower-sessions 0.14, to be used with 0.15.
///
/// The two want the same of a store, and a record has the same parts. So the content of a session is
/// handed on, not copied; what this costs is one more future on the heap an operation.
#[derive(Clone, Debug)]
pub struct Ported<S>(S);

impl<S> Ported<S> {
    /// Ports a store.
    pub fn new(store: S) -> Self {
        Self(store)
    }
}

fn older(record: Record) -> OlderRecord {
    OlderRecord {
        id: OlderId(record.id.0),
        data: record.data,
        expiry_date: record.expiry_date,
    }
}

fn newer(record: OlderRecord) -> Record {
    Record {
        id: Id(record.id.0),
        data: record.data,
        expiry_date: record.expiry_date,
    }
}

fn newer_error(error: OlderError) -> session_store::Error {
    match error {
        OlderError::Encode(why) => session_store::Error::Encode(why),
        OlderError::Decode(why) => session_store::Error::Decode(why),
        OlderError::Backend(why) => session_store::Error::Backend(why),
    }
}

#[async_trait]
impl<S: OlderStore> SessionStore for Ported<S> {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let data = std::mem::take(&mut record.data);
        let mut theirs = older(Record { data, ..*record });
        let created = self.0.create(&mut theirs).await;
        *record = newer(theirs);
        created.map_err(newer_error)
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let saved = self.0.save(&older(record.clone())).await;
        saved.map_err(newer_error)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let loaded = self.0.load(&OlderId(id.0)).await;
        loaded.map(|it| it.map(newer)).map_err(newer_error)
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let deleted = self.0.delete(&OlderId(id.0)).await;
        deleted.map_err(newer_error)
    }
}

#[async_trait]
impl<S: OlderExpiredDeletion> ExpiredDeletion for Ported<S> {
    async fn delete_expired(&self) -> session_store::Result<()> {
        self.0.delete_expired().await.map_err(newer_error)
    }
}
