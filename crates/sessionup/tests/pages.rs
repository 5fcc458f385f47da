//! That links between the pages of the repository lead somewhere.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    let parts = page.split("```");
    parts.step_by(2).collect::<Vec<_>>().join("\n")
}

/// Targets of links in round brackets.
fn targets(page: &str) -> Vec<String> {
    let prose = prose(page);
    let links = prose.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split_once(')'));
    links.map(|(target, _)| target.to_owned()).collect()
}

/// The names by which a page's headings are linked to.
fn anchors(page: &str) -> Vec<String> {
    let prose = prose(page);
    let headings = prose.lines().filter_map(|line| line.strip_prefix('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter_map(|char| match char {
            ' ' => Some('-'),
            '-' | '_' => Some(char),
            char => char.is_alphanumeric().then_some(char),
        });
        kept.collect::<String>()
    };
    headings.map(anchor).collect()
}

fn pages(root: &Path) -> Vec<PathBuf> {
    let folders = [root.to_owned(), root.join("docs")];
    let entries = folders.into_iter().flat_map(|at| fs::read_dir(at).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    paths.filter(is_page).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut links, mut broken) = (0, Vec::new());
    for page in pages(&root) {
        for target in targets(&fs::read_to_string(&page).unwrap()) {
            if target.contains("://") || target.contains(' ') {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            let leads = match anchor {
                "" => path.exists(),
                anchor => fs::read_to_string(&path)
                    .is_ok_and(|text| anchors(&text).iter().any(|name| name == anchor)),
            };
            if !leads {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 60, "{links}");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn anchors_are_those_of_the_headings() {
    let page = "# One: `two` (2)\n```sh\n# no heading\n```\n## A-b_c\n";
    assert_eq!(anchors(page), ["one-two-2", "a-b_c"]);
    assert_eq!(
        targets("[a](b.md#c), ![d](e.png)\n```\n[f](g)\n```\n"),
        ["b.md#c", "e.png"]
    );
}
