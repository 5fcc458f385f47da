//! The fault programme.

fn main() {}
