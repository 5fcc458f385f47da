//! `sessionup completions` and `sessionup man`

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Arguments;
use crate::failure::{Failure, while_doing};
use crate::output;

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    // Generating panics if it cannot write, which to memory it can.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sessionup", &mut text);
    output::print(&String::from_utf8_lossy(&text))
}

pub(super) fn man(directory: Option<&Path>) -> Result<(), Failure> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    match directory {
        None => {
            if output::width().is_some() {
                output::hint("this is roff: read it with `sessionup man | man -l -`");
            }
            output::print(&page(&command)?)
        }
        Some(directory) => write_all(&command, directory),
    }
}

/// Writes the pages of a command and of those below it.
fn write_all(command: &clap::Command, directory: &Path) -> Result<(), Failure> {
    let path = directory.join(Man::new(command.clone()).get_filename());
    let failed = while_doing(format!("{} could not be written", path.display()));
    fs::write(&path, page(command)?).map_err(failed)?;
    for below in command.get_subcommands() {
        write_all(below, directory)?;
    }
    Ok(())
}

/// Writes the page of a command. Its last words have sections of their own.
fn page(command: &clap::Command) -> Result<String, Failure> {
    let man = Man::new(command.clone())
        .manual("sessionup")
        .source(format!("sessionup {}", env!("CARGO_PKG_VERSION")))
        .date("");
    let mut page = Vec::new();
    let mut render = || {
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        if command.get_arguments().next().is_some() {
            man.render_options_section(&mut page)?;
        }
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        Ok(())
    };
    render().map_err(while_doing("the manual page could not be written"))?;
    let last_words = command.get_after_help().map(ToString::to_string);
    let page = String::from_utf8_lossy(&page).into_owned();
    Ok(page + &sections(&last_words.unwrap_or_default()))
}

/// Makes sections of text: an unindented line with a colon at its end is the title of one.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    let mut is_filled = true;
    for line in text.lines() {
        let title = line.strip_suffix(':').filter(|_| !line.starts_with(' '));
        if let Some(title) = title {
            if !is_filled {
                roff.push_str(".fi\n");
            }
            let title = title.to_uppercase();
            roff.push_str(&format!(".SH \"{title}\"\n.nf\n"));
            is_filled = false;
        } else {
            if is_filled && roff.is_empty() {
                roff.push_str(".SH NOTES\n");
            }
            roff.push_str(&escaped(line));
            roff.push('\n');
        }
    }
    if !is_filled {
        roff.push_str(".fi\n");
    }
    roff
}

/// Escapes what roff would act upon.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_become_sections() {
        let text =
            "Read this.\nIt is short.\n\nExamples:\n  sessionup list --all\n  .x\nExit codes:\n  0";
        let expected = "\
.SH NOTES
Read this.
It is short.

.SH \"EXAMPLES\"
.nf
  sessionup list \\-\\-all
  .x
.fi
.SH \"EXIT CODES\"
.nf
  0
.fi
";
        assert_eq!(sections(text), expected);
        assert_eq!(sections(""), "");
        assert_eq!(escaped(".x\\"), "\\&.x\\e");
    }
}
