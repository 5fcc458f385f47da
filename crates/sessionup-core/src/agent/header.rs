//! Holding a header against the tables.

use super::tables::{
    ANDROID_BROWSER, ANY, BOTS, BROWSERS, Form, IOS_WEBVIEW, PHONES, SAFARI, SYSTEMS, TELEVISIONS,
    TOOLS, VERSIONS_ELSEWHERE,
};
use super::{Agent, DeviceKind};

/// A header, ready to be compared with the tables.
pub(super) struct Header<'t> {
    text: &'t str,
    /// The text from each of its words on. A needle only counts where a word begins, so that
    /// `curl/` is not found in `libcurl/`.
    words: Vec<&'t str>,
    /// The characters that words begin with, a bit each. Most needles begin with none of them.
    initials: u128,
}

impl<'t> Header<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut in_word = false;
        let starts_word = |&(_, c): &(usize, char)| {
            let was_in_word = std::mem::replace(&mut in_word, c.is_ascii_alphanumeric());
            in_word && !was_in_word
        };
        let words: Vec<&str> = text
            .char_indices()
            .filter(starts_word)
            .filter_map(|(at, _)| text.get(at..))
            .collect();
        let initials = words.iter().fold(0, |bits, word| bits | initial(word));
        Self {
            text,
            words,
            initials,
        }
    }

    pub(super) fn agent(&self) -> Agent {
        let (os, form) = self.system();
        let (program, kind) = if let Some(bot) = self.find(BOTS) {
            (bot, DeviceKind::Bot)
        } else if let Some(tool) = self.find(TOOLS) {
            (tool, DeviceKind::Tool)
        } else if self.is_nameless_bot() {
            (NAMELESS, DeviceKind::Bot)
        } else {
            (self.browser(os), self.device(form))
        };
        Agent {
            os: os.to_owned(),
            browser: program.name.to_owned(),
            version: program.version,
            kind,
        }
    }

    fn system(&self) -> (&'static str, Form) {
        let found = SYSTEMS.iter().find(|(needle, ..)| self.says(needle));
        let &(_, os, form) = found.unwrap_or(&("", "", ANY));
        (os, form)
    }

    fn browser(&self, os: &str) -> Program {
        let program = self.find(BROWSERS).unwrap_or(NAMELESS);
        match (program.name, os) {
            // Everything descended from WebKit says so. Apple's systems mean it, Windows did once.
            (SAFARI, "iOS" | "iPadOS" | "macOS" | "Windows") => program,
            (SAFARI, "Android") => Program {
                name: ANDROID_BROWSER,
                ..program
            },
            (IOS_WEBVIEW, "iOS" | "iPadOS") => program,
            (SAFARI | IOS_WEBVIEW, _) => NAMELESS,
            _ => program,
        }
    }

    fn device(&self, form: Form) -> DeviceKind {
        if self.says_any(TELEVISIONS) {
            return DeviceKind::Tv;
        }
        match form {
            Form::Is(kind) => kind,
            Form::Handheld if self.says_any(PHONES) => DeviceKind::Mobile,
            // Browsers on phones say so. Apps, which don't say Mozilla, need not.
            Form::Handheld if self.says("Mozilla/") => DeviceKind::Tablet,
            Form::Handheld => DeviceKind::Unknown,
        }
    }

    /// Whether the header speaks of a bot that no table names, as in `ExampleBot/1.0`.
    fn is_nameless_bot(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        // People own phones that call themselves CUBOT_P80 and M BOT 60.
        text.split("bot").skip(1).any(ends_product)
            || text.contains("crawl")
            || text.contains("spider")
    }

    /// The first program of a table that the header names.
    fn find(&self, table: &[(&'static str, &'static str)]) -> Option<Program> {
        table.iter().find_map(|&(needle, name)| {
            let rest = self.after(needle)?;
            let elsewhere = VERSIONS_ELSEWHERE
                .iter()
                .find(|(product, _)| *product == needle);
            let version = elsewhere
                .map_or(Some(rest), |(_, needle)| self.after(needle))
                .and_then(leading_number);
            Some(Program { name, version })
        })
    }

    fn says_any(&self, needles: &[&str]) -> bool {
        needles.iter().any(|needle| self.says(needle))
    }

    fn says(&self, needle: &str) -> bool {
        self.after(needle).is_some()
    }

    /// What follows the first word that begins with `needle`.
    fn after(&self, needle: &str) -> Option<&'t str> {
        if self.initials & initial(needle) == 0 {
            return None;
        }
        self.words.iter().find_map(|word| word.strip_prefix(needle))
    }
}

/// The bit of the ASCII character that a text begins with.
fn initial(text: &str) -> u128 {
    let first = text.bytes().next();
    first.map_or(0, |first| 1_u128.checked_shl(first.into()).unwrap_or(0))
}

/// Whether a product's name is over where this text begins: a version, comment or nothing follows.
fn ends_product(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with(['/', ';', ',', '.', '+', '-', '(', ')'])
}

/// The number that a text begins with, `None` without one or if it does not fit.
fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// What sent the request: a browser, an app, a bot, a tool.
#[derive(Clone, Copy)]
struct Program {
    name: &'static str,
    version: Option<u32>,
}

const NAMELESS: Program = Program {
    name: "",
    version: None,
};
