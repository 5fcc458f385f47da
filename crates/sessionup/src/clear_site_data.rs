//! Telling a browser to forget.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The field `Clear-Site-Data: "cache", "cookies", "storage"`: the browser forgets what it keeps of
/// the site (ASVS 5.0 14.3.1; W3C Clear Site Data).
///
/// For the response to a logout, so that the next person at the browser finds nothing of this one.
///
/// - `"cookies"` takes *all* cookies of the registrable domain, those of `shop.example.org` when
///   `app.example.org` sends it, and those that the same response sets. The removal of the
///   session's own cookie beside it asks for the same, and is what counts for clients that do not
///   know the field; the two do not get into each other's way.
/// - `"storage"` takes local storage, databases and service workers of this origin alone, `"cache"`
///   what it has cached.
/// - Browsers heed it over HTTPS and on localhost only.
/// - Chromium searches its whole cache for `"cache"`, also what other sites left there, before it goes
///   on: more than a second with some ten thousand entries. If your pages for users have
///   `Cache-Control: no-store`, there is nothing in the cache to forget; leave this out and send
///   `"cookies", "storage"` yourself, or see
#[cfg_attr(
    feature = "endpoints",
    doc = "  [`keep_site_data`](crate::endpoints::UserEndpoints::keep_site_data)."
)]
#[cfg_attr(not(feature = "endpoints"), doc = "  `UserEndpoints::keep_site_data`.")]
///
/// In axum it is a part of a response; elsewhere call [`insert_into`](Self::insert_into).
///
/// ```
/// use axum::response::{IntoResponse, Redirect};
/// use sessionup::{ClearSiteData, HttpError, Sessions};
///
/// async fn logout(sessions: Sessions) -> Result<impl IntoResponse, HttpError> {
///     sessions.revoke().await?;
///     Ok((ClearSiteData, Redirect::to("/")))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
#[must_use = "it does nothing before it is part of a response"]
pub struct ClearSiteData;

impl ClearSiteData {
    /// The value of the field.
    pub const VALUE: &str = r#""cache", "cookies", "storage""#;

    /// Puts the field among the headers of a response, in place of any other.
    ///
    /// ```
    /// use sessionup::ClearSiteData;
    ///
    /// let mut response = http::Response::new(());
    /// ClearSiteData.insert_into(response.headers_mut());
    /// assert_eq!(response.headers()["clear-site-data"], ClearSiteData::VALUE);
    /// ```
    pub fn insert_into(self, headers: &mut HeaderMap) {
        let name = HeaderName::from_static("clear-site-data");
        headers.insert(name, HeaderValue::from_static(Self::VALUE));
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponseParts for ClearSiteData {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: axum::response::ResponseParts,
    ) -> Result<axum::response::ResponseParts, Self::Error> {
        self.insert_into(response.headers_mut());
        Ok(response)
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for ClearSiteData {
    fn into_response(self) -> axum::response::Response {
        (self, ()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_there_once_and_names_quoted_types() {
        let mut headers = HeaderMap::new();
        headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
        ClearSiteData.insert_into(&mut headers);

        let values: Vec<_> = headers.get_all("clear-site-data").iter().collect();
        assert_eq!(values, [r#""cache", "cookies", "storage""#]);
    }

    #[cfg(feature = "axum")]
    #[test]
    fn it_is_a_part_of_a_response_and_a_response() {
        use axum::response::IntoResponse;

        let with_text = (http::StatusCode::ACCEPTED, ClearSiteData, "bye").into_response();
        assert_eq!(with_text.status(), 202);
        for response in [with_text, ClearSiteData.into_response()] {
            let value = &response.headers()["clear-site-data"];
            assert_eq!(value, ClearSiteData::VALUE);
        }
    }
}
