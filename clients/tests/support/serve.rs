//! An application in this process, served over a socket.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use axum::Router;
use tokio::runtime::{Builder, Runtime};

/// A server on loopback, on threads of its own. Stopped when dropped.
pub struct Served {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Served {
    /// Serves HTTP/1.1 and, to clients who know that it does, HTTP/2.
    pub fn new(app: Router) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        // Bound outside the runtime, for tests that are in one already.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, service).await
        });
        Self {
            address,
            runtime: Some(runtime),
        }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address by a name that leads to loopback.
    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address.port())
    }

    /// How many tasks of the server have not ended.
    pub fn tasks(&self) -> usize {
        let runtime = self.runtime.as_ref();
        runtime.map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
