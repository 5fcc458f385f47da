//! What the command line says.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;

/// "Your devices": see where you are logged in, and log out any of those places.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo", version)]
#[non_exhaustive]
pub struct Args {
    /// Address and port to listen on; port 0 takes any that is free.
    #[arg(long, value_name = "IP:PORT", default_value_t = Self::LISTEN)]
    pub listen: SocketAddr,

    /// File for the sessions; made if it does not exist.
    #[arg(long, value_name = "FILE", default_value = "demo.redb")]
    pub db: PathBuf,

    /// File for the accounts; made if it does not exist. By default that of the sessions with
    /// `.accounts` after its name.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,

    /// How many seconds to wait for a server that has the sessions open and is ending.
    #[arg(long, value_name = "SECONDS", default_value_t = Self::LOCK_WAIT_SECONDS)]
    pub lock_wait: u32,

    /// Account that may see and log out everybody by the API; it must exist.
    #[arg(long, value_name = "NAME")]
    pub admin: Option<String>,

    /// Which cookies there are.
    #[command(flatten)]
    pub cookies: Cookies,
}

/// How the session cookie is sent and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
#[non_exhaustive]
pub struct Cookies {
    /// Send the session cookie over plain HTTP to hosts other than localhost too.
    #[arg(long)]
    pub insecure_http: bool,

    /// Go on from a server in Go whose sessions were imported: the cookie has the name of its, and
    /// those it issued are honoured.
    #[arg(long)]
    pub from_go: bool,
}

impl Args {
    const LOCK_WAIT_SECONDS: u32 = 5;
    const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

    /// Returns the path of the file for the accounts.
    #[must_use]
    pub fn accounts_file(&self) -> PathBuf {
        self.accounts.clone().unwrap_or_else(|| {
            let mut path = self.db.clone().into_os_string();
            path.push(".accounts");
            path.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn nothing_need_be_said() {
        let args = Args::try_parse_from(["demo"]).unwrap();
        assert_eq!(args.listen.to_string(), "127.0.0.1:3000");
        assert_eq!(args.db, PathBuf::from("demo.redb"));
        assert_eq!(args.accounts_file(), PathBuf::from("demo.redb.accounts"));
        assert_eq!(args.lock_wait, 5);
        assert_eq!(args.admin, None);
        assert_eq!(args.cookies, Cookies::default());
    }

    #[test]
    fn everything_can_be_said() {
        let line = "demo --listen [::1]:0 --db x.redb --accounts y --lock-wait 0 --admin ann \
            --insecure-http --from-go";
        let args = Args::try_parse_from(line.split_whitespace()).unwrap();
        assert_eq!(args.listen.to_string(), "[::1]:0");
        assert_eq!(args.db, PathBuf::from("x.redb"));
        assert_eq!(args.accounts_file(), PathBuf::from("y"));
        assert_eq!(args.lock_wait, 0);
        assert_eq!(args.admin.as_deref(), Some("ann"));
        assert!(args.cookies.insecure_http && args.cookies.from_go);
    }

    #[test]
    fn mistakes_are_refused() {
        for line in [
            "demo --listen 3000",
            "demo --listen localhost:3000",
            "demo --lock-wait -1",
            "demo --lock-wait 5s",
            "demo --port 3000",
            "demo file.redb",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
