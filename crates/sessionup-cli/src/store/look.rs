//! Sessions that are looked at.

use sessionup_core::{Record, Session, SessionId, StoreError, UserKey};
use sessionup_redb::{FileReader, Found, FoundSession};

use super::Place;
use super::server::Server;
use crate::failure::Failure;

/// Sessions that can be looked at. Those whose time is over are among them.
#[derive(Debug)]
pub(crate) enum View {
    File(FileReader),
    Server(Server),
}

/// How many are read at once.
const PIECE: usize = 256;

impl View {
    /// Meets every session once, in the order of ids. Stops at the first error of `meet`.
    pub(crate) fn each(
        &self,
        meet: impl FnMut(SessionId, Result<Session, StoreError>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        walk(|last| self.piece(None, last), meet)
    }

    /// Returns some sessions in the order of ids, of one user or of all, from the first one after an id.
    /// None is the end.
    fn piece(
        &self,
        user: Option<&UserKey>,
        last: Option<SessionId>,
    ) -> Result<Vec<FoundSession>, Failure> {
        Ok(match (self, user) {
            (Self::File(reader), None) => sessions(reader.after(last, PIECE)?),
            (Self::File(reader), Some(user)) => sessions(reader.of_user_after(user, last, PIECE)?),
            (Self::Server(server), None) => server.after(last, PIECE)?,
            (Self::Server(server), Some(user)) => server.of_user_after(user, last)?,
        })
    }

    pub(crate) fn find(&self, id: SessionId) -> Result<Option<FoundSession>, Failure> {
        Ok(match self {
            Self::File(reader) => reader.find(id)?.map(session),
            Self::Server(server) => server.find(id)?,
        })
    }

    pub(crate) fn count(&self) -> Result<u64, Failure> {
        Ok(match self {
            Self::File(reader) => reader.count()?,
            Self::Server(server) => server.count()?,
        })
    }

    /// Returns how many bytes the sessions take.
    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        Ok(match self {
            Self::File(reader) => reader.bytes()?,
            Self::Server(server) => server.bytes()?,
        })
    }
}

/// Reads sessions piece by piece, in the order of ids. Between two pieces the file can be given free,
/// so that whoever waits for the output to be read does not hold up a server.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    place: &'a Place,
    view: Option<View>,
    user: Option<UserKey>,
    last: Option<SessionId>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(place: &'a Place) -> Self {
        Self {
            place,
            view: None,
            user: None,
            last: None,
        }
    }

    /// Reads the sessions of one user.
    pub(crate) fn of(mut self, user: Option<UserKey>) -> Self {
        self.user = user;
        self
    }

    /// Returns the next sessions. None is the end.
    pub(crate) fn piece(&mut self) -> Result<Vec<FoundSession>, Failure> {
        let (user, last) = (self.user.clone(), self.last);
        let piece = self.view()?.piece(user.as_ref(), last)?;
        if let Some((id, _)) = piece.last() {
            self.last = Some(*id);
        }
        Ok(piece)
    }

    /// Returns how many sessions of all users there are.
    pub(crate) fn count(&mut self) -> Result<u64, Failure> {
        self.view()?.count()
    }

    pub(crate) fn find(&mut self, id: SessionId) -> Result<Option<FoundSession>, Failure> {
        self.view()?.find(id)
    }

    /// Gives the file free until the next piece.
    pub(crate) fn release(&mut self) {
        self.view = None;
    }

    fn view(&mut self) -> Result<&View, Failure> {
        Ok(match self.view.take() {
            Some(view) => self.view.insert(view),
            None => self.view.insert(self.place.look()?),
        })
    }
}

/// The records of a file, with what tells tokens.
#[derive(Debug)]
pub(crate) struct Records(pub(super) FileReader);

impl Records {
    /// As [`View::each`].
    pub(crate) fn each(
        &self,
        meet: impl FnMut(SessionId, Result<Record, StoreError>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        walk(|last| Ok(self.0.after(last, PIECE)?), meet)
    }

    pub(crate) fn count(&self) -> Result<u64, Failure> {
        Ok(self.0.count()?)
    }

    /// Returns the record of an id; `None` if there is none, or if it cannot be read.
    pub(crate) fn record(&self, id: SessionId) -> Result<Option<Record>, Failure> {
        Ok(self.0.find(id)?.and_then(|(_, record)| record.ok()))
    }

    /// Says whether there is a record, readable or not.
    pub(crate) fn has(&self, id: SessionId) -> Result<bool, Failure> {
        Ok(self.0.find(id)?.is_some())
    }

    /// Returns the names of tables in the file that are not of the sessions.
    pub(crate) fn other_tables(&self) -> Result<Vec<String>, Failure> {
        Ok(self.0.other_tables()?)
    }
}

/// Asks for one piece after the other, each from the first after an id.
fn walk<T>(
    mut piece: impl FnMut(Option<SessionId>) -> Result<Vec<(SessionId, T)>, Failure>,
    mut meet: impl FnMut(SessionId, T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut last = None;
    loop {
        let batch = piece(last)?;
        let Some((id, _)) = batch.last() else {
            return Ok(());
        };
        last = Some(*id);
        for (id, found) in batch {
            meet(id, found)?;
        }
    }
}

fn sessions(found: Vec<Found>) -> Vec<FoundSession> {
    found.into_iter().map(session).collect()
}

fn session((id, record): Found) -> FoundSession {
    (id, record.map(|record| record.session))
}
