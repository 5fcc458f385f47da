//! One route over HTTP: bare, and behind our `auth`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::Router;
use axum::routing::get;
use sessionup::SessionLayers;
use sessionup_core::{Manager, Store};
use subject::{Entry, Error, Subject};

use crate::sessions::token;

/// A server without a store: what everything else is compared with.
pub(crate) struct BareAxum;

/// What the route answers.
const ANSWER: &str = "Hello!";

fn route() -> Router {
    Router::new().route("/", get(|| async { ANSWER }))
}

/// Serves the route behind `auth`.
pub(crate) async fn behind_auth(
    store: impl Store,
    numbers: &[u64],
) -> Result<(u16, Vec<String>), Error> {
    let sessions = Manager::builder(store).build()?;
    let name = sessions.cookie_name().to_owned();
    let cookies = numbers.iter().map(|number| {
        let token = token(*number).expose();
        format!("{name}={}", *token)
    });
    let cookies = cookies.collect();
    let port = spawn(route().route_layer(sessions.auth())).await?;
    Ok((port, cookies))
}

/// Serves at a free port.
async fn spawn(app: Router) -> Result<u16, Error> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(port)
}

impl Subject for BareAxum {
    async fn open(_: &Path) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    async fn fill(&self, _: Vec<Entry>) -> Result<(), Error> {
        Ok(())
    }

    async fn create(&self, _: Entry) -> Result<(), Error> {
        Err("it has no sessions".into())
    }

    async fn fetch(&self, _: u64) -> Result<bool, Error> {
        Err("it has no sessions".into())
    }

    async fn list(&self, _: &str) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    async fn delete(&self, _: u64) -> Result<(), Error> {
        Err("it has no sessions".into())
    }

    async fn delete_user(&self, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn prune(&self) -> Result<bool, Error> {
        Ok(false)
    }

    async fn serve(&self, numbers: &[u64]) -> Result<Option<(u16, Vec<String>)>, Error> {
        // Requests are of the same size.
        let cookies = numbers.iter().map(|number| {
            let token = token(*number).expose();
            format!("__Host-sessionup={}", *token)
        });
        let cookies = cookies.collect();
        Ok(Some((spawn(route()).await?, cookies)))
    }
}
