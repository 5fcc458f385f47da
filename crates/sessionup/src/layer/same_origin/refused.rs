//! Log lines of refused requests.

use super::policy::CrossSite;
use crate::layer::occurrences::Occurrences;

/// Requests that one layer refused.
///
/// The 1st, 10th, 100th and so on for each reason has a line at level WARN, so that a wrong setup is
/// seen and a flood fills no log. All others are at level DEBUG. Nothing that the client sent is
/// written.
#[derive(Debug, Default)]
pub(super) struct Refused {
    by_fetch_site: Occurrences,
    by_origin: Occurrences,
    unclear: Occurrences,
}

impl Refused {
    pub(super) fn log(&self, cross_site: CrossSite) {
        let (occurrences, hint) = match cross_site {
            CrossSite::FetchSite => (&self.by_fetch_site, None),
            CrossSite::Origin => (&self.by_origin, Some(HOST)),
            CrossSite::Unclear => (&self.unclear, None),
        };
        let because = cross_site.as_str();
        match occurrences.count() {
            Some(requests) => tracing::warn!(
                target: "sessionup", because, requests, hint, "cross-site request refused"
            ),
            None => tracing::debug!(target: "sessionup", because, "cross-site request refused"),
        }
    }
}

const HOST: &str = "Origin is not Host. If a proxy rewrites Host, let it pass Host on, or name the \
    site by SameOriginLayer::trust";
