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

    /// File for accounts and sessions; made if it does not exist.
    #[arg(long, value_name = "FILE", default_value = "demo.redb")]
    pub db: PathBuf,

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
    const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
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
        assert_eq!(args.admin, None);
        assert_eq!(args.cookies, Cookies::default());
    }

    #[test]
    fn everything_can_be_said() {
        let line = "demo --listen [::1]:0 --db /tmp/x.redb --admin ann --insecure-http --from-go";
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(args.listen.to_string(), "[::1]:0");
        assert_eq!(args.db, PathBuf::from("/tmp/x.redb"));
        assert_eq!(args.admin.as_deref(), Some("ann"));
        assert!(args.cookies.insecure_http && args.cookies.from_go);
    }

    #[test]
    fn mistakes_are_refused() {
        for line in [
            "demo --listen 3000",
            "demo --listen localhost:3000",
            "demo --port 3000",
            "demo file.redb",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
