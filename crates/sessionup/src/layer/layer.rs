use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::request::Parts;
use sessionup_core::Manager;
use tower_layer::Layer;

use crate::Sessions;
use crate::layer::request::{self, Site};
use crate::layer::{Auth, DefaultReject, Public, Reject, Rejection};

/// Makes layers of a [`Manager`].
///
/// ```
/// use axum::{Router, routing::get};
/// use sessionup::{Manager, MemoryStore, SessionLayers};
///
/// let sessions = Manager::builder(MemoryStore::new()).build()?;
/// let app: Router = Router::new()
///     .route("/devices", get(|| async { "only for users" }))
///     .route_layer(sessions.auth())
///     .route("/", get(|| async { "for everybody" }))
///     .layer(sessions.public());
/// # Ok::<(), sessionup::ConfigError>(())
/// ```
pub trait SessionLayers: sealed::Sealed {
    /// Lets every request through, with a session if it has one.
    fn public(&self) -> PublicLayer;

    /// Lets only requests with a session through. Others are answered with 401, or 503 if the store
    /// cannot be asked; see [`AuthLayer::reject`].
    fn auth(&self) -> AuthLayer;

    /// Makes the handle of a request for this manager, where the layers are those of another one.
    ///
    /// For handlers that need two managers: users and visitors, ordinary logins and those to be
    /// remembered, the first and the second step of a login. No layer sees to the cookie of this
    /// handle. Call [`Sessions::finish`] with the headers of the response; in axum make the handle a
    /// part of the response.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Redirect};
    /// use axum::{Form, extract::State};
    /// use http::request::Parts;
    /// use sessionup::{HttpError, Manager, SessionLayers, Sessions};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Login { name: String, remember: Option<String> }
    ///
    /// /// `remembering` is `manager.derive().expires_in(…).build()?`.
    /// async fn login(
    ///     State(remembering): State<Manager>,
    ///     sessions: Sessions,
    ///     parts: Parts,
    ///     Form(form): Form<Login>,
    /// ) -> Result<impl IntoResponse, HttpError> {
    ///     let sessions = match form.remember {
    ///         Some(_) => remembering.handle(&parts),
    ///         None => sessions,
    ///     };
    ///     sessions.init(form.name).await?;
    ///     Ok((sessions, Redirect::to("/")))
    /// }
    /// ```
    fn handle(&self, request: &Parts) -> Sessions;
}

impl SessionLayers for Manager {
    fn public(&self) -> PublicLayer {
        PublicLayer {
            site: Site::new(self),
        }
    }

    fn auth(&self) -> AuthLayer {
        AuthLayer {
            site: Site::new(self),
            fresh_within: None,
            reject: DefaultReject,
        }
    }

    fn handle(&self, request: &Parts) -> Sessions {
        request::handle(self, &request.headers, &request.extensions)
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for sessionup_core::Manager {}
}

/// Lets every request through. Made by [`SessionLayers::public`].
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing before it is added to a service"]
pub struct PublicLayer {
    site: Arc<Site>,
}

impl<S> Layer<S> for PublicLayer {
    type Service = Public<S>;

    fn layer(&self, inner: S) -> Public<S> {
        Public::new(inner, Arc::clone(&self.site))
    }
}

/// Lets only requests with a session through. Made by [`SessionLayers::auth`].
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing before it is added to a service"]
pub struct AuthLayer<R = DefaultReject> {
    site: Arc<Site>,
    fresh_within: Option<Duration>,
    reject: R,
}

impl<R> AuthLayer<R> {
    /// Lets only requests through whose user proved who they are less than so long ago (ASVS 5.0
    /// 7.5.1): others are answered with 403.
    ///
    /// The page for it asks for the password again and calls
    /// [`reauthenticate`](sessionup_core::Sessions::reauthenticate).
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::{Router, routing::post};
    /// use sessionup::{Manager, MemoryStore, SessionLayers};
    ///
    /// let sessions = Manager::builder(MemoryStore::new()).build()?;
    /// let five_minutes = Duration::from_secs(5 * 60);
    /// let app: Router = Router::new()
    ///     .route("/account/delete", post(|| async { "gone" }))
    ///     .route_layer(sessions.auth().fresh_within(five_minutes));
    /// # Ok::<(), sessionup::ConfigError>(())
    /// ```
    pub const fn fresh_within(mut self, within: Duration) -> Self {
        self.fresh_within = Some(within);
        self
    }

    /// Answers rejected requests in another way, such as with a redirect to the login page.
    ///
    /// `reject` is called for 401 and for 503. Treating the second as the first tells users that
    /// they were logged out by an outage. With axum the closure ends with `.into_response()`; its body
    /// need not be that of the inner service.
    ///
    /// Write the closure in the call. A closure that is first bound to a variable needs the types of
    /// both arguments, or the compiler answers `implementation of FnOnce is not general enough`:
    ///
    /// ```
    /// use axum::{Router, response::{IntoResponse, Redirect}, routing::get};
    /// use sessionup::{Manager, MemoryStore, Rejection, SessionLayers};
    ///
    /// let sessions = Manager::builder(MemoryStore::new()).build()?;
    /// let app: Router = Router::new()
    ///     .route("/devices", get(|| async { "only for users" }))
    ///     .route_layer(sessions.auth().reject(|rejection, _| match rejection {
    ///         Rejection::Unauthenticated(_) => Redirect::to("/login").into_response(),
    ///         _ => rejection.to_response(),
    ///     }));
    ///
    /// // Bound to a variable:
    /// let home = |_: &Rejection, _: &http::request::Parts| Redirect::to("/").into_response();
    /// let auth = sessions.auth().reject(home);
    /// # Ok::<(), sessionup::ConfigError>(())
    /// ```
    pub fn reject<F, B>(self, reject: F) -> AuthLayer<F>
    where
        F: Fn(&Rejection, &Parts) -> Response<B> + Clone + Send + Sync + 'static,
    {
        self.reject_with(reject)
    }

    /// Answers rejected requests by a [`Reject`] that is no closure.
    pub fn reject_with<T: Reject>(self, reject: T) -> AuthLayer<T> {
        AuthLayer {
            site: self.site,
            fresh_within: self.fresh_within,
            reject,
        }
    }
}

impl<S, R: Clone> Layer<S> for AuthLayer<R> {
    type Service = Auth<S, R>;

    fn layer(&self, inner: S) -> Auth<S, R> {
        Auth::new(
            inner,
            Arc::clone(&self.site),
            self.fresh_within,
            self.reject.clone(),
        )
    }
}
