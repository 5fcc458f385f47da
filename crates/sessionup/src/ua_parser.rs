//! Agents by the regular expressions of the uap-core project, which the application supplies.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_saphyr::from_str;
use sessionup_core::Agent;
use ua_parser::{Regexes, os, user_agent};

/// Parses `User-Agent` headers by the file `regexes.yaml` of the [uap-core] project.
///
/// It knows more browsers than [`Agent::parse`], and systems by other names (`Mac OS X` for
/// `macOS`), so with [`validate`](sessionup_core::ManagerBuilder::validate) on, sessions from before
/// do not fit. The kind of device is that of [`Agent::parse`], and so is the rule that a system has
/// no version. Building one takes some tenths of a second and 10 MiB or more; a header then takes
/// microseconds, however it is made, since these regular expressions do not backtrack.
///
/// The file is not part of this crate. Take it from a release, and renew it now and then.
///
/// ```
/// use sessionup::{Manager, MemoryStore, UaParser};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("regexes.yaml");
/// # std::fs::write(&path, "user_agent_parsers: []\nos_parsers: []\ndevice_parsers: []")?;
/// let parser = UaParser::from_path(path)?;
/// let manager = Manager::builder(MemoryStore::new())
///     .agent_parser(move |header| parser.parse(header))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [uap-core]: https://github.com/ua-parser/uap-core
pub struct UaParser {
    browsers: user_agent::Extractor<'static>,
    systems: os::Extractor<'static>,
}

impl UaParser {
    /// How large the file may be, in bytes. In 2026 it has 210 thousand.
    pub const MAX_FILE_BYTES: u64 = 4 << 20;

    /// Builds a parser from a file.
    ///
    /// # Errors
    ///
    /// [`UaParserError`] if it cannot be read, is too large, or is no such file.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, UaParserError> {
        Self::from_reader(File::open(path).map_err(UaParserError::Read)?)
    }

    /// Builds a parser from the bytes of such a file.
    ///
    /// # Errors
    ///
    /// [`UaParserError`] if they cannot be read, are too many, or are no such file.
    pub fn from_reader(reader: impl Read) -> Result<Self, UaParserError> {
        let mut yaml = String::new();
        let mut bounded = reader.take(Self::MAX_FILE_BYTES.saturating_add(1));
        bounded
            .read_to_string(&mut yaml)
            .map_err(UaParserError::Read)?;
        if bounded.limit() == 0 {
            return Err(UaParserError::TooLarge);
        }
        Self::compile(from_str(&yaml).map_err(UaParserError::format)?)
    }

    fn compile(regexes: Regexes<'static>) -> Result<Self, UaParserError> {
        let browsers = user_agent::Builder::new()
            .push_all(regexes.user_agent_parsers)
            .map_err(UaParserError::regex)?;
        let systems = os::Builder::new()
            .push_all(regexes.os_parsers)
            .map_err(UaParserError::regex)?;
        Ok(Self {
            browsers: browsers.build().map_err(UaParserError::regex)?,
            systems: systems.build().map_err(UaParserError::regex)?,
        })
    }

    /// Parses a header; what is not recognised stays empty. Bytes after
    /// [`Agent::MAX_HEADER_BYTES`] and bytes that are no UTF-8 are ignored.
    ///
    /// The names may hold what the client wrote: escape them where they are shown.
    #[must_use]
    pub fn parse(&self, header: &[u8]) -> Agent {
        let head = header.get(..Agent::MAX_HEADER_BYTES).unwrap_or(header);
        let text = String::from_utf8_lossy(head);
        let system = self.systems.extract(&text);
        let browser = self.browsers.extract(&text);

        let version = browser.as_ref().and_then(|browser| browser.major);
        let mut agent = Agent::new(
            system.map(|system| system.os).unwrap_or_default(),
            browser
                .as_ref()
                .map(|browser| browser.family.as_ref())
                .unwrap_or_default(),
        );
        agent.version = version.and_then(|version| version.parse().ok());
        agent.kind = Agent::parse(head).kind;
        agent
    }
}

impl std::fmt::Debug for UaParser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UaParser").finish_non_exhaustive()
    }
}

