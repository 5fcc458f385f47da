//! From a store back into a Bolt file.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use sessionup_core::{Credential, Kind, Record, SessionId, Timestamp};

use crate::row::{GoSession, GoToken};
use crate::{BoltError, Row, WriteError, Writer};

/// The tokens of Go sessions by the ids that their sessions have here.
///
/// A store does not know tokens, and a Go server finds a session by nothing else. They are in the
/// Bolt file that was imported: keep that file for as long as there may be a way back, and guard it
/// like passwords, for everybody in it who is still logged in can be impersonated with it.
/// That they are not kept beside the sessions instead is on purpose. In the store they would make of
/// each backup a bunch of keys, and in a session's meta they would be shown in the list of devices.
#[derive(Debug, Default)]
pub struct GoTokens {
    tokens: HashMap<SessionId, GoToken>,
}

impl GoTokens {
    /// Makes a set without tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the tokens of the sessions of a bucket. Rows that cannot be read are passed over.
    ///
    /// # Errors
    ///
    /// The first error of the file.
    pub fn add(
        &mut self,
        rows: impl IntoIterator<Item = Result<Row, BoltError>>,
    ) -> Result<(), BoltError> {
        for row in rows {
            let row = row?;
            if let (Some(id), Ok(session)) = (row.id, row.session) {
                self.tokens.insert(id, session.token);
            }
        }
        Ok(())
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// What came of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exported {
    /// It has ended.
    Expired,
    /// No token is known for it: it was made here, or the Bolt file it came from is another one. Its
    /// user must log in again.
    NoToken,
    /// It is no session of a user who is logged in, but of another [`Kind`], such as a login under way.
    /// Go knows no kinds and would take it for a whole login.
    OtherKind,
    /// Its token was renewed since it was imported. Its user must log in again.
    Renewed,
    /// A Go server will honour it.
    Taken {
        /// Whether meta had values other than text, which Go cannot hold. They became text: their
        /// JSON.
        as_text: bool,
    },
}

/// What came of an export, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportReport {
    /// All records.
    pub records: u64,
    /// Sessions in the file.
    pub taken: u64,
    /// Of those, sessions with meta that became text.
    pub as_text: u64,
    /// Sessions left out because they have ended.
    pub expired: u64,
    /// Sessions left out because no token is known for them.
    pub no_token: u64,
    /// Sessions left out because they are of another kind than [`Kind::USER`].
    pub other_kind: u64,
    /// Sessions left out because their token was renewed here.
    pub renewed: u64,
}

/// Gives sessions back to Go's sessionup, as far as it can honour them.
///
/// A Go server finds a session by its token, which the store does not have. What can go back are
/// therefore the imported sessions whose token stands in the [Bolt file they came from](GoTokens) and
/// was not renewed here, of the kind [`Kind::USER`]. All others are counted, and their users log in again.
///
/// Of those that go back, Go has no place for: when they were last seen, when their user last proved who
/// they are, the browser's version, the kind of device. An idle timeout becomes the end of the session,
/// so that none lives longer there than it would here; meta that is no text becomes text.
///
/// Takes as much memory as the file that is written.
#[derive(Debug)]
pub struct Export {
    tokens: GoTokens,
    writer: Writer,
    report: ExportReport,
}

impl Export {
    /// Makes an export into a bucket of this name.
    ///
    /// # Errors
    ///
    /// [`WriteError::Bucket`].
    pub fn new(bucket: &str, tokens: GoTokens) -> Result<Self, WriteError> {
        Ok(Self {
            tokens,
            writer: Writer::new(bucket)?,
            report: ExportReport::default(),
        })
    }

    /// Adds a record, in any order.
    ///
    /// # Errors
    ///
    /// [`WriteError::Duplicate`] if it was added before.
    pub fn add(&mut self, record: &Record, now: Timestamp) -> Result<Exported, WriteError> {
        let exported = self.judge(record, now)?;
        let report = &mut self.report;
        report.records += 1;
        match exported {
            Exported::Expired => report.expired += 1,
            Exported::NoToken => report.no_token += 1,
            Exported::OtherKind => report.other_kind += 1,
            Exported::Renewed => report.renewed += 1,
            Exported::Taken { as_text } => {
                report.taken += 1;
                report.as_text += u64::from(as_text);
            }
        }
        Ok(exported)
    }

    /// Writes the file, as [`Writer::write`].
    ///
    /// # Errors
    ///
    /// As [`Writer::write`].
    pub fn write(self, path: impl AsRef<Path>) -> Result<ExportReport, WriteError> {
        self.writer.write(path)?;
        Ok(self.report)
    }

    fn judge(&mut self, record: &Record, now: Timestamp) -> Result<Exported, WriteError> {
        if !record.session.is_live(now) {
            return Ok(Exported::Expired);
        }
        if record.session.kind != Kind::USER {
            return Ok(Exported::OtherKind);
        }
        let Some(token) = self.tokens.tokens.get(&record.session.id) else {
            return Ok(Exported::NoToken);
        };
        let credential = Credential::of_imported(token.expose());
        if credential.is_none_or(|credential| credential.secret_hash != record.secret_hash) {
            return Ok(Exported::Renewed);
        }
        let (session, as_text) = go_session(token.clone(), record);
        self.writer.add(&session)?;
        Ok(Exported::Taken { as_text })
    }
}

fn go_session(token: GoToken, record: &Record) -> (GoSession, bool) {
    let from = &record.session;
    let mut as_text = false;
    let meta = from.meta.iter().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => {
                as_text = true;
                other.to_string()
            }
        };
        (name.to_owned(), text)
    });
    let session = GoSession {
        token,
        created_at: from.created_at,
        expires_at: from.deadline(),
        user_key: from.user_key.as_str().to_owned(),
        ip: from.client.ip,
        os: from.client.agent.os.clone(),
        browser: from.client.agent.browser.clone(),
        meta: meta.collect(),
    };
    (session, as_text)
}
