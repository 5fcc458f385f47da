//! What a User-Agent header tells about a device, for people to recognise their own.
//!
//! The header is whatever the client likes to send. It is good enough to label a line on a
//! "your devices" page, and it proves nothing: never decide about access by it.

mod header;
mod parser;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use self::header::Header;
pub(crate) use self::parser::AgentParser;

/// What kind of device a request came from.
///
/// [`Self::as_str`] and serde write the same stable lower-case names.
///
/// ```
/// use sessionup_core::DeviceKind;
///
/// assert_eq!(DeviceKind::Mobile.as_str(), "mobile");
/// assert_eq!(DeviceKind::from_name("mobile"), Some(DeviceKind::Mobile));
/// assert_eq!(DeviceKind::default(), DeviceKind::Unknown);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeviceKind {
    /// A crawler, a link preview or a browser that nobody looks at.
    Bot,
    /// A games console.
    Console,
    /// A computer with a keyboard.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet or an e-book reader.
    Tablet,
    /// A command line tool or an HTTP library: curl, okhttp, python-requests.
    Tool,
    /// A television or the box below it.
    Tv,
    /// Anything else, or a header that does not tell.
    #[default]
    Unknown,
}

impl DeviceKind {
    /// All kinds. The last variant sets the length, so a new one cannot be forgotten here.
    const ALL: [Self; Self::Unknown as usize + 1] = [
        Self::Bot,
        Self::Console,
        Self::Desktop,
        Self::Mobile,
        Self::Tablet,
        Self::Tool,
        Self::Tv,
        Self::Unknown,
    ];

    /// Returns the stable lower-case name of the kind, as stores keep it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Console => "console",
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tool => "tool",
            Self::Tv => "tv",
            Self::Unknown => "unknown",
        }
    }

    /// Finds the kind with exactly this [name](Self::as_str), `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Tells whether nothing is known. Takes a reference because serde passes one.
    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

/// Operating system and browser of a client, as far as its User-Agent tells.
///
/// There is no version of the operating system, because browsers send a frozen one. A browser that
/// poses as another one to the letter is taken for it: Brave and Arc for Chrome, Tor Browser for
/// Firefox, Safari on an iPad for Safari on a Mac.
///
/// ```
/// use sessionup_core::{Agent, DeviceKind};
///
/// let agent = Agent::parse(
///     b"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
/// );
/// assert_eq!(agent.os, "Windows");
/// assert_eq!(agent.browser, "Firefox");
/// assert_eq!(agent.version, Some(140));
/// assert_eq!(agent.kind, DeviceKind::Desktop);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Agent {
    /// Name of the operating system, empty when unknown: `Windows`, `macOS`, `iOS`, `Android`.
    pub os: String,
    /// Name of the browser, app, bot or tool, empty when unknown: `Firefox`, `Googlebot`, `curl`.
    pub browser: String,
    /// Major version of the browser, `None` when unknown or no number that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Kind of device, not serialized when unknown.
    #[serde(skip_serializing_if = "DeviceKind::is_unknown")]
    pub kind: DeviceKind,
}

/// Writes the agent as people speak of it: `Firefox 140 on Linux`, or as much of it as is known.
///
/// ```
/// use sessionup_core::Agent;
///
/// assert_eq!(Agent::new("Linux", "Firefox").to_string(), "Firefox on Linux");
/// assert_eq!(Agent::new("", "curl").to_string(), "curl");
/// assert_eq!(Agent::default().to_string(), "unknown device");
/// ```
impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let browser = match self.version {
            Some(version) if !self.browser.is_empty() => format!("{} {version}", self.browser),
            _ => self.browser.clone(),
        };
        match (browser.as_str(), self.os.as_str()) {
            ("", "") => f.write_str("unknown device"),
            (browser, "") => f.write_str(browser),
            ("", os) => f.write_str(os),
            (browser, os) => write!(f, "{browser} on {os}"),
        }
    }
}

impl Agent {
    /// How much of a header is looked at, in bytes. Browsers send 80 to 200.
    pub const MAX_HEADER_BYTES: usize = 512;

    /// How long the names of system and browser are that a parser of the
    /// [application's](crate::ManagerBuilder::agent_parser) may give, in bytes; the rest is cut off.
    pub const MAX_NAME_BYTES: usize = 64;

    /// Parses a User-Agent header as it came from the client.
    ///
    /// Never fails: what is not recognised stays empty. `os` and `browser` are always names from
    /// this module's own tables, so nothing that a client writes gets into them. Bytes after
    /// [`Self::MAX_HEADER_BYTES`] and bytes that are no UTF-8 are ignored, which bounds the work.
    ///
    /// ```
    /// use sessionup_core::{Agent, DeviceKind};
    ///
    /// let agent = Agent::parse(b"curl/8.14.1");
    /// assert_eq!((agent.browser.as_str(), agent.kind), ("curl", DeviceKind::Tool));
    ///
    /// assert!(Agent::parse(b"<script>alert(1)</script>\xff\0").is_unknown());
    /// ```
    #[must_use]
    pub fn parse(user_agent: &[u8]) -> Self {
        let head = user_agent
            .get(..Self::MAX_HEADER_BYTES)
            .unwrap_or(user_agent);
        // A character that the cut leaves incomplete is replaced like any other invalid bytes.
        Header::new(&String::from_utf8_lossy(head)).agent()
    }

    /// Makes an agent from names that are already known, with neither version nor kind.
    ///
    /// For importers and tests. The names are taken as they are: escape them where they are shown,
    /// as any text.
    ///
    /// ```
    /// use sessionup_core::{Agent, DeviceKind};
    ///
    /// let mut agent = Agent::new("Linux", "Firefox");
    /// agent.kind = DeviceKind::Desktop;
    /// assert!(!agent.is_unknown());
    /// ```
    #[must_use]
    pub fn new(os: impl Into<String>, browser: impl Into<String>) -> Self {
        Self {
            os: os.into(),
            browser: browser.into(),
            ..Self::default()
        }
    }

    /// Tells whether neither operating system nor browser nor kind of device is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os.is_empty() && self.browser.is_empty() && self.kind.is_unknown()
    }
}
