//! Which requests may change something. Pure: from method, target and headers to a verdict.

#[cfg(test)]
mod tests;

use http::header::{AsHeaderName, HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, Method, Uri};

use super::origin::{Authority, InvalidOrigin, Origin};

/// The rules of the [module](super).
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    trusted: Vec<Origin>,
}

/// Why a request is refused. For logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrossSite {
    /// The browser says that it comes from elsewhere.
    FetchSite,
    /// Its origin is not what it is for.
    Origin,
    /// What it says of itself is ambiguous, empty or no text.
    Unclear,
}

impl CrossSite {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::FetchSite => "sec-fetch-site",
            Self::Origin => "origin",
            Self::Unclear => "unclear",
        }
    }
}

impl Policy {
    pub(super) fn trust(&mut self, origin: &str) -> Result<(), InvalidOrigin> {
        let origin = Origin::parse(origin).ok_or_else(|| InvalidOrigin {
            origin: origin.into(),
        })?;
        self.trusted.push(origin);
        Ok(())
    }

    pub(super) fn verify(
        &self,
        method: &Method,
        target: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), CrossSite> {
        // A WebSocket begins as a GET, with the user's cookie, and then does whatever it likes.
        let only_reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if only_reads && !headers.contains_key(UPGRADE) {
            return Ok(());
        }
        let site = field(headers, "sec-fetch-site")?;
        if matches!(site, Some("same-origin" | "none")) {
            return Ok(());
        }
        let origin = field(headers, ORIGIN)?.map(Origin::parse);
        if let Some(Some(origin)) = &origin
            && self.trusted.contains(origin)
        {
            return Ok(());
        }
        match (site, origin) {
            (Some(_), _) => Err(CrossSite::FetchSite),
            (None, None) => Ok(()),
            (None, Some(None)) => Err(CrossSite::Origin),
            (None, Some(Some(origin))) => verify_own(&origin, target, headers),
        }
    }
}

fn verify_own(origin: &Origin, target: &Uri, headers: &HeaderMap) -> Result<(), CrossSite> {
    // That the target is `http` says nothing: TLS may end at a proxy. The other way round it does.
    let may_be_own = match &*origin.scheme {
        "http" => target.scheme_str() != Some("https"),
        "https" => true,
        _ => false,
    };
    let own = own_authority(&origin.scheme, target, headers)?;
    if may_be_own && own == origin.authority {
        Ok(())
    } else {
        Err(CrossSite::Origin)
    }
}

/// Finds out what host and port the request is for, as far as it says so without contradiction.
fn own_authority(scheme: &str, target: &Uri, headers: &HeaderMap) -> Result<Authority, CrossSite> {
    let parse = |text: &str| {
        let authority = Authority::parse(text).ok_or(CrossSite::Unclear)?;
        Ok(authority.without_default_port(scheme))
    };
    let host = field(headers, HOST)?.map(parse).transpose()?;
    let target = target
        .authority()
        .map(|authority| parse(authority.as_str()));
    match (target.transpose()?, host) {
        (Some(target), Some(host)) if target != host => Err(CrossSite::Unclear),
        (Some(authority), _) | (None, Some(authority)) => Ok(authority),
        (None, None) => Err(CrossSite::Unclear),
    }
}

/// Reads a field that may be there once.
fn field(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, CrossSite> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) if !text.is_empty() => Ok(Some(text)),
            _ => Err(CrossSite::Unclear),
        },
        (Some(_), Some(_)) => Err(CrossSite::Unclear),
    }
}
