use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tower_layer::Layer;

use super::policy::Policy;
use super::refused::Refused;
use super::{InvalidOrigin, SameOrigin};
use crate::layer::{DefaultReject, Reject, Rejection};

/// Refuses requests that could change something and that another site made a browser send
/// (cross-site request forgery; ASVS 5.0 3.5.1 to 3.5.3).
///
/// The second wall beside a `SameSite` cookie, and the only one around a login form, which needs no
/// cookie, and against sibling subdomains, which are the same site. No tokens in forms are needed.
/// The rules are in [the module](crate::layer::same_origin). A refused request is answered with
/// 403 `{"error":"cross-site request"}`.
///
/// ```
/// use axum::{Router, routing::post};
/// use sessionup::{Manager, MemoryStore, SameOriginLayer, SessionLayers};
///
/// let sessions = Manager::builder(MemoryStore::new()).build()?;
/// let app: Router = Router::new()
///     .route("/login", post(|| async { "checks the password" }))
///     .layer(SameOriginLayer::new())
///     .layer(sessions.public());
/// # Ok::<(), sessionup::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a layer does nothing before it is added to a service"]
pub struct SameOriginLayer<R = DefaultReject> {
    policy: Arc<Policy>,
    refused: Arc<Refused>,
    reject: R,
}

impl SameOriginLayer {
    /// Makes a layer that trusts the application's own origin alone.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> SameOriginLayer<R> {
    /// Lets the pages of a further origin send requests, such as those of a frontend on a host of
    /// its own.
    ///
    /// `origin` is written as browsers do in the field `Origin`: `https://app.example.org`,
    /// `http://localhost:5173`. Scheme, host and port must all be the same; there are no patterns.
    /// Whoever controls a trusted origin can do anything in the name of its visitors.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`] if it is none, `null` included, which any page can send.
    ///
    /// ```
    /// use sessionup::SameOriginLayer;
    ///
    /// let layer = SameOriginLayer::new().trust("https://app.example.org")?;
    /// assert!(layer.trust("*.example.org").is_err());
    /// # Ok::<(), sessionup::layer::InvalidOrigin>(())
    /// ```
    pub fn trust(mut self, origin: impl AsRef<str>) -> Result<Self, InvalidOrigin> {
        Arc::make_mut(&mut self.policy).trust(origin.as_ref())?;
        Ok(self)
    }

    /// Answers refused requests in another way, such as with a page.
    ///
    /// `reject` is called with [`Rejection::CrossSite`]. With axum it ends with `.into_response()`.
    /// Write the closure in the call, or name the types of both its arguments, as at
    /// [`AuthLayer::reject`](crate::AuthLayer::reject).
    ///
    /// ```
    /// use axum::response::{Html, IntoResponse};
    /// use sessionup::SameOriginLayer;
    ///
    /// let layer = SameOriginLayer::new().reject(|rejection, _| {
    ///     (rejection.status(), Html("<p>Please go back and try again.")).into_response()
    /// });
    /// ```
    pub fn reject<F, B>(self, reject: F) -> SameOriginLayer<F>
    where
        F: Fn(&Rejection, &Parts) -> Response<B> + Clone + Send + Sync + 'static,
    {
        self.reject_with(reject)
    }

    /// Answers refused requests by a [`Reject`] that is no closure.
    pub fn reject_with<T: Reject>(self, reject: T) -> SameOriginLayer<T> {
        SameOriginLayer {
            policy: self.policy,
            refused: self.refused,
            reject,
        }
    }
}

impl<S, R: Clone> Layer<S> for SameOriginLayer<R> {
    type Service = SameOrigin<S, R>;

    fn layer(&self, inner: S) -> SameOrigin<S, R> {
        SameOrigin::new(
            inner,
            Arc::clone(&self.policy),
            Arc::clone(&self.refused),
            self.reject.clone(),
        )
    }
}
