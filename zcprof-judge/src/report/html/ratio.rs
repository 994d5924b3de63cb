//! What became of each payload byte, in words.

/// `2.000 copied per payload byte`. What is copied later, or encrypted, stands beside what is copied at
/// once: a deferred copy is a copy too.
pub(super) fn per_payload_byte(
    copied: &str,
    later: Option<String>,
    encrypted: Option<String>,
) -> String {
    let first = if later.is_some() { " at once" } else { "" };
    let mut parts = vec![format!("{copied} copied{first}")];
    parts.extend(later.map(|number| format!("{number} copied later")));
    parts.extend(encrypted.map(|number| format!("{number} encrypted")));
    let text = match &*parts {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        all => all.concat(),
    };
    text + " per payload byte"
}

#[cfg(test)]
mod tests {
    use super::per_payload_byte;

    #[test]
    fn a_later_copy_is_named() {
        let some = |number: &str| Some(number.to_owned());
        assert_eq!(per_payload_byte("2.000", None, None), "2.000 copied per payload byte");
        assert_eq!(
            per_payload_byte("0.000", some("1.003"), None),
            "0.000 copied at once and 1.003 copied later per payload byte"
        );
        assert_eq!(
            per_payload_byte("0.000", some("0.500"), some("1.000")),
            "0.000 copied at once, 0.500 copied later and 1.000 encrypted per payload byte"
        );
    }
}
