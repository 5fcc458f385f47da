//! What the benchmarks ask of a store, and the process that answers.
//!
//! Each store that is compared is a [`Subject`] in a process of its own, which [`main`] runs: it
//! takes a [`Request`] a line on its standard input and prints a [`Reply`] a line. So their memory
//! can be told apart, any of them can be killed, and one in another language or with other
//! dependencies takes part by speaking the same lines.

mod acts;
mod message;
mod population;
mod process;
mod work;

pub use message::{Among, Crowded, Figures, Reply, Request};
pub use population::{Entry, Population};
pub use process::main;

/// Whatever a store says that it cannot do what it should.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A store, as a server would use it: from the tasks of a multi-threaded tokio runtime.
///
/// Sessions have numbers, see [`Population`]; their content is given by [`Entry`].
pub trait Subject: Send + Sync + Sized + 'static {
    /// Opens the store whose files are in this directory, which is there and may be empty.
    fn open(directory: &std::path::Path) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Closes it cleanly.
    fn close(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes many sessions as fast as it can. What it does here is not measured.
    fn fill(&self, entries: Vec<Entry>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Makes a session under an id that is new: durable, if it is a store that has files.
    fn create(&self, entry: Entry) -> impl Future<Output = Result<(), Error>> + Send;

    /// Fetches a session with all of its content, and says whether there was a live one.
    fn fetch(&self, number: u64) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Lists a user's live sessions with their content, and says how many; `None` if it cannot.
    fn list(&self, user: &str) -> impl Future<Output = Result<Option<usize>, Error>> + Send;

    /// Ends a session, durably.
    fn delete(&self, number: u64) -> impl Future<Output = Result<(), Error>> + Send;

    /// Ends a user's sessions, durably, and says whether it can do such a thing.
    fn delete_user(&self, user: &str) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Deletes expired sessions, once through; says whether it can do such a thing.
    fn prune(&self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// How many times something was made durable so far, if that is known.
    fn commits(&self) -> Option<u64> {
        None
    }

    /// Other processes that serve it: their memory and what they write is its own too.
    fn servers(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Serves `GET /` over HTTP at a free port of the loopback interface, behind its middleware,
    /// which asks for a session; answers the port and a `Cookie` field for each of these numbers.
    /// `None` if it has no middleware.
    fn serve(
        &self,
        numbers: &[u64],
    ) -> impl Future<Output = Result<Option<(u16, Vec<String>)>, Error>> + Send;
}

/// The bytes of all files in a directory and below.
///
/// # Errors
///
/// If it cannot be read.
pub fn size_of_files(directory: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.metadata()? {
            folder if folder.is_dir() => size_of_files(&entry.path())?,
            file => file.len(),
        };
    }
    Ok(bytes)
}
