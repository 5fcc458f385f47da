//! Holding an answer of the store to the contract.

/// Fails, if the store's answer is not what the contract wants, with both of them named.
macro_rules! assert_answer {
    ($answer:expr, $wanted:expr, $($why:tt)+) => {
        match (&$answer, &$wanted) {
            (answer, wanted) => {
                if *answer != *wanted {
                    panic!(
                        "{}\n  the store answered: {answer:?}\n  the contract wants: {wanted:?}",
                        format_args!($($why)+)
                    );
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn wrong_answer_names_both_sides() {
        let outcome = std::panic::catch_unwind(|| {
            assert_answer!(true, false, "delete as {}", "bob");
        });
        let panic = outcome.unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        let expected = "delete as bob\n  the store answered: true\n  the contract wants: false";
        assert_eq!(text, expected);
        assert_answer!(Some(1), Some(1), "the same");
    }
}
