//! `sessionup`: sees, revokes, checks, backs up and moves the sessions in a file.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod args;
mod ask;
mod commands;
mod escape;
mod failure;
mod ids;
mod output;
mod rehearsal;
mod scope;
mod store;
mod table;
mod view;
mod when;

use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;

use crate::args::Arguments;

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    hold_panics();
    let code = match panic::catch_unwind(|| commands::run(&command)) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => {
            let code = failure.code();
            if code != 0 {
                output::tell(&format!("sessionup: {}", failure.line()));
            }
            code
        }
        Err(_) => {
            let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
            output::tell(&format!(
                "sessionup: a fault of the program: {}",
                panic.unwrap_or_default()
            ));
            1
        }
    };
    ExitCode::from(code)
}

/// The last panic.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps panics for the end: those over a damaged file are caught and become errors.
fn hold_panics() {
    panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }));
}
