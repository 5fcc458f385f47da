//! What is done again and again while it is measured.

use crate::population::Population;
use crate::{Error, Subject};

/// Something that is done to a subject.
pub(crate) trait Act<S>: Clone + Send + Sync + 'static {
    /// To what of it.
    type On: Send + 'static;

    fn act(&self, subject: &S, on: Self::On) -> impl Future<Output = Result<(), Error>> + Send;
}

#[derive(Clone)]
pub(crate) struct Create(pub(crate) Population);

#[derive(Clone)]
pub(crate) struct Delete;

#[derive(Clone)]
pub(crate) struct DeleteUser(pub(crate) Population);

#[derive(Clone)]
pub(crate) struct Fetch {
    pub(crate) is_there: bool,
}

#[derive(Clone)]
pub(crate) struct List;

impl<S: Subject> Act<S> for Create {
    type On = u64;

    async fn act(&self, subject: &S, number: u64) -> Result<(), Error> {
        subject.create(self.0.entry(number)).await
    }
}

impl<S: Subject> Act<S> for Delete {
    type On = u64;

    async fn act(&self, subject: &S, number: u64) -> Result<(), Error> {
        subject.delete(number).await
    }
}

impl<S: Subject> Act<S> for DeleteUser {
    type On = u64;

    async fn act(&self, subject: &S, leaver: u64) -> Result<(), Error> {
        subject
            .delete_user(&self.0.leaver(leaver).0)
            .await
            .map(drop)
    }
}

impl<S: Subject> Act<S> for Fetch {
    type On = u64;

    async fn act(&self, subject: &S, number: u64) -> Result<(), Error> {
        match subject.fetch(number).await? == self.is_there {
            true => Ok(()),
            false => Err(format!("session {number} is not as expected").into()),
        }
    }
}

impl<S: Subject> Act<S> for List {
    type On = String;

    async fn act(&self, subject: &S, user: String) -> Result<(), Error> {
        // All ten of a user are expired at one in ten million.
        match subject.list(&user).await? {
            Some(1..) => Ok(()),
            found => Err(format!("{found:?} sessions are listed").into()),
        }
    }
}
