//! Who has an account, and the hash of their password.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use tokio::task::spawn_blocking;

use crate::database::{self, OpenDatabaseError, Reopening};
use crate::passwords::PasswordHash;

/// Name to PHC string.
const ACCOUNTS: TableDefinition<'_, &str, &str> = TableDefinition::new("accounts");

/// The name of an account: 1 to 64 characters without control characters, compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Most characters of a name. In UTF-8 they fit into a user key.
    pub const MAX_CHARS: usize = 64;

    /// Checks a name, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] if it is out of bounds.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let name = name.trim();
        if name.is_empty() {
            Err(InvalidName::Empty)
        } else if name.chars().count() > Self::MAX_CHARS {
            Err(InvalidName::TooLong)
        } else if name.chars().any(char::is_control) {
            Err(InvalidName::Control)
        } else {
            Ok(Self(name.into()))
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no name, in words for the one who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// It has a control character.
    #[error("A name has no line breaks or other control characters.")]
    Control,
    /// Nothing is left of it.
    #[error("Please give a name.")]
    Empty,
    /// More than [`AccountName::MAX_CHARS`].
    #[error("This name is too long: take at most 64 characters.")]
    TooLong,
}

/// The table of accounts, in a file of its own.
#[derive(Clone, Debug)]
pub struct Accounts {
    database: Arc<Reopening>,
}

impl Accounts {
    /// Opens the file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`OpenDatabaseError`] says what to do.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenDatabaseError> {
        let path = std::path::absolute(path.into()).map_err(|source| OpenDatabaseError::File {
            path: PathBuf::new(),
            source,
        })?;
        database::make(&path, make_table)?;
        let database = Reopening::new(Box::new(move || database::open(&path)))?;
        Ok(Self {
            database: Arc::new(database),
        })
    }

    /// Makes an account; says whether the name was free. Of two at once, one gets it.
    ///
    /// # Errors
    ///
    /// [`AccountsError`].
    pub async fn insert(
        &self,
        name: AccountName,
        hash: PasswordHash,
    ) -> Result<bool, AccountsError> {
        let insert = move |transaction: &WriteTransaction| {
            let mut table = transaction.open_table(ACCOUNTS)?;
            let is_free = table.get(name.as_str())?.is_none();
            if is_free {
                table.insert(name.as_str(), hash.as_str())?;
            }
            Ok(is_free)
        };
        self.run(|database| write(database, insert)).await
    }

    /// Finds the hash of an account's password.
    ///
    /// # Errors
    ///
    /// [`AccountsError`].
    pub async fn hash_of(&self, name: &str) -> Result<Option<PasswordHash>, AccountsError> {
        let name = name.to_owned();
        let find = move |database: &Database| {
            let table = database.begin_read()?.open_table(ACCOUNTS)?;
            let stored = table.get(name.as_str())?;
            Ok(stored.map(|phc| PasswordHash::from_stored(phc.value())))
        };
        self.run(find).await
    }

    /// Puts another hash in place of `old`; says whether it still was there.
    ///
    /// # Errors
    ///
    /// [`AccountsError`].
    pub async fn replace_hash(
        &self,
        name: &str,
        old: PasswordHash,
        new: PasswordHash,
    ) -> Result<bool, AccountsError> {
        let name = name.to_owned();
        let replace = move |transaction: &WriteTransaction| {
            let mut table = transaction.open_table(ACCOUNTS)?;
            let stored = table.get(name.as_str())?;
            let is_there = stored.is_some_and(|phc| phc.value() == old.as_str());
            if is_there {
                table.insert(name.as_str(), new.as_str())?;
            }
            Ok(is_there)
        };
        self.run(|database| write(database, replace)).await
    }

    /// Works on the database off the runtime's threads: it waits for the disk.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, AccountsError> {
        let database = Arc::clone(&self.database);
        let done = spawn_blocking(move || database.with(work)).await;
        let done = done.map_err(|panic| AccountsError(panic.into()))?;
        done.map_err(AccountsError)
    }
}

fn make_table(database: &Database) -> Result<(), redb::Error> {
    write(database, |transaction| {
        transaction.open_table(ACCOUNTS)?;
        Ok(())
    })
}