/// Why there is no parser. Found when the application starts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UaParserError {
    /// It is no `regexes.yaml`.
    #[error("the file is no regexes.yaml of uap-core")]
    Format(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be read, or is no UTF-8.
    #[error("the regular expressions for agents cannot be read")]
    Read(#[source] io::Error),
    /// One of its regular expressions cannot be used.
    #[error("a regular expression for agents cannot be used")]
    Regex(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is larger than [`UaParser::MAX_FILE_BYTES`].
    #[error("the file is larger than {} bytes", UaParser::MAX_FILE_BYTES)]
    TooLarge,
}

impl UaParserError {
    fn format(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Format(error.into())
    }

    fn regex(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Regex(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use sessionup_core::DeviceKind;

    use super::*;

    /// In the form of the file, with a few lines of our own.
    const YAML: &str = r#"
user_agent_parsers:
  - regex: '(Nightjar)/(\d+)\.(\d+)'
  - regex: 'Heron-(\w+)'
    family_replacement: 'Heron $1'
os_parsers:
  - regex: 'HaikuOS'
    os_replacement: 'Haiku'
  - regex: '(Plan) ?(\d)'
    os_replacement: '$1 $2'
device_parsers: []
"#;

    fn parser() -> UaParser {
        UaParser::from_reader(YAML.as_bytes()).unwrap()
    }

    #[test]
    fn tells_what_the_file_says() {
        let cases = [
            ("Nightjar/12.3 (HaikuOS)", "Haiku", "Nightjar", Some(12)),
            ("Nightjar/99999999999.3", "", "Nightjar", None),
            ("Heron-grey (Plan9)", "Plan 9", "Heron grey", None),
            ("Firefox/140.0", "", "", None),
            ("", "", "", None),
        ];
        let parser = parser();
        for (header, os, browser, version) in cases {
            let agent = parser.parse(header.as_bytes());
            let told = (&*agent.os, &*agent.browser, agent.version);
            assert_eq!(told, (os, browser, version), "{header}");
        }
    }

    #[test]
    fn kind_of_device_is_ours_to_tell() {
        let header = b"Mozilla/5.0 (iPhone; HaikuOS) Nightjar/1.0 Mobile/1";
        assert_eq!(parser().parse(header).kind, DeviceKind::Mobile);
        assert_eq!(parser().parse(b"curl/8.14.1").kind, DeviceKind::Tool);
    }

    #[test]
    fn hostile_headers_are_bounded() {
        let parser = parser();
        let unknown = [
            vec![b'('; 1 << 20],
            vec![0; 512],
            vec![0xff; 512],
            [&[b' '; Agent::MAX_HEADER_BYTES], b"Nightjar/1.2".as_slice()].concat(),
        ];
        for header in unknown {
            assert!(parser.parse(&header).is_unknown(), "{:?}", header.get(..9));
        }
        let long = [b"Heron-".as_slice(), &[b'a'; 1 << 20]].concat();
        assert!(parser.parse(&long).browser.len() <= Agent::MAX_HEADER_BYTES);
        // A crab is four bytes long: it ends before, on or after the limit.
        for padding in Agent::MAX_HEADER_BYTES - 16..Agent::MAX_HEADER_BYTES - 12 {
            let header = format!("{}Nightjar/1.2\u{1f980}", " ".repeat(padding));
            let agent = parser.parse(header.as_bytes());
            assert_eq!(agent.browser, "Nightjar", "{padding}");
        }
    }

    #[test]
    fn files_that_are_none_are_refused() {
        let of = |yaml: &[u8]| UaParser::from_reader(yaml).unwrap_err();
        let with = |regex: &str| of(YAML.replace("HaikuOS", regex).as_bytes());
        assert!(matches!(of(b""), UaParserError::Format(_)));
        assert!(matches!(of(b"a: ["), UaParserError::Format(_)));
        assert!(matches!(of(b"os_parsers: []"), UaParserError::Format(_)));
        assert!(matches!(of(b"\xff"), UaParserError::Read(_)));
        assert!(matches!(with("("), UaParserError::Regex(_)));
        assert!(with("(").source().is_some());
        let missing = UaParser::from_path("there/is/no/such/file");
        assert!(matches!(missing, Err(UaParserError::Read(_))));

        let mut large = YAML.as_bytes().to_vec();
        let bound = usize::try_from(UaParser::MAX_FILE_BYTES).unwrap();
        large.resize(bound, b'\n');
        let _at_the_bound = UaParser::from_reader(&*large).unwrap();
        large.push(b'\n');
        assert!(matches!(of(&large), UaParserError::TooLarge));
    }

    #[test]
    fn file_is_read_from_a_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("regexes.yaml");
        std::fs::write(&path, YAML).unwrap();
        let parser = UaParser::from_path(&path).unwrap();
        assert_eq!(parser.parse(b"Nightjar/1.2").browser, "Nightjar");
        assert_eq!(format!("{parser:?}"), "UaParser { .. }");
    }
}
