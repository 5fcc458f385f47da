//! From arguments to a server that runs until it is told to stop.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use sessionup::{CleanupErrors, ConfigError, Manager, Store};
use sessionup_redb::{OpenError, RedbStore};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::accounts::{AccountName, Accounts, AccountsError};
use crate::address;
use crate::app::{AppState, app};
use crate::args::{Args, Cookies};
use crate::database::OpenDatabaseError;
use crate::passwords::{HashingFailed, Passwords};
use crate::shutdown::Signals;

/// How often expired sessions are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);
/// How long a login lasts.
const LOGIN_LASTS: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How long requests under way may take once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until Ctrl-C or SIGTERM. Prints the address to open once it listens.
///
/// # Errors
///
/// [`StartError`] says what to do.
pub async fn run(args: &Args) -> Result<(), StartError> {
    let listener = listen(args.listen).await?;
    let (store, accounts) = open_files(args).await?;
    let manager = manager(store.clone(), args.cookies)?;
    let admin = admin(&accounts, args.admin.as_deref()).await?;
    let (stop, stopping) = watch::channel(false);
    let mut state = AppState::new(accounts, Passwords::new()?, manager).stopped_by(stopping);
    if let Some(admin) = admin {
        state = state.administrated_by(admin);
    }
    let signals = Signals::listen().map_err(StartError::Signals)?;

    tokio::spawn(log_cleanup_errors(store.cleanup_errors()));
    let address = listener.local_addr().map_err(StartError::Serve)?;
    address::announce(address, args.cookies.insecure_http);
    serve(listener, app(state), signals, stop).await?;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens the sessions off the runtime's threads, and then the accounts. Waits a while for each if the
/// process that this one takes over from still has it.
async fn open_files(args: &Args) -> Result<(RedbStore, Accounts), StartError> {
    let lock_wait = Duration::from_secs(args.lock_wait.into());
    let path = args.db.clone();
    let opening = spawn_blocking(move || store(&path, lock_wait)).await;
    let store = opening.map_err(|panic| StartError::Serve(io::Error::other(panic)))??;
    Ok((
        store,
        open_accounts(&args.accounts_file(), lock_wait).await?,
    ))
}

async fn open_accounts(path: &Path, lock_wait: Duration) -> Result<Accounts, OpenDatabaseError> {
    let begun = Instant::now();
    loop {
        match Accounts::open(path) {
            Err(OpenDatabaseError::InUse { .. }) if begun.elapsed() < lock_wait => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}

/// Opens the sessions, and lets the owner of the file look at them and end them by other programs, where
/// there can be a socket for that.
fn store(path: &Path, lock_wait: Duration) -> Result<RedbStore, OpenError> {
    RedbStore::builder()
        .cleanup_interval(CLEANUP_INTERVAL)
        .lock_wait(lock_wait)
        .control(cfg!(unix))
        .control_optional(true)
        .open(path)
}

/// Makes the manager of sessions as the application wants them: a login survives the closing of the
/// browser, and lasts two weeks.
///
/// # Errors
///
/// [`ConfigError`] if settings contradict each other.
pub fn manager(store: impl Store, cookies: Cookies) -> Result<Manager, ConfigError> {
    let mut builder = Manager::builder(store).expires_in(LOGIN_LASTS);
    if cookies.insecure_http {
        builder = builder.insecure_http();
    }
    if cookies.from_go {
        builder = builder.cookie_name("sessionup").accept_imported_tokens();
    }
    builder.build()
}

/// Finds the account of the administrator. One that is not there could be registered by anybody.
async fn admin(accounts: &Accounts, name: Option<&str>) -> Result<Option<AccountName>, StartError> {
    let Some(name) = name else {
        return Ok(None);
    };
    let unknown = || StartError::UnknownAdmin { name: name.into() };
    let admin = AccountName::new(name).map_err(|_| unknown())?;
    match accounts.hash_of(admin.as_str()).await? {
        Some(_) => Ok(Some(admin)),
        None => Err(unknown()),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
        _ => StartError::Listen { address, source },
    })
}

async fn serve(
    listener: TcpListener,
    app: Router,
    mut signals: Signals,
    stop: watch::Sender<bool>,
) -> Result<(), StartError> {
    let mut stopped = stop.subscribe();
    let until_told = async move {
        signals.recv().await;
        tracing::info!("stopping");
        stop.send_replace(true);
    };
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(until_told);
    let patience = async {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server.into_future() => served.map_err(StartError::Serve),
        () = patience => {
            tracing::warn!("requests were still under way");
            Ok(())
        }
    }
}

async fn log_cleanup_errors(errors: CleanupErrors) {
    while let Some(error) = errors.recv().await {
        let cause = std::error::Error::source(&error).map(tracing::field::display);
        tracing::warn!(%error, cause, "expired sessions could not be deleted");
    }
}

/// Why the server could not start, or not go on, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The account of the administrator could not be looked for.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// Another program listens there.
    #[error(
        "cannot listen on {address}: the port is in use, stop the other program or choose another \
         port with --listen (port 0 takes a free one)"
    )]
    AddressInUse {
        /// Where.
        address: SocketAddr,
    },
    /// The settings of the sessions contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file of the accounts could not be opened.
    #[error("cannot open the accounts")]
    Database(#[from] OpenDatabaseError),
    /// No password can be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}, choose another address or port with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The server failed.
    #[error("cannot go on serving")]
    Serve(#[source] io::Error),
    /// Signals could not be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// The file of the sessions could not be opened.
    #[error("cannot open the sessions, choose another file with --db")]
    Store(#[from] OpenError),
    /// The account of the administrator does not exist.
    #[error(
        "there is no account {name:?}: start without --admin, register it, and start again, so that \
         nobody else registers the administrator"
    )]
    UnknownAdmin {
        /// What was given.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn open_accounts_in_use_waits_until_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        let former = Accounts::open(&path).unwrap();
        let none = open_accounts(&path, Duration::ZERO).await;
        assert!(
            matches!(none, Err(OpenDatabaseError::InUse { .. })),
            "{none:?}"
        );

        let mut opening = Box::pin(open_accounts(&path, Duration::from_secs(60)));
        assert!((&mut opening).now_or_never().is_none(), "it waits");
        drop(former);
        opening.await.unwrap();
    }
}
