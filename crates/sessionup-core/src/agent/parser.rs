//! Which parser reads the header: ours, or the application's.

use std::fmt;
use std::sync::Arc;

use super::Agent;

/// What makes an agent of a header.
#[derive(Clone, Default)]
pub(crate) struct AgentParser(Option<Arc<Parse>>);

type Parse = dyn Fn(&[u8]) -> Agent + Send + Sync;

impl AgentParser {
    pub(crate) fn new(parse: impl Fn(&[u8]) -> Agent + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(parse)))
    }

    /// Parses a header of bounded length. Nothing is known of an empty one.
    pub(crate) fn parse(&self, header: &[u8]) -> Agent {
        match &self.0 {
            None => Agent::parse(header),
            Some(_) if header.is_empty() => Agent::default(),
            Some(parse) => {
                let mut agent = parse(header);
                cut(&mut agent.os);
                cut(&mut agent.browser);
                agent
            }
        }
    }
}

/// Cuts a name where the last character ends that fits wholly.
fn cut(name: &mut String) {
    if name.len() > Agent::MAX_NAME_BYTES {
        let ends = name.char_indices().map(|(at, _)| at);
        let end = ends.take_while(|at| *at <= Agent::MAX_NAME_BYTES).last();
        name.truncate(end.unwrap_or_default());
    }
}

impl fmt::Debug for AgentParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "<fn>" } else { "default" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        let letters = |count: usize| "a".repeat(count);
        let cases = [
            (String::new(), String::new()),
            (letters(64), letters(64)),
            (letters(65), letters(64)),
            (letters(1 << 20), letters(64)),
            // A crab is four bytes long.
            (letters(60) + "\u{1f980}", letters(60) + "\u{1f980}"),
            (letters(61) + "\u{1f980}", letters(61)),
            (letters(63) + "\u{1f980}", letters(63)),
            ("\u{1f980}".repeat(99), "\u{1f980}".repeat(16)),
        ];
        let echo = AgentParser::new(|header| {
            let text = String::from_utf8_lossy(header);
            Agent::new(text.clone(), text)
        });
        for (name, cut) in cases {
            let agent = echo.parse(name.as_bytes());
            assert_eq!((agent.os, agent.browser), (cut.clone(), cut));
        }
    }

    #[test]
    fn printing_tells_which_parser_it_is() {
        let own = AgentParser::new(|_| Agent::default());
        let printed = format!("{:?} {own:?}", AgentParser::default());
        assert_eq!(printed, "default <fn>");
    }
}
