//! The socket beside a database: its name, how it is made, and how it is reached.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The socket of the database at a path: its name with `.control` after it, beside the file itself,
/// whatever links lead there. The file may be gone; its directory may not.
pub(crate) fn beside(database: &Path) -> io::Result<PathBuf> {
    Ok(named(&file_itself(database)?, ".control"))
}

/// Follows all links to a file, whether or not there is one.
fn file_itself(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut path = std::path::absolute(path)?;
    for _ in 0..MOST_LINKS {
        let missing = match fs::canonicalize(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            found => return found,
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(missing);
        };
        let parent = fs::canonicalize(parent)?;
        match fs::read_link(&path) {
            Ok(target) => path = parent.join(target),
            Err(_) => return Ok(parent.join(name)),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Where a server listens beside a database, if one does.
#[cfg(unix)]
pub(crate) fn listens_beside(database: &Path) -> Option<PathBuf> {
    beside(database).ok().filter(|socket| listens(socket))
}

#[cfg(not(unix))]
pub(crate) fn listens_beside(_: &Path) -> Option<PathBuf> {
    None
}

fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File, Permissions};
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use super::{ErrorKind, Path, PathBuf, fs, io, named};

    pub(crate) type Stream = std::os::unix::net::UnixStream;

    /// A socket that listens under its name, until it is dropped.
    #[derive(Debug)]
    pub(crate) struct Bound {
        path: PathBuf,
        /// Device and number of the file.
        identity: (u64, u64),
    }

    impl Bound {
        /// Listens under a name, in place of a socket that a killed process left there. Only for who
        /// has the database open: if a server listens there nevertheless, it has another file open, and
        /// that is `AddrInUse`.
        ///
        /// Nobody but the owner can connect, at no moment: the socket is made in a directory that is
        /// closed to others, and put in its place when it is closed to them itself.
        pub(crate) fn listen(path: PathBuf) -> io::Result<(Self, UnixListener)> {
            match fs::symlink_metadata(&path) {
                Ok(found) if found.file_type().is_socket() => {
                    if listens(&path) {
                        return Err(ErrorKind::AddrInUse.into());
                    }
                }
                Ok(_) => return Err(foreign()),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            let workshop = Workshop::make(named(&path, ".new"))?;
            let made = workshop.socket();
            let listener = reach(&made, |short| UnixListener::bind(short))?;
            fs::set_permissions(&made, Permissions::from_mode(0o600))?;
            let found = fs::symlink_metadata(&made)?;
            let identity = (found.dev(), found.ino());
            fs::rename(&made, &path)?;
            Ok((Self { path, identity }, listener))
        }
    }

    impl Drop for Bound {
        fn drop(&mut self) {
            let found = fs::symlink_metadata(&self.path);
            // Whoever took over the database may listen there by now.
            if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
                // What cannot be removed refuses connections, and is replaced by the next store.
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    /// A directory that nobody else can look into, to make a socket in.
    struct Workshop(PathBuf);

    impl Workshop {
        fn make(path: PathBuf) -> io::Result<Self> {
            // Of a process that was killed here.
            drop(Self(path.clone()));
            DirBuilder::new().mode(0o700).create(&path)?;
            Ok(Self(path))
        }

        fn socket(&self) -> PathBuf {
            self.0.join("s")
        }

        fn clear(&self) {
            let _ = fs::remove_file(self.socket());
            let _ = fs::remove_dir(&self.0);
        }
    }

    impl Drop for Workshop {
        fn drop(&mut self) {
            self.clear();
        }
    }

    /// Connects. While too many others wait to be taken, waits for so long and is then `WouldBlock`.
    pub(crate) fn connect(path: &Path, patience: Duration) -> io::Result<Stream> {
        reach(path, |short| connect_within(short, patience))
    }

    /// Says whether somebody listens at a socket.
    pub(crate) fn listens(path: &Path) -> bool {
        match connect(path, Duration::ZERO) {
            Ok(_) => true,
            // Others wait to be taken.
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    #[cfg(target_os = "linux")]
    fn connect_within(path: &Path, patience: Duration) -> io::Result<Stream> {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Zero would be without end, and so are times that the system cannot count.
        let patience = patience.clamp(Duration::from_millis(1), Duration::from_secs(86_400));
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
        let address = SocketAddrUnix::new(path)?;
        rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &address))?;
        Ok(socket.into())
    }

    /// Elsewhere one is refused at once.
    #[cfg(not(target_os = "linux"))]
    fn connect_within(path: &Path, _: Duration) -> io::Result<Stream> {
        Stream::connect(path)
    }

    /// Most bytes of a socket's name that all systems take.
    const LONGEST: usize = 103;

    /// Names a socket so that the name is short enough: a long one by the number of its directory.
    fn reach<T>(path: &Path, work: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        if path.as_os_str().len() <= LONGEST || !cfg!(target_os = "linux") {
            return work(path);
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return work(path);
        };
        let directory = File::open(parent)?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&directory);
        work(&PathBuf::from(format!("/proc/self/fd/{number}")).join(name))
    }

    fn foreign() -> io::Error {
        io::Error::new(
            ErrorKind::AlreadyExists,
            "file of the control socket's name is no socket",
        )
    }
}

#[cfg(not(unix))]
pub(crate) use elsewhere::*;

/// Where there are no such sockets.
#[cfg(not(unix))]
mod elsewhere {
    use std::time::Duration;

    use super::{Path, io};

    #[derive(Debug)]
    pub(crate) enum Stream {}

    impl Stream {
        pub(crate) fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
            match *self {}
        }
    }

    impl io::Read for &Stream {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            match **self {}
        }
    }

    impl io::Write for &Stream {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            match **self {}
        }

        fn flush(&mut self) -> io::Result<()> {
            match **self {}
        }
    }

    pub(crate) fn connect(_: &Path, _: Duration) -> io::Result<Stream> {
        Err(unsupported())
    }

    pub(crate) fn unsupported() -> io::Error {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has no control sockets",
        )
    }
}