fn write<T>(
    database: &Database,
    work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Opening after a crash is quick only if the last commit was made so.
    transaction.set_quick_repair(true);
    let result = work(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// The accounts could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("accounts could not be read or written")]
pub struct AccountsError(#[source] Box<dyn std::error::Error + Send + Sync>);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::new(text).unwrap()
    }

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::from_stored(text)
    }

    fn accounts(directory: &tempfile::TempDir) -> Accounts {
        Accounts::open(directory.path().join("accounts")).unwrap()
    }

    #[test]
    fn bounds_of_a_name() {
        let longest = "\u{1f600}".repeat(64);
        let cases = [
            ("", Err(InvalidName::Empty)),
            (" \t\n ", Err(InvalidName::Empty)),
            ("a", Ok("a")),
            ("  ann \n", Ok("ann")),
            ("Ann", Ok("Ann")),
            ("ann b", Ok("ann b")),
            ("<b>'\"&", Ok("<b>'\"&")),
            (&longest, Ok(longest.as_str())),
            (&format!("{longest}a"), Err(InvalidName::TooLong)),
            ("a\0b", Err(InvalidName::Control)),
            ("a\nb", Err(InvalidName::Control)),
            ("a\u{85}b", Err(InvalidName::Control)),
        ];
        for (text, expected) in cases {
            let result = AccountName::new(text);
            let result = result.as_ref().map(AccountName::as_str);
            assert_eq!(result, expected.as_ref().copied(), "{text:?}");
        }
    }

    #[test]
    fn every_name_is_a_user_key() {
        let longest = name(&"\u{1f600}".repeat(AccountName::MAX_CHARS));
        sessionup::UserKey::new(longest.as_str()).unwrap();
    }

    #[tokio::test]
    async fn taken_name_is_refused_and_keeps_its_hash() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = accounts(&directory);

        assert!(accounts.insert(name("ann"), hash("1")).await.unwrap());
        assert!(!accounts.insert(name("ann"), hash("2")).await.unwrap());
        assert!(accounts.insert(name("Ann"), hash("3")).await.unwrap());

        assert_eq!(accounts.hash_of("ann").await.unwrap(), Some(hash("1")));
        assert_eq!(accounts.hash_of("Ann").await.unwrap(), Some(hash("3")));
        assert_eq!(accounts.hash_of("bob").await.unwrap(), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_at_once_one_gets_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = accounts(&directory);

        let tries: Vec<_> = (0..16)
            .map(|number| {
                let accounts = accounts.clone();
                let hash = hash(&number.to_string());
                tokio::spawn(async move { accounts.insert(name("ann"), hash).await.unwrap() })
            })
            .collect();
        let mut winners = Vec::new();
        for (number, attempt) in tries.into_iter().enumerate() {
            if attempt.await.unwrap() {
                winners.push(hash(&number.to_string()));
            }
        }

        assert_eq!(winners.len(), 1);
        assert_eq!(accounts.hash_of("ann").await.unwrap(), winners.pop());
    }

    #[tokio::test]
    async fn accounts_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let first = accounts(&directory);
        first.insert(name("ann"), hash("1")).await.unwrap();
        drop(first);

        let second = accounts(&directory);
        assert_eq!(second.hash_of("ann").await.unwrap(), Some(hash("1")));
        assert!(!second.insert(name("ann"), hash("2")).await.unwrap());
    }

    #[tokio::test]
    async fn hash_is_replaced_only_if_it_is_the_one_that_was_verified() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = accounts(&directory);
        accounts.insert(name("ann"), hash("1")).await.unwrap();

        let replace = |name, old, new| accounts.replace_hash(name, hash(old), hash(new));
        assert!(replace("ann", "1", "2").await.unwrap());
        assert!(!replace("ann", "1", "3").await.unwrap());
        assert!(!replace("bob", "1", "3").await.unwrap());

        assert_eq!(accounts.hash_of("ann").await.unwrap(), Some(hash("2")));
        assert_eq!(accounts.hash_of("bob").await.unwrap(), None);
    }
}
