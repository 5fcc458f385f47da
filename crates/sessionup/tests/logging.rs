//! That docs/logging.md has every line that is written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::path::Path;

/// A call of a macro of `tracing`: its level and message.
#[derive(Debug)]
struct Line {
    level: String,
    message: String,
}

/// Returns the text up to the parenthesis that closes the one before it, with its texts apart.
fn texts_of_call(code: &str) -> Vec<String> {
    let (mut depth, mut texts, mut text, mut escaped) = (1, Vec::new(), None, false);
    for char in code.chars() {
        match (&mut text, char) {
            (Some(_), '\\') if !escaped => escaped = true,
            (Some(_), '"') if !escaped => texts.extend(text.take()),
            (Some(text), char) => {
                String::push(text, char);
                escaped = false;
            }
            (None, '"') => text = Some(String::new()),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
        if depth == 0 {
            break;
        }
    }
    texts
}

fn lines_of(code: &str) -> Vec<Line> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let calls = code.split("tracing::").skip(1);
    let calls = calls.filter_map(|call| {
        let (level, rest) = call.split_once("!(")?;
        let is_level = ["error", "warn", "info", "debug", "trace"].contains(&level);
        // The first text is the target, the last one the message.
        let message = texts_of_call(rest).pop().filter(|_| is_level)?;
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let level = level.to_ascii_uppercase();
        Some(Line { level, message })
    });
    calls.collect()
}

fn visit(folder: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                visit(&path, see);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            see(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_log_line_is_in_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/logging.md")).unwrap();
    let (mut lines, mut missing) = (0, Vec::new());
    for name in ["sessionup", "sessionup-core", "sessionup-redb"] {
        visit(
            &root.join("crates").join(name).join("src"),
            &mut |path, code| {
                for Line { level, message } in lines_of(code) {
                    // What an extractor says is the text of its error.
                    let message = match &*message {
                        "{self}" => sessionup_text(),
                        _ => message,
                    };
                    lines += 1;
                    let row = format!("| {level} | `");
                    let is_there = page.lines().any(|line| {
                        line.starts_with(&row) && line.contains(&format!("`{message}`"))
                    });
                    if !is_there {
                        missing.push(format!("{}: {level} {message:?}", path.display()));
                    }
                }
            },
        );
    }
    assert!(lines > 40, "{lines}");
    assert!(missing.is_empty(), "add to docs/logging.md: {missing:#?}");
}

fn sessionup_text() -> String {
    // In a page, a text with backticks stands between two of them.
    let text = include_str!("../src/extract.rs").split("#[error(\n").nth(1);
    let text = text.unwrap().split('"').nth(1).unwrap();
    format!("`{text}`")
}

#[test]
fn lines_of_code_are_found() {
    let code = r#"
        tracing::warn!(target: "a", %id, at = name(")"), "one \
             line (of two)");
        tracing::field::display(x);
        tracing::info!(target: "a", "two \"quoted\"");
    "#;
    let lines = lines_of(code).into_iter();
    let lines: Vec<_> = lines.map(|line| (line.level, line.message)).collect();
    let line = |level: &str, message: &str| (level.to_owned(), message.to_owned());
    let expected = [
        line("WARN", "one line (of two)"),
        line("INFO", "two \"quoted\""),
    ];
    assert_eq!(lines, expected);
}
